"""Tells a chat of something that happened: one short text by one POST. The URL of a webhook is a secret: whoever knows it may write there,
so it stands in no error, no log and no return value of this module.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from batonpass.core.errors import BatonpassError, StoreUnreachableError, UsageError

TIMEOUT_S = 10.0
LONGEST = 1900
"""Discord takes 2,000 characters."""


class RefusedError(BatonpassError):
    """The other side answered, and does not want it: trying again by itself is no use."""


def check_address(url: str) -> str:
    """`url` without blanks round it. UsageError where it is no https address (http is taken for this computer alone)."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  # ValueError for a port that is none
    except ValueError:
        host = ""
    if not host or any(c.isspace() or not c.isprintable() for c in url):
        raise UsageError("this is no web address", hint="paste the webhook's whole address, beginning with https://")
    if parts.username or parts.password:
        raise UsageError("a webhook's address holds no user name", hint="paste it as the chat service shows it")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_computer(host)):
        raise UsageError("alerts go over https only", hint="paste the webhook's address, beginning with https://")
    return url


def post_text(url: str, text: str) -> None:
    """Sends `text` in the form that Slack ("text") and Discord ("content") both take; no name in it calls anybody.

    UsageError for an address that is refused here, `RefusedError` for one that is refused there, `StoreUnreachableError` where
    trying again later may help (with `retry_after_s` where the other side named a time).
    """
    import requests  # noqa: PLC0415  # the app must not wait for it before somebody wants alerts

    address = check_address(url)
    said = _harmless(text)[:LONGEST]
    body = {"text": said, "content": said, "allowed_mentions": {"parse": []}}
    try:
        with requests.Session() as session:
            session.trust_env = not _is_this_computer(urlsplit(address).hostname or "")
            answer = session.post(address, json=body, timeout=TIMEOUT_S, allow_redirects=False, stream=True)
            status, wait = answer.status_code, answer.headers.get("Retry-After", "")
            answer.close()
    except requests.RequestException as error:
        # the error's own text holds the address; its kind does not
        raise StoreUnreachableError(
            f"the webhook could not be reached ({type(error).__name__})", hint="it is tried again by itself"
        ) from None
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        raise StoreUnreachableError(
            f"the webhook answered {status}", hint="it is tried again by itself", retry_after_s=_seconds(wait)
        )
    if not requests.codes.ok <= status < requests.codes.multiple_choices:
        raise RefusedError(
            f"the webhook answered {status}", hint="is the address still the one that the chat service shows?"
        )


def _harmless(text: str) -> str:
    """Slack reads <!channel> and <http://…|text>, both read links and @everyone: none of them is left."""
    return (
        text.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}")
        .replace(">", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}")
        .replace("@", "@\N{WORD JOINER}")
        .replace("://", ":\N{WORD JOINER}//")
    )


def _is_this_computer(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _seconds(text: str) -> float | None:
    """Of a Retry-After; None for a date, and for anything longer than a day."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
