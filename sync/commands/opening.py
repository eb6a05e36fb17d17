"""How every verb comes to its store and its run."""

from __future__ import annotations

import argparse
import contextlib

from batonpass.core.errors import NotFoundError, StoreError, UsageError
from batonpass.core.settings import read_settings
from batonpass.core.storage import Store
from batonpass.sync.commands.printing import note
from batonpass.sync.reading import RunFiles, read_run
from batonpass.sync.root import open_root
from batonpass.sync.stores import open_store
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.retry import RetryStore
from batonpass.sync.twins import find_run

_FIRST_CONTACT = Backoff(first_s=0.5, cap_s=4.0, limit_s=8.0)
"""A store that does not answer at all is reported soon; one that has answered is waited for longer."""


def add_store(parser: argparse.ArgumentParser) -> None:
    """The option that every verb but one has."""
    parser.add_argument(
        "--store",
        metavar="URL",
        help="where the runs are kept: a folder, gdrive://FOLDER, ... (default: BATONPASS_STORE)",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """The run, by any of its names, and its store."""
    parser.add_argument("run", metavar="RUN", help="the run's name, its id (eight characters), or its folder's name")
    add_store(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json` for a verb that only reads."""
    parser.add_argument("--json", action="store_true", help="print one JSON document (docs/CLI.md names its keys)")


def store_url(args: argparse.Namespace) -> str:
    """What --store or the environment says. UsageError when neither does."""
    url: str | None = args.store or read_settings().store
    if not url:
        raise UsageError("no store was named", hint="add --store FOLDER, or set BATONPASS_STORE")
    return url


def open_existing(url: str) -> Store:
    """A store that holds runs already. NotFoundError where it holds nothing yet, NotOurFolderError where it is somebody else's."""
    inner = open_store(url)
    open_root(RetryStore(inner, backoff=_FIRST_CONTACT), create=False)
    return RetryStore(inner, on_failure=_say_again)


def open_store_to_write(url: str) -> Store:
    """A store that a session may create in: it must answer now. StoreUnreachableError soon, where it does not."""
    inner = open_store(url)
    with contextlib.suppress(NotFoundError):
        open_root(RetryStore(inner, backoff=_FIRST_CONTACT), create=False)
    return RetryStore(inner, on_failure=_say_again)


def open_run(args: argparse.Namespace) -> tuple[Store, RunFiles]:
    """The store and everything small of the run that the arguments name."""
    store = open_existing(store_url(args))
    run = read_run(store, find_run(store, args.run))
    for trouble in run.broken:
        note(f"batonpass: left out: {trouble}")
    return store, run


def _say_again(error: StoreError, delay_s: float) -> None:
    note(f"batonpass: {error.message}; trying again in {delay_s:.0f} s")
