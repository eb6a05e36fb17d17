"""What a sign-in must have before a door relies on it: the parts of `[auth]` in the secrets, and the libraries. No Streamlit here."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from urllib.parse import urlsplit

COOKIE_SECRET_CHARS = 32
"""Whoever guesses the secret signs a cookie in anybody's name; Streamlit itself would take any length."""
CALLBACK = "/oauth2callback"
LIBRARIES = ("authlib", "httpx")
"""What Streamlit signs in with. It starts without them, and says so only once somebody has pressed the button."""
_OF_THE_APP = ("redirect_uri", "cookie_secret")
_OF_THE_PROVIDER = ("client_id", "client_secret", "server_metadata_url")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def sign_in_faults(auth: object) -> tuple[str, ...]:
    """What `auth`, the section of that name, lacks; empty when one can sign in with it. Names parts, never a value."""
    section = auth if isinstance(auth, Mapping) else {}
    default = section.get("default")
    provider = default if isinstance(default, Mapping) else section
    missing = [name for name in _OF_THE_APP if not _is_filled(section.get(name))]
    missing += [name for name in _OF_THE_PROVIDER if not _is_filled(provider.get(name))]
    faults = [f"`{name}` is missing" for name in missing]
    if "redirect_uri" not in missing:
        faults += _redirect_faults(section["redirect_uri"])
    if "cookie_secret" not in missing and len(section["cookie_secret"]) < COOKIE_SECRET_CHARS:
        faults.append(f"`cookie_secret` is shorter than {COOKIE_SECRET_CHARS} characters")
    if absent := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
        faults.append(f"{' and '.join(absent)} must be installed: `python -m pip install 'batonpass[host]'`")
    return tuple(faults)


def _is_filled(value: object) -> bool:
    """A text that is more than the dots of an example."""
    return isinstance(value, str) and bool(value.strip(" ."))


def _redirect_faults(uri: str) -> list[str]:
    """Where the provider sends the visitor back to. `{port}` in it is Streamlit's own port."""
    faults = []
    try:
        parts = urlsplit(uri.replace("{port}", "8501"))
    except ValueError:
        return ["`redirect_uri` is no address"]
    if not uri.endswith(CALLBACK):
        faults.append(f"`redirect_uri` must end in `{CALLBACK}`")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        faults.append("`redirect_uri` must begin with `https://`, or the cookie of a sign-in travels in the clear")
    return faults
