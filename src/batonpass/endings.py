"""Notices how a session ends: an error or the stop button in a notebook cell, an uncaught exception in a script, the end of the process."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from types import TracebackType
from typing import Any, Protocol

from batonpass.core.model import EndKind


class Ending(Protocol):
    """What an open run wants to be told."""

    @property
    def inside_loop(self) -> bool:
        """A loop body is being executed or a batch fetched (or that was left by an exception)."""

    def interrupted(self, kind: EndKind, detail: str) -> None:
        """The loop was left by an exception; the process lives on (notebook) or ends (script)."""

    def leave(self, kind: EndKind, detail: str) -> None:
        """The process is about to end."""


_open: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
"""Open run -> the process that trains it. One forked from that inherits the hooks and must not end the run in its parent's name."""
_installed: set[str] = set()


def watch_endings(run: Ending) -> None:
    """Tell `run` from now on. The hooks are installed once per process and call what was there before."""
    _open[run] = os.getpid()
    if "process" not in _installed:
        _installed.add("process")
        before = sys.excepthook

        def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            before(kind, error, trace)
            _leave_all(*describe(error))

        sys.excepthook = excepthook
        atexit.register(_at_exit)
    _watch_cells()


def forget(run: Ending) -> None:
    """`run` is closed."""
    _open.pop(run, None)


def describe(error: BaseException) -> tuple[EndKind, str]:
    """What an exception says of how a body ended."""
    if isinstance(error, KeyboardInterrupt):
        return EndKind.STOPPED, ""
    return EndKind.FAILED, f"{type(error).__name__}: {error}"


def _at_exit() -> None:
    _leave_all(EndKind.CLOSED, "")


def _leave_all(kind: EndKind, detail: str) -> None:
    for each in _opened_here():
        each.leave(kind, detail)


def _opened_here() -> list[Any]:
    return [run for run, process in list(_open.items()) if process == os.getpid()]


def _watch_cells() -> None:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or "cells" in _installed:
        return
    _installed.add("cells")

    def after_cell(result: Any) -> None:
        error = getattr(result, "error_in_exec", None) or getattr(result, "error_before_exec", None)
        if error is None:
            return
        for each in _opened_here():
            if each.inside_loop:
                each.interrupted(*describe(error))

    shell.events.register("post_run_cell", after_cell)
