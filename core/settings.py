"""Every setting that comes from the environment, in one table. Arguments win over the environment, which wins over the defaults."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from batonpass.core.errors import UsageError

NOT_CAPPED = "{url} moves its own bytes, so the cap on the link does not hold there; gdrive:// keeps it"
"""What is said where a cap was asked for in vain."""


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
    max_upload_mbit_s: float | None = None
    """Content goes up no faster, in megabits (10^6) a second; None = as fast as the link."""
    max_download_mbit_s: float | None = None
    """The same for what comes down."""
    compress: bool = False
    """Safetensors files are packed before they are sent."""

    def capped(self, *, upload_mbit_s: float | None = None, download_mbit_s: float | None = None) -> Settings:
        """These settings with the caps that were given as arguments. UsageError for a number that no link can have."""
        return replace(
            self,
            max_upload_mbit_s=self.max_upload_mbit_s if upload_mbit_s is None else _cap(upload_mbit_s, "an upload cap"),
            max_download_mbit_s=self.max_download_mbit_s
            if download_mbit_s is None
            else _cap(download_mbit_s, "a download cap"),
        )

    @property
    def has_cap(self) -> bool:
        """Somebody asked for a slower link."""
        return self.max_upload_mbit_s is not None or self.max_download_mbit_s is not None


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
        max_upload_mbit_s=_read_cap(env, "BATONPASS_MAX_UPLOAD_MBIT_S"),
        max_download_mbit_s=_read_cap(env, "BATONPASS_MAX_DOWNLOAD_MBIT_S"),
        compress=_read_switch(env, "BATONPASS_COMPRESS"),
    )


def _read_switch(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "").strip().lower()
    if text not in {"", "0", "1", "false", "true", "no", "yes", "off", "on"}:
        raise UsageError(f"{name} is neither on nor off: {text!r}", hint="write 1 or 0, or unset it")
    return text in {"1", "true", "yes", "on"}


def _read_cap(env: Mapping[str, str], name: str) -> float | None:
    text = env.get(name)
    return _cap(text, name) if text else None


def _cap(value: float | str, name: str) -> float:
    try:
        cap = float(value)
    except ValueError:
        cap = math.nan
    if not 0.01 <= cap < math.inf:
        raise UsageError(
            f"{name} of {value!r} is not a number of megabits a second",
            hint="leave it out, or write 0.01 or more, e.g. 8",
        )
    return cap


def _default_home() -> Path:
    from platformdirs import user_data_path  # noqa: PLC0415  # only needed when nothing else says where

    return user_data_path("batonpass", appauthor=False)
