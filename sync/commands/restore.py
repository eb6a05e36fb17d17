"""`batonpass restore RUN --to DIR`: a checkpoint as plain files."""

from __future__ import annotations

import argparse
from pathlib import Path

from batonpass.core.amounts import size
from batonpass.sync.bringing import bring_back, check_empty
from batonpass.sync.commands.opening import add_caps, add_run, open_run
from batonpass.sync.commands.printing import ProgressLine, note, show
from batonpass.sync.restore import RestoreProgress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN --store --step --to --max-download."""
    add_run(parser)
    parser.add_argument(
        "--step", type=int, metavar="N", help="the step to bring back (default: the newest durable one)"
    )
    parser.add_argument("--to", type=Path, metavar="DIR", required=True, help="a new or empty folder")
    add_caps(parser, down=True)


def run(args: argparse.Namespace) -> int:
    """Bring it back and say where it lies."""
    check_empty(args.to)
    store, files = open_run(args)
    line = ProgressLine("restoring")
    try:
        brought = bring_back(store, files, args.to, step=args.step, say=note, progress=RestoreProgress(say=line.update))
    finally:
        line.close()
    manifest = brought.manifest
    show(
        f"step {manifest.step:,} of {files.info.name}: {size(manifest.size_bytes)} in {brought.path}, every byte checked"
    )
    for entry in manifest.files:
        show(f"  {entry.name}  {size(entry.size_bytes)}")
    for missing in manifest.missing:
        show(f"  it does not hold: {missing}")
    return 0
