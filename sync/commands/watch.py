"""`batonpass watch FOLDER`: mirrors any trainer's output folder, as a process of its own."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from batonpass.core.amounts import size
from batonpass.core.errors import UsageError
from batonpass.sync.commands.opening import add_caps, add_store, open_store_to_write, settings_of, store_url
from batonpass.sync.commands.printing import show
from batonpass.sync.commands.sending import SendingLine
from batonpass.sync.pruning import Keep
from batonpass.sync.watch_status import lacks
from batonpass.sync.watching import Watch, WatchOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FOLDER --run --store --account --pid --every --keep --takeover --compress --max-upload."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the trainer writes its checkpoints")
    parser.add_argument("--run", required=True, metavar="NAME", help="the run's name; it is created if it is new")
    add_store(parser)
    parser.add_argument("--account", metavar="LABEL", help="your own label for this place (default: BATONPASS_ACCOUNT)")
    parser.add_argument("--pid", type=int, metavar="PID", help="the trainer's process: the watch ends with it")
    parser.add_argument("--every", type=float, default=5.0, metavar="S", help="seconds between two looks (default: 5)")
    parser.add_argument(
        "--keep", type=int, default=5, metavar="N", help="checkpoints that stay on the store (default: 5)"
    )
    parser.add_argument("--takeover", action="store_true", help="hold the run although another session seems to live")
    parser.add_argument(
        "--compress", action="store_true", help="pack safetensors files, without loss, before they are sent"
    )
    add_caps(parser, up=True)


def run(args: argparse.Namespace) -> int:
    """Watch until SIGINT, SIGTERM or the end of the trainer's process; 0 when all that was whole is on the store, else 1."""
    if not args.every > 0 or args.keep < 1:
        raise UsageError("--every and --keep must be above zero", hint="leave them out for 5 s and 5 checkpoints")
    settings = settings_of(args)
    settings = replace(settings, compress=settings.compress or args.compress)
    sending = SendingLine(_say)
    options = WatchOptions(
        pid=args.pid, every_s=args.every, keep=Keep(last=args.keep), say=sending.line, takeover=args.takeover
    )
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopping.set())
    store = open_store_to_write(store_url(args), settings)
    watch = Watch(
        store, args.folder, args.run, account=args.account or settings.account or "", settings=settings, options=options
    )
    joined = watch.active.joined
    _say(
        f"batonpass: watching {args.folder} as {joined.info.slug}-{joined.info.run_id} on {store.url}"
        f"{' (NEW)' if joined.created else ''}; stop with Ctrl-C"
    )
    if args.pid is None:
        _say(
            "batonpass: without --pid it cannot be told whether the trainer lives; an hour of silence counts as its end"
        )
    ended = threading.Event()
    follower = sending.follow(watch.active.mirror.progress.look, ended)
    try:
        why = watch.run_until(stopping)
        safe = watch.close(why)
    finally:
        ended.set()
        follower.join()
    durable = watch.active.service.durable
    if durable is None:
        _say(f"batonpass: {why}; this session published no checkpoint" + ("" if safe else ", and some are not sent"))
    else:
        word = "on the store, verified" if durable.proven else "handed over to the mounted Drive, not proven"
        _say(f"batonpass: {why}; step {durable.step:,} ({size(durable.size_bytes)}) is {word}")
        for line in lacks(durable.missing):
            _say(f"batonpass: {line}")
    if not safe:
        _say("batonpass: what is not sent stays on this machine; the next watch of this run here sends it")
    return 0 if safe else 1


def _say(line: str) -> None:
    show(line)
    sys.stdout.flush()  # a log file that is followed shows it at once
