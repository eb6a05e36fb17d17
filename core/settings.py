"""Every setting that comes from the environment, in one table. Arguments win over the environment, which wins over the defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batonpass.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. `home` is where local state lives (checkpoints before they are mirrored, the journal, locks)."""

    home: Path
    store: str | None = None
    account: str | None = None
    drive_token: str | None = field(default=None, repr=False)
    """A credential as JSON text, or the path of a file that holds it."""
    drive_endpoint: str | None = None
    """Root URL of the Drive API, for proxies and tests."""
    mount_points: tuple[Path, ...] = ()
    """More folders that some program synchronises with a Drive, beside those we know."""
    lease_s: float | None = None
    """How long a silent holder is waited for before `start` stops with a hint; None = the store's default."""


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. UsageError when a number is none."""
    env = os.environ if environment is None else environment
    home = env.get("BATONPASS_HOME")
    lease = env.get("BATONPASS_LEASE_S")
    try:
        lease_s = float(lease) if lease else None
    except ValueError:
        raise UsageError(
            f"BATONPASS_LEASE_S is not a number of seconds: {lease!r}", hint="unset it, or write e.g. 60"
        ) from None
    return Settings(
        home=Path(home).expanduser() if home else _default_home(),
        store=env.get("BATONPASS_STORE") or None,
        account=env.get("BATONPASS_ACCOUNT") or None,
        drive_token=env.get("BATONPASS_DRIVE_TOKEN") or None,
        drive_endpoint=env.get("BATONPASS_DRIVE_ENDPOINT") or None,
        mount_points=tuple(Path(p) for p in env.get("BATONPASS_MOUNT_POINTS", "").split(os.pathsep) if p),
        lease_s=lease_s,
    )


def _default_home() -> Path:
    from platformdirs import user_data_path  # noqa: PLC0415  # only needed when nothing else says where

    return user_data_path("batonpass", appauthor=False)
