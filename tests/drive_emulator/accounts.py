"""Accounts, OAuth clients and tokens."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from drive_emulator.answers import DriveError

FULL = "https://www.googleapis.com/auth/drive"
FILE = "https://www.googleapis.com/auth/drive.file"
READ = "https://www.googleapis.com/auth/drive.readonly"


@dataclass
class Account:
    email: str
    quota_bytes: int = 15 << 30
    other_bytes: int = 0
    daily_bytes: int = 750 << 30
    sent_bytes: int = 0
    """Content taken since the day began. Once it is `daily_bytes`, content is refused and everything else goes on."""
    root_id: str = field(default_factory=lambda: "0A" + secrets.token_urlsafe(12))

    @property
    def name(self) -> str:
        return self.email.partition("@")[0]

    @property
    def permission_id(self) -> str:
        return str(int.from_bytes(self.email.encode()) % 10**20).zfill(20)


@dataclass
class Grant:
    """What an account allowed a client. `kind` is how the client proves itself: a refresh token, or a service account's signature."""

    account: str
    client_id: str
    scopes: tuple[str, ...]
    refresh_token: str
    expires_s: int = 3600
    revoked: bool = False

    def may_read(self) -> bool:
        return bool({FULL, FILE, READ} & set(self.scopes))

    def may_write(self) -> bool:
        return bool({FULL, FILE} & set(self.scopes))

    def sees_only_its_own(self) -> bool:
        return FILE in self.scopes and not {FULL, READ} & set(self.scopes)


class Accounts:
    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.grants: dict[str, Grant] = {}
        self.tokens: dict[str, tuple[Grant, float]] = {}
        self.handed_out: list[str] = []
        """Every secret that a client was ever given."""

    def account(self, email: str) -> Account:
        return self.accounts.setdefault(email, Account(email))

    def grant(self, account: str, client_id: str, scopes: list[str], expires_s: int = 3600) -> Grant:
        self.account(account)
        grant = Grant(account, client_id, tuple(scopes), "1//refresh-" + secrets.token_urlsafe(24), expires_s)
        self.grants[grant.refresh_token] = grant
        self.handed_out.append(grant.refresh_token)
        return grant

    def new_token(self, grant: Grant, now: float) -> str:
        token = "ya29.access-" + secrets.token_urlsafe(24)
        self.tokens[token] = (grant, now + grant.expires_s)
        self.handed_out.append(token)
        return token

    def by_header(self, header: str | None, now: float) -> Grant:
        """The grant behind an Authorization header; 401 where it does not hold."""
        grant, until = self.tokens.get((header or "").removeprefix("Bearer "), (None, 0.0))
        if grant is None or grant.revoked or now >= until:
            raise DriveError(
                401,
                "authError",
                "Invalid Credentials",
                headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
            )
        return grant
