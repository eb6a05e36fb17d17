"""`batonpass adopt FILE RUN`: a new run of a checkpoint that people already have."""

from __future__ import annotations

import argparse
from pathlib import Path

from batonpass.core.amounts import size
from batonpass.sync.adopting import adopt
from batonpass.sync.commands.opening import add_caps, add_store, open_store_to_write, settings_of, store_url
from batonpass.sync.commands.printing import note, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE RUN --store --account --max-upload."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a checkpoint file, or a folder such as checkpoint-500")
    parser.add_argument("run", metavar="RUN", help="the name of the new run")
    add_store(parser)
    parser.add_argument("--account", metavar="LABEL", help="your own label for this place (default: BATONPASS_ACCOUNT)")
    add_caps(parser, up=True)


def run(args: argparse.Namespace) -> int:
    """Keep it, send it, and say how to go on. 2 when the run is there already, 7 when the file is not whole."""
    settings = settings_of(args)
    store = open_store_to_write(store_url(args), settings)
    made = adopt(
        store, args.file, args.run, account=args.account or settings.account or "", settings=settings, say=note
    )
    word = "on the store, verified" if made.proven else "handed over to the mounted Drive, not proven"
    show(f"{args.file.name} ({size(made.size_bytes)}) is the first checkpoint of {args.run} ({made.run_id}): {word}")
    show(f"  go on from it: bp.start({args.run!r}, store=...), then run.attach(model=..., optimizer=...)")
    return 0
