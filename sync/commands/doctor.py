"""`batonpass doctor`: what is wrong with the sign-in, the store and this machine, and what to do."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from batonpass.core.errors import BatonpassError
from batonpass.core.settings import read_settings
from batonpass.sync.commands.opening import add_json, add_store, store_url
from batonpass.sync.commands.printing import show, show_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--store --json."""
    add_store(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """0 when every check is well, else 1."""
    from batonpass.sync.doctor import diagnose  # noqa: PLC0415  # --help needs none of it

    url = store_url(args)
    checks = diagnose(url, read_settings())
    if args.json:
        show_json(
            {"store": url, "ok": all(check.ok for check in checks), "checks": [asdict(check) for check in checks]}
        )
    else:
        for check in checks:
            show(f"{'ok     ' if check.ok else 'PROBLEM'}  {check.name}: {check.detail}")
            if check.hint:
                show(f"           {check.hint}")
    return 0 if all(check.ok for check in checks) else BatonpassError.exit_code
