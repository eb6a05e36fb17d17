"""What the app keeps on this computer of one store: the last story, for a start without the store, and sealed segments, for good.
Losing it costs only time. No Streamlit.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batonpass.core.codec import decode, encode
from batonpass.core.errors import FormatError
from batonpass.core.model import Segment
from batonpass.streamlit_app.overview import Overview

_STORY = "overview.json"
_PAUSE = threading.Lock()

_log = logging.getLogger(__name__)


class LocalCache:
    """A folder of one store's own; without one nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._fetching = threading.Lock()

    def load_overview(self) -> tuple[Overview | None, float]:
        """The story kept here and its age in seconds."""
        if self._folder is None:
            return None, 0.0
        try:
            with _collector_paused():
                kept = decode(_Kept, (self._folder / _STORY).read_bytes(), key=_STORY)
        except (OSError, FormatError):
            return None, 0.0
        return kept.overview, max(0.0, time.time() - kept.read_unix_s)

    def keep_overview(self, overview: Overview) -> None:
        """Instead of the story before."""
        if self._folder is not None:
            try:
                _keep(self._folder / _STORY, encode(_Kept(time.time(), overview)))
            except ValueError as error:  # a number that JSON has none for, from a damaged store
                _log.warning("this story is not kept for a start without the store: %s", error)

    def segment(self, segment: Segment, fetch: Callable[[Segment], bytes]) -> bytes:
        """Its bytes from here, if they are the listed ones, else what `fetch` brings, one at a time; raises what that raises."""
        kept = self._segment_file(segment)
        if kept is not None and kept.is_file():
            body = kept.read_bytes()
            if hashlib.sha256(body).hexdigest() == segment.sha256:
                return body
        with self._fetching:
            body = fetch(segment)
        if kept is not None:
            _keep(kept, body)
        return body

    def drop_segments(self, segments: Iterable[Segment]) -> None:
        """Delete what is kept of them."""
        for segment in segments:
            kept = self._segment_file(segment)
            if kept is not None:
                kept.unlink(missing_ok=True)

    def _segment_file(self, segment: Segment) -> Path | None:
        """Named by its hash; one that is no hash, from a damaged store, leads to no other folder."""
        name = segment.sha256 if segment.sha256.isalnum() else hashlib.sha256(segment.sha256.encode()).hexdigest()
        return self._folder / "segments" / f"{name}.parquet" if self._folder is not None else None


@dataclass(frozen=True, slots=True)
class _Kept:
    """The last story, as it lies on this computer."""

    read_unix_s: float
    overview: Overview


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Reading makes some hundred thousand small objects and no cycle: looking for cycles among them takes half of the time. In turns, so
    that nobody leaves the collector off.
    """
    with _PAUSE:
        was_on = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if was_on:
                gc.enable()


def _keep(path: Path, body: bytes) -> None:
    """Whole or not at all; a full or read-only disk costs only the cache."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        os.replace(name, path)  # noqa: PTH105  # os.replace is atomic on every system
    except OSError as error:
        _log.warning("not kept on this computer: %s", error)
