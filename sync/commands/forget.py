"""`batonpass forget RUN`: deletes everything of a run, after its name was typed."""

from __future__ import annotations

import argparse

from batonpass.core.amounts import size
from batonpass.core.errors import FormatError, HeldElsewhereError, NotFoundError, UsageError
from batonpass.core.settings import Settings, read_settings
from batonpass.core.storage import Store
from batonpass.sync.asking import living_holder
from batonpass.sync.commands.opening import add_run, open_existing, store_url
from batonpass.sync.commands.printing import ProgressLine, note, show
from batonpass.sync.forgetting import forget_run
from batonpass.sync.reading import RunFiles, find_run_folder, read_root, read_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN --store --yes --force."""
    add_run(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask for the run's name")
    parser.add_argument("--force", action="store_true", help="even though a session holds the run and may live")


def run(args: argparse.Namespace) -> int:
    """Ask, delete, say what went."""
    store = open_existing(store_url(args))
    folder = find_run_folder(store, args.run)
    settings = read_settings()
    files = _read(store, folder)
    _refuse_living(store, files, settings, force=args.force)
    name = files.info.name if files else folder.rstrip("/").rpartition("/")[2]
    if not args.yes:
        _confirm(name, folder, store.url)
    line = ProgressLine("deleting")
    try:
        done = forget_run(store, folder, settings.home, read_root(store).root_id, progress=line.update)
    finally:
        line.close()
    show(f"deleted {name}: {done.objects:,} objects, {size(done.size_bytes)}, and what this machine kept of it")
    for session in done.local_kept:
        show(f"  a living process on this machine writes to session {session}: its local folder stays")
    return 0


def _read(store: Store, folder: str) -> RunFiles | None:
    """None for a run whose deletion was begun before, or that is damaged."""
    try:
        return read_run(store, folder)
    except (NotFoundError, FormatError) as error:
        note(f"batonpass: {error.message}; it is deleted all the same")
        return None


def _refuse_living(store: Store, files: RunFiles | None, settings: Settings, *, force: bool) -> None:
    holder = living_holder(store, files, settings) if files and not force else None
    if holder is not None:
        raise HeldElsewhereError(
            f"session {holder} holds this run and may live",
            hint="stop it first, or add --force: it then trains on into nothing",
        )


def _confirm(name: str, folder: str, url: str) -> None:
    note(f"This deletes {name} ({folder} on {url}) for good: checkpoints, metrics, notes. There is no trash.")
    note("Type the run's name to go on:")
    try:
        typed = input()
    except EOFError:
        typed = ""
    if typed.strip() != name.strip():
        raise UsageError(
            "that is not the run's name; nothing was deleted", hint="type it as it is shown, or pass --yes"
        )
