"""`batonpass agent put`: the running package as a wheel on the store, for notebooks to install."""

from __future__ import annotations

import argparse

from batonpass.sync.commands.opening import add_store, open_store_to_write, store_url
from batonpass.sync.commands.printing import show
from batonpass.sync.root import open_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Put --store."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_store(actions.add_parser("put", help="build the wheel from the installed files and put it on the store"))


def run(args: argparse.Namespace) -> int:
    """Build, put, prove, and say its sha256. An empty store becomes ours."""
    from batonpass.sync.agent import put_agent  # noqa: PLC0415  # --help needs none of it

    store = open_store_to_write(store_url(args))
    open_root(store, create=True)
    wheel = put_agent(store)
    show(f"agent/{wheel.name} is on {store.url}")
    show(f"sha256 {wheel.sha256}, which every snippet checks before it installs")
    return 0
