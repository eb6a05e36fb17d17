"""Passes alerts on to the user's webhook, each of them once, and keeps the store read while no page is open. Everything that can fail here
becomes a sentence for the Settings page and a later try; nothing of it reaches a page that reads a story.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from batonpass.core.errors import BatonpassError
from batonpass.core.trouble import Kind, wait_s
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.alert_settings import AlertSettings, load_alert_settings, save_alert_settings
from batonpass.streamlit_app.alerts import Alert, alerts
from batonpass.streamlit_app.condition import StoreCondition
from batonpass.streamlit_app.overview import Overview, RunStory
from batonpass.streamlit_app.standing import RunStanding, read_standing
from batonpass.streamlit_app.wording import count, plural
from batonpass.sync.webhook import post_text

LOOK_EVERY_S = 60.0
AT_ONCE = 12
"""More alerts than this in one message are counted, not listed."""


@dataclass(frozen=True, slots=True)
class News:
    """One line to tell, under a key that it is told once by."""

    key: str
    line: str


class Herald:
    """One store's. Thread-safe; sends at most one message at a time."""

    def __init__(
        self,
        store: str,
        *,
        settings: Callable[[], AlertSettings] = load_alert_settings,
        keep: Callable[[AlertSettings], None] = save_alert_settings,
        post: Callable[[str, str], None] = post_text,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`settings` is asked at each story, so that a change in Settings holds at once."""
        self._store = store
        self._settings = settings
        self._keep = keep
        self._post = post
        self._clock = clock
        self._busy = threading.Lock()
        self._failures = 0
        self._not_before = float("-inf")
        self._stop = threading.Event()
        self._told: set[str] = set()
        """Also remembered here, for a home that cannot be written."""
        self._begun = False
        self.says = ""
        """What came of the last message: a sentence."""

    def keep_watch(self, look: Callable[[], object]) -> threading.Thread:
        """Read the store every minute while there is a webhook, also with no page open. A thread that ends with the app or by `close`."""

        def watch() -> None:
            while not self._stop.wait(LOOK_EVERY_S):
                if self._settings().webhook:
                    look()

        thread = threading.Thread(target=watch, name="batonpass-app-herald", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """End the watch."""
        self._stop.set()

    def consider(self, overview: Overview, condition: StoreCondition, *, mount: bool) -> threading.Thread | None:
        """Send what is new, where there is a webhook; returns the thread that sends. Never waits."""
        settings = self._settings()
        if not settings.webhook or is_read_only() or self._clock() < self._not_before or self._busy.locked():
            return None
        found = news(overview, condition, mount=mount, risk_s=settings.risk_s)
        if (
            self._store not in settings.told and not self._begun
        ):  # what is so when a store is first looked at is no news
            self._remember(tuple(n.key for n in found))
        self._begun = True
        known = {*settings.told.get(self._store, ()), *self._told}
        fresh = [n for n in found if n.key not in known]
        if not fresh:
            return None
        thread = threading.Thread(
            target=self._send, args=(settings.webhook, fresh), name="batonpass-app-alert", daemon=True
        )
        thread.start()
        return thread

    def _send(self, url: str, fresh: list[News]) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            self._post(url, message(fresh))
        except BatonpassError as error:
            self._failures += 1
            self._not_before = self._clock() + wait_s(
                Kind.THROTTLED, self._failures, retry_after_s=getattr(error, "retry_after_s", None)
            )
            self.says = f"The last message did not get through: {error.message}. {error.hint}"
        else:
            self._failures, self._not_before = 0, float("-inf")
            self.says = f"{plural(len(fresh), 'alert')} passed on"
            self._remember(tuple(n.key for n in fresh))
        finally:
            self._busy.release()

    def _remember(self, keys: tuple[str, ...]) -> None:
        self._told.update(keys)
        settings = self._settings()
        try:
            self._keep(replace(settings, told=settings.telling(self._store, keys)))
        except OSError:
            self.says += ", but this computer could not remember it: after a start of the app it is told again"


def news(overview: Overview, condition: StoreCondition, *, mount: bool, risk_s: float) -> list[News]:
    """What there is to tell of all runs: every alert, and each run that is finished."""
    found = []
    for run in overview.runs:
        standing = read_standing(run, overview.read_at, mount=mount)
        found += [_told(run, a) for a in alerts(run, standing, overview.read_at, condition, risk_s=risk_s)]
        if standing.is_finished and standing.session is not None and not run.files.annotations.archived:
            found.append(_finished(run, standing))
    return found


def message(fresh: list[News]) -> str:
    """All of it as one text of a few lines."""
    more = len(fresh) - AT_ONCE
    lines = [n.line for n in fresh[:AT_ONCE]]
    return "\n".join(["Batonpass", *lines, *([f"and {plural(more, 'more alert')}"] if more > 0 else [])])


def _told(run: RunStory, alert: Alert) -> News:
    return News(alert.key, f"{run.name[:60]}: {alert.kind}. {alert.says}. {alert.todo}")


def _finished(run: RunStory, standing: RunStanding) -> News:
    session = standing.session
    return News(
        f"finished/{session.id if session else ''}",
        f"{run.name[:60]}: {standing.state.word} at step {count(standing.step)}.",
    )
