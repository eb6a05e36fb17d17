"""How a test tells the emulator what to do: POST /_control/<verb> with a JSON object."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from drive_emulator import shared_drives
from drive_emulator.answers import Answer, as_json
from drive_emulator.calls import Calls
from drive_emulator.exchange import Exchange
from drive_emulator.faults import Fault
from drive_emulator.link import Link
from drive_emulator.log import Log
from drive_emulator.storm import storm
from drive_emulator.temper import TEMPERS


class Control:
    def __init__(self, calls: Calls, log: Log, links: tuple[Link, Link]) -> None:
        self.calls = calls
        self.links = links
        self.log = log
        self.storage = calls.storage

    def answer(self, exchange: Exchange) -> Answer:
        verb = exchange.parts[1]
        work: Callable[..., Any] = getattr(self, f"do_{verb}")
        with self.storage.lock:
            return as_json(work(**exchange.json()))

    def do_grant(self, account: str, client_id: str, scopes: list[str], expires_s: int = 3600) -> dict[str, Any]:
        """A person has said yes: the refresh token that the client holds from then on."""
        grant = self.storage.accounts.grant(account, client_id, scopes, expires_s)
        access_token = self.storage.accounts.new_token(grant, time.monotonic())
        root_id = self.storage.accounts.account(account).root_id
        return {"refresh_token": grant.refresh_token, "access_token": access_token, "root_id": root_id}

    def do_revoke(self, refresh_token: str) -> None:
        self.storage.accounts.grants[refresh_token].revoked = True

    def do_expire_tokens(self) -> None:
        """Every access token stops working; refresh tokens go on."""
        self.storage.accounts.tokens.clear()

    def do_account(
        self,
        email: str,
        quota_bytes: int | None = None,
        other_bytes: int | None = None,
        daily_bytes: int | None = None,
    ) -> None:
        """What the account may hold, what its mail and photos take of that, and what it may upload until `new_day`."""
        account = self.storage.accounts.account(email)
        if quota_bytes is not None:
            account.quota_bytes = quota_bytes
        if other_bytes is not None:
            account.other_bytes = other_bytes
        if daily_bytes is not None:
            account.daily_bytes = daily_bytes

    def do_new_day(self, email: str) -> None:
        self.storage.accounts.account(email).sent_bytes = 0

    def do_empty_trash(self, email: str) -> None:
        """The user does it by hand."""
        self.storage.empty_trash(email)

    def do_secrets(self) -> list[str]:
        """Every refresh token, access token, sign-in code and upload session that was ever given to a client."""
        return self.storage.accounts.handed_out

    def do_consent(self, answer: str) -> None:
        """What the person at the consent page does from now on: yes, no, unticked, or ask (a page in a browser)."""
        self.calls.sign_in.consent = answer

    def do_shared_drive(self, members: dict[str, str], quota_bytes: int = 100 << 30) -> str:
        """A shared drive with these members (e-mail to role); its id."""
        return shared_drives.make(self.storage, members, quota_bytes)

    def do_settings(
        self,
        list_lag_s: float | None = None,
        latency_s: float | None = None,
        clock_skew_s: float | None = None,
        page_limit: int | None = None,
        creates_per_s: float | None = None,
        link_bytes_per_s: float | None = None,
    ) -> None:
        if list_lag_s is not None:
            self.storage.list_lag_s = list_lag_s
        if latency_s is not None:
            self.calls.latency_s = latency_s
        if clock_skew_s is not None:
            self.storage.clock_skew_s = clock_skew_s
        if page_limit is not None:
            self.storage.page_limit = page_limit
        if creates_per_s is not None:
            self.storage.creates_per_s = creates_per_s
        if link_bytes_per_s is not None:
            for link in self.links:
                link.bytes_per_s = link_bytes_per_s

    def do_temper(self, name: str, seed: int = 0, **switches: Any) -> None:
        """See temper.py; `switches` set single ones otherwise."""
        self.storage.moods.become(replace(TEMPERS[name], **switches), seed)

    def do_touch(self, file_id: str) -> None:
        """Somebody changes what is not content: stars it, looks at it, shares it."""
        self.storage.touch(self.storage.files[file_id])

    def do_fault(self, **fields: Any) -> None:
        self.calls.faults.add(Fault(**fields))

    def do_storm(self, seed: int, count: int = 60, within: int = 6) -> int:
        """See storm.py. How many faults there are now."""
        for fault in storm(seed, count, within):
            self.calls.faults.add(fault)
        return len(self.calls.faults.faults)

    def do_clear_faults(self) -> None:
        self.calls.faults.clear()

    def do_pending_faults(self) -> int:
        """How many faults have not struck yet."""
        return len(self.calls.faults.faults)

    def do_seed(self, seed: int) -> None:
        self.calls.faults.random.seed(seed)

    def do_struck(self) -> dict[str, int]:
        """How often each kind of fault has struck: a test proves with it that its fault was met."""
        return self.calls.faults.struck

    def do_log(self) -> dict[str, Any]:
        return self.log.numbers()

    def do_reset_log(self) -> None:
        self.log.reset()

    def do_files(self) -> list[dict[str, Any]]:
        """Everything there is, whoever owns it."""
        return [
            {
                "id": f.id,
                "title": f.title,
                "parents": f.parents,
                "mime_type": f.mime_type,
                "owner": f.owner,
                "size": f.blob.size if f.blob else None,
                "md5": f.blob.md5 if f.blob else None,
                "trashed": self.storage.is_trashed(f),
                "version": f.version,
                "client_id": f.client_id,
            }
            for f in self.storage.files.values()
        ]

    def do_received(self, account: str) -> int:
        """How many bytes of an unfinished upload of this account have come; of the one that came furthest."""
        sessions = self.calls.uploads.sessions.values()
        return max((s.offset for s in sessions if s.grant.account == account and s.finished is None), default=0)

    def do_forget_account(self, account: str) -> None:
        """Nothing of what it owned takes space on this disk any more."""
        for file in [f for f in self.storage.files.values() if f.owner == account]:
            if file.blob is not None:
                file.blob.path.unlink(missing_ok=True)
            del self.storage.files[file.id]
        sessions = self.calls.uploads.sessions
        for secret in [secret for secret, s in sessions.items() if s.grant.account == account]:
            sessions.pop(secret).path.unlink(missing_ok=True)

    def do_hide(self, file_id: str, for_s: float) -> None:
        """Lists leave this file out for so long."""
        self.storage.files[file_id].listed_from = time.monotonic() + for_s

    def do_reveal(self) -> None:
        """Lists have caught up: nothing is left out any more."""
        for file in self.storage.files.values():
            file.listed_from, file.unlisted = 0.0, 0

    def do_trash(self, file_id: str) -> None:
        """The user drags it into the trash."""
        self.storage.files[file_id].trashed = True

    def do_corrupt(self, file_id: str, at: int = 0, bit: int = 0) -> None:
        """One bit of the content changes; its checksums stay as they were. Twice makes it whole again."""
        blob = self.storage.files[file_id].blob
        assert blob is not None
        content = bytearray(blob.path.read_bytes())
        content[at] ^= 1 << bit
        blob.path.write_bytes(content)
