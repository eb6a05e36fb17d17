"""`batonpass copy SOURCE TARGET`: everything of one store into another."""

from __future__ import annotations

import argparse

from batonpass.core.amounts import size
from batonpass.sync.commands.opening import add_caps, open_existing, open_store_to_write, settings_of
from batonpass.sync.commands.printing import ProgressLine, show
from batonpass.sync.copying import copy_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SOURCE TARGET --max-upload --max-download."""
    parser.add_argument("source", metavar="SOURCE", help="the store to copy: a folder, gdrive://FOLDER, ...")
    parser.add_argument("target", metavar="TARGET", help="an empty store, or one that an earlier copy began")
    add_caps(parser, up=True, down=True)


def run(args: argparse.Namespace) -> int:
    """Copy, and say how much; running it again copies only what is new."""
    settings = settings_of(args)
    line = ProgressLine("copying")
    try:
        report = copy_root(
            open_existing(args.source, settings),
            open_store_to_write(args.target, settings),
            progress=lambda done, total, key: line.update(key, done, total),
        )
    finally:
        line.close()
    show(
        f"copied {report.copied:,} objects ({size(report.size_bytes)}) from {args.source} to {args.target}; "
        f"{report.same:,} were there already"
    )
    for key in report.missing:
        show(f"  not there to be copied: {key}")
    show(
        "train on from one of the two only: a run that goes on in both becomes two runs, and nothing brings them together"
    )
    return 0
