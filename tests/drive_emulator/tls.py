"""A certificate for Google's host names, so that clients with fixed addresses (rclone) come here through an HTTPS proxy."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

HOSTS = ("www.googleapis.com", "oauth2.googleapis.com", "accounts.google.com")


def make_certificate(folder: Path) -> Path:
    """Writes `key.pem` and returns the path of `ca.pem`: one self-signed certificate, authority and server in one."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "drive emulator")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(h) for h in HOSTS]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password))
    path = folder / "ca.pem"
    path.write_bytes(certificate.public_bytes(pem))
    return path


def server_side(ca: Path) -> ssl.SSLContext:
    """What wraps a connection whose client trusts `ca`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, ca.with_name("key.pem"))
    return context
