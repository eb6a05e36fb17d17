"""What every rival stands on: one emulator in its own process, with the same limits for all, and its log."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drive_emulator.process import Emulator

MIB = 1 << 20
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    repeats: int
    quick: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the wire and the service allow, the same for everybody. 0 means no limit."""

    latency_s: float = 0.0
    creates_per_s: float = 0.0
    link_bytes_per_s: float = 0.0


class Ground:
    """The emulator and a folder for local files."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder

    def account(self) -> str:
        """An account that nothing was ever stored on."""
        return f"bench-{secrets.token_hex(4)}@example.org"

    def limit(self, limits: Limits) -> None:
        """From now on these hold."""
        self.emulator.control(
            "settings",
            latency_s=limits.latency_s,
            creates_per_s=limits.creates_per_s,
            link_bytes_per_s=limits.link_bytes_per_s,
        )

    def begin(self, limits: Limits) -> None:
        """Limits on, numbers at zero."""
        self.limit(limits)
        self.emulator.control("reset_log")

    def end(self) -> dict[str, Any]:
        """The numbers since `begin`; limits and faults are gone."""
        numbers = self.emulator.log()
        self.emulator.control("clear_faults")
        self.limit(Limits())
        return numbers

    def received(self, account: str) -> int:
        """How far the account's unfinished upload has come."""
        return int(self.emulator.control("received", account=account))

    def files_of(self, account: str) -> list[dict[str, Any]]:
        """The account's files with content."""
        return [f for f in self.emulator.files() if f["owner"] == account and f["md5"]]

    def wait_for(self, condition: Callable[[], bool], *, every_s: float = 0.003) -> None:
        """Poll until it holds. TimeoutError when it never does."""
        until = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError("what a measure waited for never came")
            time.sleep(every_s)

    def clean(self, account: str) -> None:
        """Remove everything of an account, so that its bytes do not fill this disk."""
        self.emulator.control("forget_account", account=account)
