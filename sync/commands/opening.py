"""How every verb comes to its store and its run."""

from __future__ import annotations

import argparse
import contextlib

from batonpass.core.errors import NotFoundError, StoreError, UsageError
from batonpass.core.settings import NOT_CAPPED, Settings, read_settings
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


def add_caps(parser: argparse.ArgumentParser, *, up: bool = False, down: bool = False) -> None:
    """The options of verbs that move content."""
    for wanted, word in ((up, "upload"), (down, "download")):
        if wanted:
            parser.add_argument(
                f"--max-{word}",
                type=float,
                metavar="MBIT_S",
                help=f"{word} no faster, in megabits a second (default: BATONPASS_MAX_{word.upper()}_MBIT_S)",
            )


def settings_of(args: argparse.Namespace) -> Settings:
    """The environment's settings, with the caps of `add_caps`."""
    upload, download = getattr(args, "max_upload", None), getattr(args, "max_download", None)
    return read_settings().capped(upload_mbit_s=upload, download_mbit_s=download)


def store_url(args: argparse.Namespace) -> str:
    """What --store or the environment says. UsageError when neither does."""
    url: str | None = args.store or read_settings().store
    if not url:
        raise UsageError("no store was named", hint="add --store FOLDER, or set BATONPASS_STORE")
    return url


def open_existing(url: str, settings: Settings | None = None) -> Store:
    """A store that holds runs already. NotFoundError where it holds nothing yet, NotOurFolderError where it is somebody else's."""
    inner = _open(url, settings)
    open_root(RetryStore(inner, backoff=_FIRST_CONTACT), create=False)
    return RetryStore(inner, on_failure=_say_again)


def open_store_to_write(url: str, settings: Settings | None = None) -> Store:
    """A store that a session may create in: it must answer now. StoreUnreachableError soon, where it does not."""
    inner = _open(url, settings)
    with contextlib.suppress(NotFoundError):
        open_root(RetryStore(inner, backoff=_FIRST_CONTACT), create=False)
    return RetryStore(inner, on_failure=_say_again)


def open_run(args: argparse.Namespace) -> tuple[Store, RunFiles]:
    """The store and everything small of the run that the arguments name."""
    store = open_existing(store_url(args), settings_of(args))
    run = read_run(store, find_run(store, args.run))
    for trouble in run.broken:
        note(f"batonpass: left out: {trouble}")
    return store, run


def _open(url: str, settings: Settings | None) -> Store:
    settings = settings or read_settings()
    store = open_store(url, settings)
    if settings.has_cap and not store.properties.keeps_pace:
        note(f"batonpass: {NOT_CAPPED.format(url=store.url)}")
    return store


def _say_again(error: StoreError, delay_s: float) -> None:
    note(f"batonpass: {error.message}; trying again in {delay_s:.0f} s")
