"""Who may look at this app, and what they may do: the one place that decides. From the environment and Streamlit's secrets; no Streamlit here.

On one's own computer nothing is set, and everything is allowed. On a host, `[auth]` in the secrets asks for a sign-in, a list says whose,
and BATONPASS_READ_ONLY takes every writing away.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from batonpass.core.errors import StoreError
from batonpass.core.storage import ObjectInfo, Store
from batonpass.streamlit_app.sign_in_parts import sign_in_faults

READ_ONLY, NO_DOWNLOADS, ALLOWED_EMAILS = "BATONPASS_READ_ONLY", "BATONPASS_NO_DOWNLOADS", "BATONPASS_ALLOWED_EMAILS"
_NO = ("", "0", "false", "no", "off")


class Entry(StrEnum):
    """What stands at the door for one visitor."""

    OPEN = "open"
    SIGN_IN = "sign in"
    NOT_LISTED = "not on the list"
    NO_LIST = "a sign-in without a list"
    NO_SIGN_IN = "a list without a sign-in"
    UNFINISHED = "a sign-in that lacks a part"


class ReadOnlyError(StoreError):
    """This app only looks."""

    def __init__(self, what: str) -> None:
        """`what` was asked for, in a few words."""
        super().__init__(f"{what} is switched off here: this app only looks", hint="Do it on your own computer.")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in. `emails` are in lower case; `faults` say in words what the sign-in lacks."""

    has_login: bool = False
    has_list: bool = False
    emails: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()

    def entry(self, user: Mapping[str, Any]) -> Entry:
        """What `user` (the claims of `st.user`) finds. Closed wherever a part of the set-up is missing.

        An address that its provider calls unverified is nobody's: anybody could have typed it.
        """
        if not self.has_login:
            return Entry.NO_SIGN_IN if self.has_list else Entry.OPEN
        if self.faults:
            return Entry.UNFINISHED
        if not self.emails:
            return Entry.NO_LIST
        if user.get("is_logged_in") is not True:
            return Entry.SIGN_IN
        email = user.get("email")
        verified = user.get("email_verified", True) in (True, "true")
        listed = isinstance(email, str) and email.strip().lower() in self.emails
        return Entry.OPEN if listed and verified else Entry.NOT_LISTED


def read_access(secrets: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Access:
    """What is set. The list is BATONPASS_ALLOWED_EMAILS (separated by commas) and `allowed_emails` under `[batonpass]`.

    A section or a list that is there and empty is somebody's wish for a closed door, not for an open one.
    """
    env = os.environ if environment is None else environment
    section = secrets.get("batonpass")
    listed = section.get("allowed_emails") if isinstance(section, Mapping) else None
    typed = [listed] if isinstance(listed, str) else map(str, listed if isinstance(listed, Sequence) else ())
    named = env.get(ALLOWED_EMAILS, "")
    names = (name.strip().lower() for text in [*typed, named] for name in text.split(","))
    return Access(
        has_login="auth" in secrets,
        has_list="batonpass" in secrets or bool(named.strip()),
        emails=frozenset(name for name in names if name),
        faults=sign_in_faults(secrets["auth"]) if "auth" in secrets else (),
    )


def is_read_only(environment: Mapping[str, str] | None = None) -> bool:
    """Nothing may be written, on the store or about this computer. Anything but an empty word or a plain no switches it on."""
    return _is_on(os.environ if environment is None else environment, READ_ONLY)


def may_download(environment: Mapping[str, str] | None = None) -> bool:
    """Whether files of a checkpoint may be taken home through the app."""
    return not _is_on(os.environ if environment is None else environment, NO_DOWNLOADS)


def refuse_when_read_only(what: str) -> None:
    """ReadOnlyError where nothing may be written."""
    if is_read_only():
        raise ReadOnlyError(what)


def refuse_download() -> None:
    """ReadOnlyError where no checkpoint may be taken home."""
    if not may_download():
        raise ReadOnlyError("Taking checkpoints home")


def guarded(store: Store) -> Store:
    """The store as this process may use it. Whoever holds it, and whatever way they found to it, writes nothing where that is off."""
    return LookingStore(store) if is_read_only() else store


class LookingStore:
    """A store that can be read, and refuses the rest."""

    def __init__(self, inner: Store) -> None:
        """`inner` is only ever read."""
        self._inner = inner
        self.url = inner.url
        self.properties = inner.properties
        self.get, self.fetch, self.stat, self.checksum = inner.get, inner.fetch, inner.stat, inner.checksum
        self.list_objects, self.list_folders = inner.list_objects, inner.list_folders
        self.now, self.close = inner.now, inner.close

    def put(self, key: str, *_: object, **__: object) -> ObjectInfo:
        """Never. ReadOnlyError."""
        raise ReadOnlyError(f"Writing {key}")

    def delete(self, key: str, **_: object) -> None:
        """Never. ReadOnlyError."""
        raise ReadOnlyError(f"Deleting {key}")

    def new_ids(self, count: int) -> list[str]:
        """Never: ids are for writing. ReadOnlyError."""
        raise ReadOnlyError(f"Making {count} ids")


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").strip().lower() not in _NO
