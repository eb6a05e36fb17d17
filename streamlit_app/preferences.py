"""What the app remembers on this computer, in `app.json` of the home folder: the store, the pet, and what was seen at the last visit.
Nothing of it is a secret, and losing it costs nothing.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from batonpass.core.codec import decode, encode
from batonpass.core.errors import FormatError
from batonpass.core.settings import read_settings
from batonpass.streamlit_app.access import is_read_only

NEW_VISIT_AFTER = timedelta(minutes=30)
"""Looking again within this time is the same visit."""
SYSTEM = "system"
THEMES = (SYSTEM, "light", "dark")


@dataclass(frozen=True, slots=True)
class Visit:
    """When the app was last looked at, and the visit before that; steps of each run id as they stood when that one ended."""

    seen_at: datetime
    before: datetime | None = None
    steps_before: dict[str, int] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)

    def next(self, now: datetime, steps: dict[str, int]) -> Visit:
        """This visit continued at `now`, or the next one begun when the pause was long enough."""
        if now - self.seen_at < NEW_VISIT_AFTER:
            return replace(self, seen_at=max(now, self.seen_at), steps=steps)
        return Visit(seen_at=now, before=self.seen_at, steps_before=self.steps, steps=steps)


@dataclass(frozen=True, slots=True)
class Preferences:
    """Everything the app remembers."""

    store: str | None = None
    pet: str = "corgi"
    visits: dict[str, Visit] = field(default_factory=dict)
    """By store URL."""
    receipts: bool = False
    """Read the newest checkpoints of a mounted Drive in the background and leave receipts: it downloads them."""
    theme: str = SYSTEM
    """One of `THEMES`; `batonpass app` reads it when it starts."""
    copied_cell: bool = False
    """The first-run cell was shown with a store of the user's own: one tick of the checklist."""


def preferences_file() -> Path:
    """Where they are kept."""
    return read_settings().home / "app.json"


def load_preferences() -> Preferences:
    """What was remembered; defaults where there is nothing or nothing readable."""
    try:
        return decode(Preferences, preferences_file().read_bytes(), key="app.json")
    except (OSError, FormatError):
        return Preferences()


def save_preferences(preferences: Preferences) -> None:
    """Replace the file as a whole, so that a second tab never reads half of it. OSError where the home cannot be written, or nothing
    may be: what a visitor of a hosted app likes is not what the next one finds.
    """
    if is_read_only():
        raise PermissionError("this app only looks")
    path = preferences_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".app-", suffix=".json")
    with os.fdopen(handle, "wb") as file:
        file.write(encode(preferences))
    os.replace(name, path)  # noqa: PTH105  # os.replace is atomic on every system
