"""`batonpass login`: sign in to Google Drive on this computer, for this computer and for notebooks."""

from __future__ import annotations

import argparse
from pathlib import Path

from batonpass.core.settings import read_settings
from batonpass.sync.commands.printing import note, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--client-secrets --to."""
    parser.add_argument(
        "--client-secrets",
        type=Path,
        required=True,
        metavar="FILE",
        help="the JSON of your own OAuth client (type Desktop app), from the Google Cloud console",
    )
    parser.add_argument("--to", type=Path, metavar="FILE", help="where the token goes (default: in BATONPASS_HOME)")


def run(args: argparse.Namespace) -> int:
    """Open the browser, wait for the answer, write the token for its owner's eyes only."""
    from batonpass.sync.login import login  # noqa: PLC0415  # --help needs none of it
    from batonpass.sync.sign_in import TOKEN_FILE  # noqa: PLC0415

    settings = read_settings()
    usual = settings.home / TOKEN_FILE
    path = login(args.client_secrets, args.to or usual, say=note)
    show(f"the token is in {path}, readable by you only")
    if path == usual and not settings.drive_token:
        show("on this computer it is found there by itself")
    elif settings.drive_token != str(path):
        show(f"on this computer: set BATONPASS_DRIVE_TOKEN={path}")
    show(
        "in a notebook: make a secret named BATONPASS_DRIVE_TOKEN and paste the content of that file; never into a cell"
    )
    return 0
