"""A real OpenID Connect provider on this computer, for tests of the app's sign-in: discovery, a page with people to choose and
Allow or Deny, codes that count once (PKCE), and id tokens signed with RS256 by a key that stands in its JWKS.

It can be told to cheat (`Provider.cheat`), so that a test sees the app refuse what is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT_ID, CLIENT_SECRET = "batonpass-of-the-tests", "not-a-secret"
CHEATS = ("another nonce", "another key", "another audience", "an issuer of the same name", "expired")


@dataclass
class Provider:
    """`people`: address -> whether it is verified, or None for a provider that does not say."""

    people: Mapping[str, bool | None]
    address: str = ""
    cheat: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    waiting: dict[str, dict[str, str]] = field(default_factory=dict)
    """Code -> what was asked for when it was given, and for whom. A code is taken out when it is used."""
    seen: list[str] = field(default_factory=list)
    """The paths that were asked for."""

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks",
            "end_session_endpoint": f"{self.address}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def jwks(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        n, e = (_base64(i.to_bytes((i.bit_length() + 7) // 8, "big")) for i in (numbers.n, numbers.e))
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": n, "e": e}]}

    def give_code(self, asked: dict[str, str], email: str) -> str:
        code = secrets.token_urlsafe(16)
        self.waiting[code] = asked | {"email": email}
        return code

    def tokens(self, posted: dict[str, str]) -> dict[str, Any] | None:
        """The answer to a code; None when anything about it is not as it was."""
        asked = self.waiting.pop(posted.get("code", ""), None)
        if asked is None or posted.get("redirect_uri") != asked["redirect_uri"]:
            return None
        challenge = _base64(hashlib.sha256(posted.get("code_verifier", "").encode()).digest())
        if challenge != asked.get("code_challenge"):
            return None
        return {
            "access_token": "of-no-use",
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self._id_token(asked),
        }

    def _id_token(self, asked: dict[str, str]) -> str:
        now, email = int(time.time()), asked["email"]
        claims: dict[str, Any] = {
            "iss": "http://localhost:1" if self.cheat == "an issuer of the same name" else self.address,
            "aud": "somebody-else" if self.cheat == "another audience" else CLIENT_ID,
            "nonce": "played-again" if self.cheat == "another nonce" else asked.get("nonce"),
            "sub": hashlib.sha256(email.encode()).hexdigest(),
            "iat": now - 7200 if self.cheat == "expired" else now,
            "exp": now - 3600 if self.cheat == "expired" else now + 300,
            "email": email,
        }
        if self.people[email] is not None:
            claims["email_verified"] = self.people[email]
        signer = rsa.generate_private_key(65537, 2048) if self.cheat == "another key" else self.key
        head = _base64(json.dumps({"alg": "RS256", "typ": "JWT", "kid": "one"}).encode())
        signed = f"{head}.{_base64(json.dumps(claims).encode())}"
        return f"{signed}.{_base64(signer.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@contextmanager
def openid_provider(people: Mapping[str, bool | None]) -> Iterator[Provider]:
    """It answers on a free port of this computer until the block is left."""
    provider = Provider(people)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": provider}))
    provider.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.provider.seen.append(url.path)
        match url.path:
            case "/.well-known/openid-configuration":
                self._answer_json(self.provider.discovery())
            case "/jwks":
                self._answer_json(self.provider.jwks())
            case "/authorize" if asked.get("client_id") == CLIENT_ID and asked.get("response_type") == "code":
                self._answer(200, _page(asked, self.provider.people), "text/html; charset=utf-8")
            case "/end":
                self._send_to(asked["post_logout_redirect_uri"])
            case _:
                self._answer(404, "not here", "text/plain")

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        posted = {name: values[0] for name, values in parse_qs(body).items()}
        self.provider.seen.append(url.path)
        if url.path == "/decide":
            self._decide(posted)
        elif url.path == "/token" and self._is_the_client(posted):
            found = self.provider.tokens(posted)
            self._answer_json(found or {"error": "invalid_grant"}, 200 if found else 400)
        else:
            self._answer_json({"error": "invalid_client"}, 401)

    def _decide(self, posted: dict[str, str]) -> None:
        decision, email = posted.pop("decision"), posted.pop("email")
        result = {"code": self.provider.give_code(posted, email)} if decision == "allow" else {"error": "access_denied"}
        self._send_to(f"{posted['redirect_uri']}?{urlencode(result | {'state': posted['state']})}")

    def _is_the_client(self, posted: dict[str, str]) -> bool:
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        in_body = (posted.get("client_id"), posted.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        return in_body or self.headers.get("Authorization") == f"Basic {basic}"

    def _answer_json(self, body: dict[str, Any], status: int = 200) -> None:
        self._answer(status, json.dumps(body), "application/json")

    def _answer(self, status: int, body: str, kind: str) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_to(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: what was asked for stands in `Provider.seen`."""


def _page(asked: dict[str, str], people: Mapping[str, bool | None]) -> str:
    kept = "".join(f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in asked.items())
    options = "".join(f"<option>{html.escape(email)}</option>" for email in people)
    return (
        f'<!doctype html><title>Who are you?</title><form method="post" action="/decide">{kept}'
        f'<label>Address <select name="email">{options}</select></label>'
        '<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>'
    )


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
