"""`batonpass ...` and `python -m batonpass ...`: finds the verb, loads that verb's module alone, and turns errors into a message, a
hint and an exit code (docs/CLI.md has the table).
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from batonpass import __version__
from batonpass.core.errors import BatonpassError, StoreFullError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: the module that has its `add_arguments(parser)` and `run(args) -> int`, and one line of help."""

    module: str
    help: str


def _of_sync(name: str, text: str) -> Verb:
    return Verb(f"batonpass.sync.commands.{name}", text)


VERBS = {
    "demo": Verb("batonpass.demo.command", "train a small model through several killed sessions and prove the result"),
    "app": _of_sync("app", "open the app in the browser, on this computer only"),
    "watch": _of_sync("watch", "mirror the output folder of any trainer, as a process of its own"),
    "status": _of_sync("status", "say how a run is and what of it is safe"),
    "restore": _of_sync("restore", "bring a checkpoint back as plain files"),
    "adopt": _of_sync("adopt", "make a run of a checkpoint that you already have"),
    "copy": _of_sync("copy", "copy everything from one store into another"),
    "verify": _of_sync("verify", "check what the store holds against the manifests"),
    "prune": _of_sync("prune", "remove old checkpoints of a run"),
    "forget": _of_sync("forget", "delete everything of a run"),
    "snippet": _of_sync("snippet", "write the cells that continue a run elsewhere"),
    "login": _of_sync("login", "sign in to Google Drive on this computer"),
    "doctor": _of_sync("doctor", "look at the sign-in, the store and this machine, and say what is wrong"),
    "agent": _of_sync("agent", "put the package on the store, for notebooks to install"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        parser = build_parser(next((word for word in words if not word.startswith("-")), None))
        args = parser.parse_args(words)
        if args.verb is None:
            parser.print_help()
            return 0
        code: int = importlib.import_module(VERBS[args.verb].module).run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _say("batonpass: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # whoever read our output has gone: nothing to say
        return 0
    except Exception as error:
        if os.environ.get("BATONPASS_DEBUG") == "1":
            raise
        return _explain(error)
    return code


def build_parser(verb: str | None) -> argparse.ArgumentParser:
    """The parser, with the arguments of `verb` only: the modules of the others are not loaded."""
    parser = argparse.ArgumentParser(
        prog="batonpass",
        description="Lets a training run outlive the notebooks it runs on.",
        epilog="batonpass COMMAND --help says more. The store is given by --store or BATONPASS_STORE.",
    )
    parser.add_argument("--version", action="version", version=f"batonpass {__version__}")
    commands = parser.add_subparsers(dest="verb", metavar="COMMAND", title="commands")
    for name, each in VERBS.items():
        command = commands.add_parser(name, help=each.help, description=each.help[0].upper() + each.help[1:] + ".")
        if name == verb:
            importlib.import_module(each.module).add_arguments(command)
    return parser


def _explain(error: Exception) -> int:
    """One message and one hint on stderr; the exit code of that kind of error."""
    if isinstance(error, BatonpassError):
        _say(f"batonpass: {error}")
        return error.exit_code
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "make room on that disk" if full else "check the path and your permissions on this computer"
        _say(f"batonpass: {error.filename or 'this computer'}: {error.strerror or error}\n  What to do: {hint}")
        return StoreFullError.exit_code if full else BatonpassError.exit_code
    _say(
        f"batonpass: this should not have happened: {type(error).__name__}: {error}\n"
        "  What to do: run it again with BATONPASS_DEBUG=1 and report what it prints"
    )
    return BatonpassError.exit_code


def _say(text: str) -> None:
    from batonpass.sync.commands.printing import plain  # noqa: PLC0415  # only needed when there is something to say

    print(plain(text), file=sys.stderr)  # noqa: T201  # a command line prints


if __name__ == "__main__":
    sys.exit(main())
