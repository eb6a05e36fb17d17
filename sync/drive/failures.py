"""Foreign errors (HTTP answers, PyDrive2, httplib2, requests, google-auth) become `StoreError`s here, and nowhere else.

The classes follow Google's "Resolve errors" page: transient and throttled can be tried again; full, sign-in, permission and missing cannot.
Messages never repeat a URL, because a session's URL is a secret; for the same reason the foreign error is not chained.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import wraps
from http.client import HTTPException
from typing import Any, TypeVar, cast

import httplib2
import requests
from google.auth.exceptions import GoogleAuthError
from googleapiclient.errors import HttpError

from batonpass.core.errors import (
    BatonpassError,
    ConflictError,
    NotFoundError,
    SignInError,
    StoreError,
    StoreFullError,
    StoreThrottledError,
    StoreUnreachableError,
)
from batonpass.sync.sign_in import explain

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_THROTTLED = {"userRateLimitExceeded", "rateLimitExceeded", "sharingRateLimitExceeded"}
_FULL = {
    "storageQuotaExceeded",
    "quotaExceeded",
    "dailyLimitExceeded",
    "activeItemCreationLimitExceeded",
    "numChildrenInNonRootLimitExceeded",
    "teamDriveFileLimitExceeded",
}
_TOO_NARROW = {"insufficientPermissions", "insufficientScopes", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
_FULL_HINT = "make room in that Google Drive (its trash counts too), or keep fewer checkpoints"
_SCOPE_HINT = "sign in again with `batonpass login`; the scope drive.file is enough"
_RIGHTS_HINT = "only the account that owns a file may do this: sign in as its owner, or use a folder of your own"
_UNSEEN_HINT = "does the token belong to another account or OAuth client? `batonpass doctor` names both"
_LATER_HINT = "nothing to do: it is tried again"
_SLOWER_HINT = "nothing to do: it goes on more slowly"


class OwnDiskError(Exception):
    """Carries an OSError of the caller's own file through the translation of errors: it is not about Drive."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


@contextmanager
def own_disk() -> Iterator[None]:
    """Round whatever touches a file of this machine."""
    try:
        yield
    except OSError as error:
        raise OwnDiskError(error) from None


def translated(op: str) -> Callable[[F], F]:
    """Decorates a store's method whose first argument is a key (or a prefix): whatever goes wrong comes out as a StoreError."""

    def decorate(method: F) -> F:
        @wraps(method)
        def call(self: Any, key: str, *args: Any, **kwargs: Any) -> Any:
            return guarded(op, key, lambda: method(self, key, *args, **kwargs))

        return cast("F", call)

    return decorate


def guarded(op: str, key: str, work: Callable[[], T]) -> T:
    """What `work` returns; a foreign error in it becomes a StoreError that carries `op` and `key`."""
    failure: StoreError | OSError | None = None
    try:
        return work()
    except OwnDiskError as carried:
        failure = carried.error
    except StoreError as error:
        error.op, error.key = error.op or op, error.key or key
        raise
    except BatonpassError:
        raise
    except Exception as error:
        failure = translate(error)
        if failure is None:
            raise
    if isinstance(failure, StoreError):
        failure.op, failure.key = op, key
    raise failure  # outside the handler, so that the foreign error with its URLs is not chained


def translate(error: BaseException) -> StoreError | None:
    """A foreign error in our words, or None where it is not about Drive."""
    answer = _http_error(error)
    if answer is not None:
        return from_answer(int(answer.resp.status), answer.resp, answer.content)
    if isinstance(error, GoogleAuthError):
        return explain(error)
    if isinstance(error, requests.RequestException | httplib2.HttpLib2Error | HTTPException | OSError):
        return _unreachable(f"no answer from Google Drive ({type(error).__name__})", None)
    if isinstance(error, json.JSONDecodeError):
        return _unreachable("an answer that did not come from Google Drive (no JSON)", None)
    return None


def from_answer(status: int, headers: Mapping[str, Any], body: bytes) -> StoreError:  # a table: one row per class
    """What an error answer of Drive means."""
    reason = _reason(body)
    said = f"{status} {reason}".strip()
    if status == 429 or (status == 403 and reason in _THROTTLED):
        message = f"Google Drive asks for a pause ({said})"
        return StoreThrottledError(message, hint=_SLOWER_HINT, retry_after_s=_retry_after_s(headers))
    if status >= 500 or status == 408:
        return _unreachable(f"Google Drive could not answer just now ({said})", _retry_after_s(headers))
    if status == 403 and reason in _FULL:
        return StoreFullError(f"this Google Drive takes nothing more ({said})", hint=_FULL_HINT)
    if status == 401:
        return SignInError("Google Drive does not accept the sign-in (401)", hint=_SCOPE_HINT)
    if status == 403 and reason in _TOO_NARROW:
        return SignInError("the sign-in does not allow this on Google Drive", hint=_SCOPE_HINT)
    if status == 403 and not reason:
        return _unreachable("something between here and Google Drive refused (403 without a reason)", None)
    if status == 403:
        return StoreError(f"Google Drive does not allow this ({said})", hint=_RIGHTS_HINT)
    if status in (404, 410):
        return NotFoundError(
            "Google Drive says that this does not exist (or this sign-in cannot see it)", hint=_UNSEEN_HINT
        )
    if status in (409, 412):
        return ConflictError(f"somebody else wrote here first ({said})", hint="read it again, then decide")
    return StoreError(f"Google Drive refused the call ({said})", hint="please report this with the number")


def _unreachable(message: str, retry_after_s: float | None) -> StoreUnreachableError:
    return StoreUnreachableError(message, hint=_LATER_HINT, retry_after_s=retry_after_s)


def _http_error(error: BaseException) -> HttpError | None:
    """PyDrive2 wraps HttpError, and fails to where the body is no JSON: then it stands in the context."""
    if isinstance(error, HttpError):
        return error
    for inner in (*error.args, error.__context__):
        if isinstance(inner, HttpError):
            return inner
    return None


def _reason(body: bytes) -> str:
    """The first error's reason; empty where the body is not Google's JSON (a proxy's page)."""
    try:
        return str(json.loads(body)["error"]["errors"][0]["reason"])
    except (ValueError, LookupError, TypeError):
        return ""


def _retry_after_s(headers: Mapping[str, Any]) -> float | None:
    """Retry-After in seconds, whether it is a number or a date (RFC 9110, 10.2.3)."""
    said = headers.get("retry-after") or headers.get("Retry-After")
    if said is None:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(str(said))
        now = parsedate_to_datetime(str(headers.get("date") or headers.get("Date")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None
