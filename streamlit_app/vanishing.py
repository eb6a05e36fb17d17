"""Tells a store that was emptied from one that is not there: a folder that is not mounted looks empty."""

from __future__ import annotations

from batonpass.core.errors import FormatError, NotFoundError, StoreUnreachableError
from batonpass.core.storage import Store
from batonpass.streamlit_app.overview import Overview
from batonpass.sync.reading import read_root


def check_not_vanished(store: Store, before: Overview | None, now: Overview) -> None:
    """StoreUnreachableError where runs were and nothing is found now: that is no answer, unless the store's own mark is still there."""
    if now.runs or before is None or not before.runs:
        return
    try:
        read_root(store)
    except (NotFoundError, FormatError) as error:
        raise StoreUnreachableError(
            f"where {len(before.runs)} runs were, nothing is found now",
            hint="is the disk connected, the Drive mounted, the folder renamed?",
        ) from error
