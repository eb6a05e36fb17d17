"""`batonpass prune RUN`: removes old checkpoints, or asks the session that holds the run to do so."""

from __future__ import annotations

import argparse
from typing import Any

from batonpass.core.amounts import duration, size
from batonpass.core.errors import UsageError
from batonpass.core.retention import RetentionPlan
from batonpass.core.settings import read_settings
from batonpass.sync.asking import ask_removal, living_holder, this_app
from batonpass.sync.commands.opening import add_json, add_run, open_run
from batonpass.sync.commands.printing import show, show_json, show_table
from batonpass.sync.pruning import GRACE, MOUNT_GRACE, Keep, Pruner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN --store --keep --best --dry-run --json."""
    add_run(parser)
    parser.add_argument("--keep", type=int, default=3, metavar="N", help="the newest N stay (default: 3)")
    parser.add_argument("--best", metavar="METRIC:min|max", help="the best by this metric stays too, as loss:min")
    parser.add_argument("--dry-run", action="store_true", help="only list what would go, with its bytes")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the plan, hand it to the living holder, or only list it."""
    if args.best is not None and args.best.rpartition(":")[2] not in ("min", "max"):
        raise UsageError(f"not a metric with a direction: {args.best!r}", hint="write it as loss:min or accuracy:max")
    store, files = open_run(args)
    settings = read_settings()
    app = this_app(settings.home, "cli")
    pruner = Pruner(store, files.folder, None, Keep(last=args.keep, best=args.best), by=app)
    plan = pruner.plan(files)
    holder = living_holder(store, files, settings)
    if not args.json:
        _show(plan)
    if args.dry_run:
        done = "nothing was removed (dry run)"
    elif holder is not None:
        done = _ask(store, files, app, plan, holder)
    else:
        count = pruner.prune()
        grace = GRACE if store.properties.proves_arrival else MOUNT_GRACE
        done = (
            f"removed {count:,} checkpoints; files that no other checkpoint needs go with the first prune that comes "
            f"{duration(grace.total_seconds())} later, by `batonpass prune` on this computer"
        )
    if args.json:
        show_json({**_tree(plan), "run": files.info.run_id, "dry_run": args.dry_run, "holder": holder, "done": done})
    else:
        show(done)
    return 0


def _ask(store: Any, files: Any, app: str, plan: RetentionPlan, holder: str) -> str:
    if not plan.remove:
        return "nothing to remove"
    key = ask_removal(store, files, app, [verdict.listing.key for verdict in plan.remove])
    return f"session {holder} holds the run: asked it in {key}; it removes them after its next checkpoint, if nothing needs them"


def _show(plan: RetentionPlan) -> None:
    rows = [["", "step", "session", "size", "why"]]
    for word, verdicts in (("keep", plan.keep), ("remove", plan.remove)):
        rows += [
            [word, f"{v.listing.step:,}", v.session, size(v.listing.size_bytes), "; ".join(v.reasons)] for v in verdicts
        ]
    show_table(rows)
    show(f"removing would free up to {size(plan.freed_bytes)} ({plan.freed_bytes:,} bytes)")


def _tree(plan: RetentionPlan) -> dict[str, Any]:
    def listed(verdicts: Any) -> list[dict[str, Any]]:
        return [
            {
                "key": v.listing.key,
                "step": v.listing.step,
                "session": v.session,
                "size_bytes": v.listing.size_bytes,
                "reasons": list(v.reasons),
            }
            for v in verdicts
        ]

    return {"keep": listed(plan.keep), "remove": listed(plan.remove), "freed_bytes": plan.freed_bytes}
