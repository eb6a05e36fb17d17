"""`batonpass snippet RUN --for TARGET`: the cells that continue a run elsewhere, as text or as a notebook."""

from __future__ import annotations

import argparse
from pathlib import Path

from batonpass.core.errors import NotFoundError, UsageError
from batonpass.core.lineage import resume_candidates
from batonpass.core.settings import read_settings
from batonpass.core.snippets import (
    CheckpointPick,
    Snippet,
    SnippetInputs,
    Target,
    WheelFile,
    day_one,
    render,
    to_notebook,
)
from batonpass.core.storage import Store
from batonpass.sync.commands.opening import add_json, add_run, open_run, open_store_to_write, store_url
from batonpass.sync.commands.printing import note, show, show_code, show_json
from batonpass.sync.reading import RunFiles, read_root
from batonpass.sync.sign_in import credential_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN --for --store --step --account --new --goal-steps --target-store --drive-folder --token-file --ipynb --json."""
    add_run(parser)
    parser.add_argument(
        "--for",
        dest="target",
        required=True,
        metavar="TARGET",
        help="colab, colab-mount, kaggle, local, torch, hf or lightning",
    )
    parser.add_argument("--step", type=int, metavar="N", help="continue from this step instead of the newest")
    parser.add_argument("--account", default="", metavar="LABEL", help="your own label for the place it will run at")
    parser.add_argument(
        "--new", action="store_true", help="the first day of a new run; the notebook carries the wheel itself"
    )
    parser.add_argument("--goal-steps", type=int, metavar="N", help="with --new: optimizer steps in all")
    parser.add_argument("--target-store", metavar="URL", help="the store as the target sees it (default: as --store)")
    parser.add_argument(
        "--drive-folder", default="MyDrive/batonpass", metavar="PATH", help="for colab-mount: the store's folder"
    )
    parser.add_argument(
        "--token-file", metavar="FILE", help="for local with a store on Drive: the token that login wrote"
    )
    parser.add_argument("--ipynb", type=Path, metavar="FILE", help="write a notebook instead of printing the code")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the code, or write the notebook."""
    target = Target.parse(args.target)
    snippet = _first_day(args, target) if args.new else _continue(args, target)
    if args.ipynb is not None:
        if args.ipynb.exists():
            raise UsageError(f"{args.ipynb} is there already; nothing was overwritten", hint="name another file")
        args.ipynb.write_bytes(to_notebook(snippet))
    if args.json:
        cells = [{"kind": cell.kind, "source": cell.source, "tags": list(cell.tags)} for cell in snippet.cells]
        written = str(args.ipynb) if args.ipynb else None
        show_json(
            {"target": snippet.target, "title": snippet.title, "says": snippet.says, "cells": cells, "ipynb": written}
        )
    elif args.ipynb is not None:
        show(f"{snippet.title}: {args.ipynb}")
        show(snippet.says)
    else:
        note(snippet.says)
        show_code(snippet.code)
    return 0


def _continue(args: argparse.Namespace, target: Target) -> Snippet:
    store, files = open_run(args)
    newest, pick = _checkpoints(files, args.step)
    inputs = SnippetInputs(
        run_name=files.info.name,
        run_id=files.info.run_id,
        root_id=read_root(store).root_id,
        store=args.target_store or store.url,
        account=args.account,
        goal_steps=files.annotations.goal_steps or files.info.goal_steps,
        wheels=_wheels(store),
        pick=pick,
        newest_step=newest,
        drive_folder=args.drive_folder,
        token_file=_token_file(args),
    )
    return render(target, inputs)


def _first_day(args: argparse.Namespace, target: Target) -> Snippet:
    from batonpass.sync.agent import build_wheel  # noqa: PLC0415  # only the first day builds one here

    url = store_url(args)
    store = open_store_to_write(url)
    try:
        root_id = read_root(store).root_id
    except NotFoundError:
        root_id = None
    wheel = build_wheel()
    inputs = SnippetInputs(
        run_name=args.run,
        run_id=None,
        root_id=root_id,
        store=args.target_store or store.url,
        account=args.account,
        goal_steps=args.goal_steps,
        drive_folder=args.drive_folder,
        token_file=_token_file(args),
    )
    return day_one(target, inputs, {wheel.name: wheel.data})


def _token_file(args: argparse.Namespace) -> str | None:
    """As asked for, else where this computer's own sign-in lies."""
    found = credential_file(read_settings())
    return args.token_file or (str(found) if found is not None else None)


def _checkpoints(files: RunFiles, step: int | None) -> tuple[int | None, CheckpointPick | None]:
    """(the newest durable step, the checkpoint of `step`). UsageError when `step` was not published."""
    sessions = [s.session for s in files.sessions]
    usable = [c for c in resume_candidates(files.head, sessions, deleted=files.deleted) if not c.passed_over]
    newest = usable[0].step if usable else None
    if step is None:
        return newest, None
    for candidate in usable:
        if candidate.step == step:
            return newest, CheckpointPick(candidate.key, candidate.step)
    raise UsageError(f"no checkpoint of step {step:,} to continue from", hint="`batonpass status` lists them")


def _wheels(store: Store) -> tuple[WheelFile, ...]:
    from batonpass.sync.agent import find_agent  # noqa: PLC0415  # --help needs none of it

    wheel = find_agent(store)
    return (wheel,) if wheel else ()
