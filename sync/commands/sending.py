"""Shows what a running watch is sending: a line that renews itself where a person looks, else a plain line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from batonpass.core.progress import Moving
from batonpass.sync.commands.printing import plain

_PLAIN_EVERY_S = 60.0
_WAIT_S = 1.0
_WIDTH = 118
_CLEAR = "\r\x1b[2K"


class SendingLine:
    """`look` says what is on its way, `say` prints a whole line. `line` is for everything else that is printed meanwhile."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        stream: TextIO | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._stream = stream or sys.stderr
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._drawn = False
        self._said_at = monotonic()

    def line(self, text: str) -> None:
        """A whole line, not into the middle of the other."""
        with self._lock:
            self._take_away()
            self._say(text)

    def tick(self, moving: Moving) -> None:
        """Show it as it is now."""
        with self._lock:
            if not self._stream.isatty():
                self._say_now_and_then(moving.words)
            elif moving.words:
                self._stream.write(f"{_CLEAR}{plain('sending ' + moving.words)[:_WIDTH]}")
                self._stream.flush()
                self._drawn = True
            else:
                self._take_away()

    def follow(self, look: Callable[[], Moving], ended: threading.Event) -> threading.Thread:
        """Tick in a thread of its own until `ended`."""

        def run() -> None:
            while not ended.wait(_WAIT_S):
                self.tick(look())
            self.tick(Moving())

        thread = threading.Thread(target=run, name="batonpass-sending", daemon=True)
        thread.start()
        return thread

    def _say_now_and_then(self, words: str) -> None:
        now = self._monotonic()
        if not words:
            self._said_at = now  # what is sent within a minute needs no line
        elif now - self._said_at >= _PLAIN_EVERY_S:
            self._said_at = now
            self._say(f"batonpass: sending {words}")

    def _take_away(self) -> None:
        if self._drawn:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._drawn = False
