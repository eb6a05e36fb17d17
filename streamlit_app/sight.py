"""What of a story makes a page look different, so that an open page is drawn again then and only then. Pure."""

from __future__ import annotations

from collections.abc import Hashable

from batonpass.core.states import Word, session_state
from batonpass.streamlit_app.overview import Overview

COUNTED_S = 3600.0
"""For so long the minutes of a silence are counted on an open page."""


def sight(overview: Overview | None, *, mount: bool) -> Hashable:
    """Another value whenever a page has something else to say: what is on the store has changed, or a silence there has grown into another
    state or by a minute. A machine that died changes nothing on the store, and an open page must not call it live for ever.
    """
    if overview is None:
        return None
    return overview.fingerprint, tuple(_silences(overview, mount=mount))


def _silences(overview: Overview, *, mount: bool) -> list[tuple[str, Word, int]]:
    found = []
    for run in overview.runs:
        for file in run.files.sessions:
            if file.session.end is None and not run.files.annotations.archived:
                age_s = max(0.0, (overview.read_at - file.heard_at).total_seconds())
                word = session_state(file.session, age_s, mount=mount).word
                counted = word is not Word.LIVE and age_s < COUNTED_S
                found.append((file.session.id, word, int(age_s // 60) if counted else 0))
    return found
