"""Sign in to Google Drive on a computer, once, and keep the token in a file that only its owner can read."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from batonpass.core.errors import SignInError, UsageError
from batonpass.sync.sign_in import DRIVE_FILE, TIMEOUT_S

_WAIT_S = 300
_AGAIN = "try again, and say yes to Google Drive"
_NOT_COME_ABOUT = {
    "AccessDeniedError": ("Google Drive was not allowed: somebody said no in the browser", _AGAIN),
    "Warning": ("Google Drive was not among what was allowed", "try again, and tick the box for Google Drive"),
    "WSGITimeoutError": ("nobody answered in the browser", "try again; the page stays open for five minutes"),
    "InvalidGrantError": ("Google did not take the browser's answer", "try again, and answer within some minutes"),
    "InvalidClientError": (
        "Google does not know this OAuth client, or its secret has changed",
        "download its JSON again",
    ),
}
"""What the flow's libraries raise, by name: the texts of their errors may hold the code that Google sent."""
_TELLTALES = ("requests_oauthlib", "oauthlib", "google_auth_oauthlib")
"""These log the code and the tokens at level DEBUG and INFO."""
_CLIENT_HINT = (
    "download the JSON of your own OAuth client of type Desktop app from console.cloud.google.com "
    "(APIs & Services, Credentials) and give its path"
)


def login(client_secrets: Path, to: Path, *, say: Callable[[str], None] = print) -> Path:
    """Open the browser for the scope drive.file, wait up to five minutes for the answer, and write the token to `to` (mode 0600).

    `client_secrets` is the JSON of the user's own OAuth client of type Desktop app. Returns `to`. UsageError in a notebook or for a
    file that is no such client, SignInError when the sign-in does not come about.
    """
    _require_computer()
    flow = _flow(client_secrets)
    say("A browser opens. Say yes there; this waits for up to five minutes.")
    with _untold():
        google = _wait(flow)
    if not google.refresh_token:
        raise SignInError("Google gave no lasting token", op="login", hint="remove the old access, then log in again")
    token = json.loads(google.to_json(strip=("token", "expiry")))
    write_secret(to, json.dumps({"type": "authorized_user", **token}, indent=1) + "\n")
    say(
        f"The token is in {to}. Anyone who has it can use what Batonpass keeps on that Drive: treat it like a password."
    )
    return to


def write_secret(path: Path, text: str) -> None:
    """Write `path` whole or not at all, readable by its owner only from the first byte on. OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _require_computer() -> None:
    hosted = {"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"} & set(os.environ)
    if hosted or "ipykernel" in sys.modules:
        raise UsageError(
            "a notebook cannot sign in for you: the browser's answer would not reach it",
            hint="run `batonpass login` in a terminal on your own computer, and put the token into a notebook secret",
        )


def _flow(client_secrets: Path) -> Any:
    try:
        from google_auth_oauthlib.flow import InstalledAppFlow  # noqa: PLC0415  # part of the extra "app"
    except ImportError:
        raise UsageError(
            "signing in needs google-auth-oauthlib, which is not installed here",
            hint="python -m pip install google-auth-oauthlib",
        ) from None
    try:
        flow = InstalledAppFlow.from_client_secrets_file(str(client_secrets), scopes=[DRIVE_FILE])
    except (OSError, ValueError, AttributeError):
        pass  # the parser's message may quote the client's secret
    else:
        flow.oauth2session.fetch_token = partial(flow.oauth2session.fetch_token, timeout=TIMEOUT_S)
        return flow
    raise UsageError(f"{client_secrets} is not the JSON of an OAuth client of type Desktop app", hint=_CLIENT_HINT)


def _wait(flow: Any) -> Any:
    """The credentials that the person granted."""
    try:
        return flow.run_local_server(
            port=0,
            timeout_seconds=_WAIT_S,
            authorization_prompt_message="{url}",
            success_message="Batonpass has the answer. What came of it stands in the terminal; this window can be closed.",
            access_type="offline",
            prompt="select_account consent",
        )
    except Exception as error:  # noqa: BLE001  # oauthlib, requests and wsgiref raise trees of their own
        reason = type(error).__name__
    message, hint = _NOT_COME_ABOUT.get(reason, (f"the sign-in did not come about ({reason})", _AGAIN))
    raise SignInError(message, op="login", hint=hint)


@contextlib.contextmanager
def _untold() -> Iterator[None]:
    """No library that sees the code and the tokens logs anything meanwhile."""
    names = [n for n in logging.Logger.manager.loggerDict if n.partition(".")[0] in _TELLTALES]
    loggers = [logging.getLogger(n) for n in names]
    before = [each.disabled for each in loggers]
    for each in loggers:
        each.disabled = True
    try:
        yield
    finally:
        for each, was in zip(loggers, before, strict=True):
            each.disabled = was
