"""Finds the credential for Google Drive and keeps it fresh. Never opens a browser, never logs or repeats a secret.

In this order: BATONPASS_DRIVE_TOKEN (JSON text or the path of a file: a refresh token as `batonpass login` writes it, or a service
account's key), else the file that `batonpass login` wrote into the home folder, else on Colab only what
`google.colab.auth.authenticate_user()` left there.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batonpass.core.errors import BatonpassError, SignInError, StoreError, StoreUnreachableError, UsageError
from batonpass.core.settings import Settings

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

DRIVE_FILE = "https://www.googleapis.com/auth/drive.file"
"""Sees and changes only what the same OAuth client made: the least that Batonpass needs."""
DRIVE_FULL = "https://www.googleapis.com/auth/drive"
TIMEOUT_S = 60.0
TOKEN_FILE = "drive-token.json"  # noqa: S105  # a file's name
"""In the home folder: where `batonpass login` puts the token unless told otherwise."""
_LOGIN = "run `batonpass login` on a computer and put the token it writes into the secret BATONPASS_DRIVE_TOKEN"
_UNTICKED = f"tick the box for Google Drive on Google's page: {_LOGIN}"
_EXPIRED = (
    f"{_LOGIN}. A token dies after 7 days while its consent screen is in status Testing (publish it), "
    "when access was removed or the password changed, and when 100 newer ones of the same client exist"
)


class Credential:
    """google-auth credentials that many threads share; `kind` is "refresh token", "service account" or "colab".

    `reread` is asked before every refresh for a newer one, so that a token put into the same file reaches a running session.
    """

    def __init__(
        self,
        google: Credentials,
        kind: str,
        client_id: str | None = None,
        reread: Callable[[], Credential | None] = lambda: None,
    ) -> None:
        self.google = google
        self.kind = kind
        self.client_id = client_id
        self._reread = reread
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Credential({self.kind})"

    @property
    def scopes(self) -> frozenset[str]:
        """What Google granted, as far as it said so."""
        granted = getattr(self.google, "granted_scopes", None) or getattr(self.google, "scopes", None) or ()
        return frozenset(granted)

    def ensure_fresh(self) -> None:
        """Fetch a new access token if the old one is (almost) over. SignInError, StoreUnreachableError."""
        with self._lock:
            if not self.google.valid or self._is_too_narrow():
                self._refresh()

    def replace(self, rejected: str | None) -> None:
        """Fetch a new access token because Google rejected this one; nothing to do if another thread was faster."""
        with self._lock:
            if self.google.token == rejected or not self.google.valid:
                self._refresh()

    def _is_too_narrow(self) -> bool:
        return bool(self.scopes) and not self.scopes & {DRIVE_FILE, DRIVE_FULL}

    def _take_newer(self) -> None:
        newer = self._reread()
        if newer is not None:
            self.google, self.kind, self.client_id = newer.google, newer.kind, newer.client_id

    def _refresh(self) -> None:
        import requests  # noqa: PLC0415  # only where a Drive is used
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from google.auth.transport.requests import Request  # noqa: PLC0415

        self._take_newer()
        failure = None
        try:
            with requests.Session() as session:
                self.google.refresh(partial(Request(session), timeout=TIMEOUT_S))  # type: ignore[no-untyped-call]
        except GoogleAuthError as error:
            failure = explain(error)
        if failure is not None:  # raised outside the handler: what Google answered may hold the token
            raise failure
        if self._is_too_narrow():
            raise SignInError("the sign-in does not allow writing to Google Drive", op="sign in", hint=_UNTICKED)


def credential_file(settings: Settings) -> Path | None:
    """The file on this computer that holds the credential these settings lead to; None where there is none, or it is given as text."""
    token = (settings.drive_token or "").strip()
    if token:
        return None if token.startswith("{") else Path(token)
    kept = settings.home / TOKEN_FILE
    return kept if kept.is_file() else None


def find_credential(settings: Settings, environment: Mapping[str, str] | None = None) -> Credential:
    """The credential these settings lead to. SignInError where there is none or it is no credential; sends nothing."""
    token = (settings.drive_token or "").strip()
    if token:
        return _read_token(token) if token.startswith("{") else _TokenFile(token).first()
    kept = settings.home / TOKEN_FILE
    if kept.is_file():
        return _TokenFile(str(kept)).first()
    if _on_colab(os.environ if environment is None else environment):
        return _ask_colab()
    raise SignInError("no sign-in for Google Drive", op="sign in", hint=_LOGIN)


def explain(error: Exception) -> StoreError:
    """A google-auth error in our words, without anything secret."""
    from google.auth.exceptions import RefreshError, TransportError  # noqa: PLC0415  # only where a Drive is used

    answer = next((a for a in error.args if isinstance(a, dict)), {})
    code = str(answer.get("error", "")) or next((c for c in _CODES if c in str(error.args[:1])), "")
    no_oauth = not code and "html" in str(error.args[:1])[:200].lower()  # a proxy's page
    if isinstance(error, TransportError) or getattr(error, "retryable", False) or no_oauth:
        return StoreUnreachableError("no answer from Google's sign-in", op="sign in", hint="check the network")
    if code == "invalid_grant":
        return SignInError("the sign-in for Google Drive has expired or was revoked", op="sign in", hint=_EXPIRED)
    if code in ("invalid_client", "unauthorized_client", "deleted_client"):
        return SignInError(f"Google does not accept this sign-in's OAuth client ({code})", op="sign in", hint=_LOGIN)
    if code == "invalid_scope":
        return SignInError("the sign-in does not allow what Batonpass needs (drive.file)", op="sign in", hint=_LOGIN)
    if isinstance(error, RefreshError):
        detail = f" ({code})" if code else ""
        return SignInError(f"Google refused the sign-in for Drive{detail}", op="sign in", hint=_LOGIN)
    return SignInError(f"the sign-in for Drive does not work ({type(error).__name__})", op="sign in", hint=_LOGIN)


def check_endpoint(url: str, name: str) -> str:
    """`url`, ending in "/". UsageError unless it is https or on this machine: a token is sent there."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
        raise UsageError(f"{name} is neither https nor on this machine", hint="a token would be readable on its way")
    return url.rstrip("/") + "/"


