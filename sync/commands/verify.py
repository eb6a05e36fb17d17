"""`batonpass verify RUN`: says whether everything that was published is still there, and still what it was."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict
from fractions import Fraction

from batonpass.core.amounts import size
from batonpass.core.errors import CorruptCheckpointError, UsageError
from batonpass.sync.commands.opening import add_json, add_run, open_run
from batonpass.sync.commands.printing import ProgressLine, show, show_json
from batonpass.sync.verifying import Share, verify_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN --store --read --json."""
    add_run(parser)
    parser.add_argument(
        "--read", metavar="K/N", help="also read this share of the bytes back (1/7: another seventh each day; 1/1: all)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """0 when everything is as it was published, else the exit code of a damaged checkpoint."""
    fraction = parse_share(args.read) if args.read else None
    store, files = open_run(args)
    share = Share(fraction, store.now().toordinal()) if fraction else None
    line = ProgressLine("reading")
    try:
        report = verify_run(store, files, share=share, progress=line.update)
    finally:
        line.close()
    if args.json:
        show_json(
            {
                "run": files.info.run_id,
                "store": store.url,
                "read": args.read,
                **asdict(report),
                "broken": list(files.broken),
            }
        )
    else:
        show(
            f"{report.checkpoints:,} checkpoints, {report.files:,} files, {size(report.size_bytes)}: sizes and checksums asked for"
        )
        if share is not None:
            show(f"{report.read_files:,} files read back, {size(report.read_bytes)}, each compared with its sha256")
        for owner, n in report.bytes_by_owner.items():
            show(f"owned and paid for by {owner}: {size(n)}")
        for finding in report.findings:
            show(f"  step {finding.step:,}: {finding.file}: {finding.problem}")
        show("all as it was published" if not report.findings and not files.broken else "not all of it is whole")
    return 0 if not report.findings and not files.broken else CorruptCheckpointError.exit_code


def parse_share(text: str) -> Fraction:
    """A share such as "1/7" as a number. UsageError unless it lies above 0 and at most at 1."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if match is None or not 0 < int(match[1]) <= int(match[2]):
        raise UsageError(f"not a share: {text!r}", hint="write it as 1/7, or 1/1 for everything")
    return Fraction(int(match[1]), int(match[2]))
