"""`python -m drive_emulator`: prints {"url": ..., "ca": ...} as one line and serves until its standard input closes."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading

from drive_emulator.log import table
from drive_emulator.server import Server
from drive_emulator.temper import TEMPERS


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m drive_emulator",
        description="A Google Drive of our own (v2 and v3) on this machine. Set BATONPASS_DRIVE_ENDPOINT to the url it prints.",
        epilog="It serves until its standard input closes or Ctrl-C. What a test can tell it meanwhile: control.py.",
    )
    parser.add_argument("--temper", choices=sorted(TEMPERS), default="kind", help="how it uses its freedom (temper.py)")
    parser.add_argument("--seed", type=int, default=0, help="for what a temper leaves to chance")
    parser.add_argument(
        "--creates-per-s", type=float, default=0.0, metavar="N", help="new files for one account; 0 = any"
    )
    parser.add_argument("--latency-s", type=float, default=0.0, metavar="S", help="before each answer")
    parser.add_argument(
        "--link-mbit-per-s", type=float, default=0.0, metavar="N", help="each way; 0 = as fast as it goes"
    )
    parser.add_argument(
        "--log", action="store_true", help="print what was asked of it, as numbers, at the end (stderr)"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    told = read_arguments(arguments)
    server = Server()
    server.control.do_temper(told.temper, told.seed)
    server.control.do_settings(
        creates_per_s=told.creates_per_s, latency_s=told.latency_s, link_bytes_per_s=told.link_mbit_per_s * 1e6 / 8
    )
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    print(json.dumps({"url": server.base_url, "ca": str(server.ca)}), flush=True)
    try:
        sys.stdin.read()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not leave the folders behind
    server.calls.stopping.set()
    server.shutdown()
    server.server_close()
    server.storage.close()
    if told.log:
        print(table(server.log.numbers()), file=sys.stderr)


main(sys.argv[1:])
