"""`batonpass verify RUN`: says whether everything that was published is still there, and still what it was. With `--receipt`: whether
what was handed over to a mounted Drive has arrived, and writes down that it has.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict
from fractions import Fraction

from batonpass.core.amounts import size
from batonpass.core.errors import BatonpassError, CorruptCheckpointError, UsageError
from batonpass.core.model import Method
from batonpass.core.settings import read_settings
from batonpass.core.storage import Transfer
from batonpass.sync.commands.opening import add_json, add_run, open_run
from batonpass.sync.commands.printing import ProgressLine, show, show_json
from batonpass.sync.identity import this_machine
from batonpass.sync.proving import Outcome, ProvingReport, prove_arrival
from batonpass.sync.verifying import Share, verify_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN --store --read --receipt --json."""
    add_run(parser)
    parser.add_argument(
        "--read", metavar="K/N", help="also read this share of the bytes back (1/7: another seventh each day; 1/1: all)"
    )
    parser.add_argument(
        "--receipt",
        action="store_true",
        help="read every byte that a mounted Drive was handed and nobody has proven, and leave a receipt; not on the machine that wrote it",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """0 when everything is as it was published, else the exit code of a damaged checkpoint."""
    if args.receipt:
        return _prove(args)
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
        if report.by_size_only:
            show(
                f"{report.by_size_only:,} of the files by size only: here the store names no checksum to compare; --read 1/1 reads them"
            )
        if share is not None:
            show(f"{report.read_files:,} files read back, {size(report.read_bytes)}, each compared with its sha256")
        for owner, n in report.bytes_by_owner.items():
            show(f"owned and paid for by {owner}: {size(n)}")
        for finding in report.findings:
            show(f"  step {finding.step:,}: {finding.file}: {finding.problem}")
        show("all as it was published" if not report.findings and not files.broken else "not all of it is whole")
    return 0 if not report.findings and not files.broken else CorruptCheckpointError.exit_code


def _prove(args: argparse.Namespace) -> int:
    """0 when everything published is durable now, 7 when something is damaged, else 1: not arrived yet, or not for this machine to say."""
    if args.read:
        raise UsageError("--read and --receipt are two ways", hint="--receipt reads all that is not proven yet")
    store, files = open_run(args)
    line = ProgressLine("reading")
    try:
        report = prove_arrival(
            store, files, this_machine(read_settings().home), transfer=lambda *place: _told(line, *place)
        )
    finally:
        line.close()
    if args.json:
        show_json({"run": files.info.run_id, "store": store.url, **asdict(report), "broken": list(files.broken)})
    else:
        _show_proofs(report)
    outcomes = {proof.outcome for proof in report.proofs}
    if Outcome.DAMAGED in outcomes:
        return CorruptCheckpointError.exit_code
    return 0 if outcomes <= {Outcome.PROVEN} and not files.broken else BatonpassError.exit_code


def _told(line: ProgressLine, file: str, done_bytes: int, total_bytes: int) -> Transfer:
    return Transfer(on_progress=lambda sent_bytes, _all: line.update(file, done_bytes + sent_bytes, total_bytes))


def _show_proofs(report: ProvingReport) -> None:
    by_way = {
        Method.READ: f"{size(report.read_bytes)} read through the folder",
        Method.API: "asked for size and checksum by the API",
    }
    show(f"{report.before:,} checkpoints were proven before; {len(report.proofs):,} looked at, {by_way[report.method]}")
    for proof in report.proofs:
        show(f"  step {proof.step:,}: {proof.outcome}" + (f": {proof.detail}" if proof.detail else ""))
    outcomes = {proof.outcome for proof in report.proofs}
    if Outcome.PROVEN in outcomes:
        show(f"receipt written: {report.reader}")
    if Outcome.WAITING in outcomes:
        show("what has not arrived is no damage: wait until the Drive has brought it here, and call again")
    if Outcome.REFUSED in outcomes:
        show("call this on another computer, or name the store as gdrive://FOLDER: then Drive itself is asked")


def parse_share(text: str) -> Fraction:
    """A share such as "1/7" as a number. UsageError unless it lies above 0 and at most at 1."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if match is None or not 0 < int(match[1]) <= int(match[2]):
        raise UsageError(f"not a share: {text!r}", hint="write it as 1/7, or 1/1 for everything")
    return Fraction(int(match[1]), int(match[2]))
