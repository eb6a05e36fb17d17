"""Where alerts go and which have been told, in `alerts.json` of the home folder. The webhook's address is a secret: the file is readable by
its owner alone (0600), and the address is shown only as `masked`.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from batonpass.core.codec import decode, encode
from batonpass.core.errors import FormatError
from batonpass.core.settings import read_settings
from batonpass.streamlit_app.alerts import RISK_S

TOLD_KEPT = 2000
"""Keys remembered for each store, the newest ones."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """What the user chose, and what has been passed on."""

    webhook: str | None = field(default=None, repr=False)
    risk_s: float = RISK_S
    told: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Store -> keys of the alerts that were passed on, oldest first."""

    def telling(self, store: str, keys: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """`told`, with these keys as the newest of that store."""
        old = self.told.get(store, ())
        return {**self.told, store: tuple(dict.fromkeys((*old, *keys)))[-TOLD_KEPT:]}


def alerts_file() -> Path:
    """Where they are kept."""
    return read_settings().home / "alerts.json"


def load_alert_settings() -> AlertSettings:
    """What was kept; defaults where there is nothing or nothing readable."""
    try:
        return decode(AlertSettings, alerts_file().read_bytes(), key="alerts.json")
    except (OSError, FormatError):
        return AlertSettings()


def save_alert_settings(settings: AlertSettings) -> None:
    """Replace the file as a whole; it is born with mode 0600. OSError where the home cannot be written."""
    path = alerts_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".alerts-", suffix=".json")  # made with mode 0600
    with os.fdopen(handle, "wb") as file:
        file.write(encode(settings))
    os.replace(name, path)  # noqa: PTH105  # os.replace is atomic on every system


def masked(url: str) -> str:
    """The host alone: enough to know which chat it is.

    >>> masked("https://hooks.slack.com/services/T0/B0/secret")
    'hooks.slack.com/…'
    """
    return f"{urlsplit(url).hostname or 'an address'}/…"