_CODES = ("invalid_grant", "invalid_client", "unauthorized_client", "deleted_client", "invalid_scope")


class _TokenFile:
    """A credential in a file that may be replaced while we run."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._text = _read_file(path)

    def first(self) -> Credential:
        """What the file holds now; it is looked at again before every refresh."""
        found = _read_token(self._text)
        return Credential(found.google, found.kind, found.client_id, self._newer)

    def _newer(self) -> Credential | None:
        """What the file holds if that is new and a credential; a file that is gone or half written changes nothing."""
        try:
            text = _read_file(self._path)
            if text == self._text:
                return None
            found = _read_token(text)
        except BatonpassError:
            return None
        self._text = text
        return found


def _read_token(text: str) -> Credential:
    try:
        tree = json.loads(text)
        kind = tree.get("type", "authorized_user")
        if kind == "service_account":
            return _service_account(tree)
        return _authorized_user(tree)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # the parser's own message would quote the secret
    raise SignInError(
        "the Drive credential is neither a token of batonpass login nor a service account's key",
        op="sign in",
        hint=_LOGIN,
    )


def _read_file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError):
        pass  # the text may be a mangled secret, not a path: it is not repeated
    raise SignInError(
        "BATONPASS_DRIVE_TOKEN is neither credential JSON nor the path of a readable file", op="sign in", hint=_LOGIN
    )


def _authorized_user(tree: dict[str, Any]) -> Credential:
    from google.oauth2.credentials import Credentials  # noqa: PLC0415  # only where a Drive is used

    scopes = tree.get("scopes")
    google = Credentials.from_authorized_user_info(  # type: ignore[no-untyped-call]
        tree, scopes=scopes.split() if isinstance(scopes, str) else scopes
    )
    if "token_uri" in tree:  # google-auth ignores it
        google = google.with_token_uri(check_endpoint(tree["token_uri"], "token_uri").rstrip("/"))
    return Credential(google, "refresh token", tree["client_id"])


def _service_account(tree: dict[str, Any]) -> Credential:
    from google.oauth2.service_account import Credentials  # noqa: PLC0415  # only where a Drive is used

    check_endpoint(tree["token_uri"], "token_uri")
    # The full scope: drive.file would not see the shared drive's folder, and this account reaches only what was shared with it.
    google = Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        tree, scopes=[DRIVE_FULL]
    )
    return Credential(google, "service account", tree.get("client_id"))


def _on_colab(environment: Mapping[str, str]) -> bool:
    """Kaggle's image is built on Colab's and sets its variables too."""
    return "COLAB_RELEASE_TAG" in environment and "KAGGLE_KERNEL_RUN_TYPE" not in environment


def _ask_colab() -> Credential:
    import google.auth  # noqa: PLC0415  # only where a Drive is used
    from google.auth.exceptions import DefaultCredentialsError  # noqa: PLC0415

    try:
        google_credentials, _project = google.auth.default(scopes=[DRIVE_FULL])
    except DefaultCredentialsError:
        pass
    else:
        return Credential(google_credentials, "colab")
    raise SignInError(
        "this notebook is not signed in to Google Drive",
        op="sign in",
        hint="run `from google.colab import auth; auth.authenticate_user()` in a cell, or set BATONPASS_DRIVE_TOKEN",
    )
