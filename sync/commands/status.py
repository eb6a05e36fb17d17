"""`batonpass status RUN`: how a run is, what of it is safe, and which sessions it had."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from batonpass.core.amounts import duration, size
from batonpass.core.lineage import Candidate, legs, resume_candidates, trace, work_at_risk
from batonpass.core.model import Session
from batonpass.core.owners import bytes_by_owner
from batonpass.core.resumption import resume_words
from batonpass.core.states import State, last_on_its_way, run_state, said_its_end, session_state, stands
from batonpass.core.storage import Store
from batonpass.sync.commands.opening import add_json, add_run, open_run
from batonpass.sync.commands.printing import ago, show, show_json, show_table
from batonpass.sync.reading import RunFiles
from batonpass.sync.watch_status import lacks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN --store --json."""
    add_run(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the state of one run."""
    store, files = open_run(args)
    ages = {s.session.id: max((files.read_at - s.heard_at).total_seconds(), 0.0) for s in files.sessions}
    mount = not store.properties.proves_arrival
    sessions = [s.session for s in files.sessions]
    state = run_state(files.head, sessions, ages, mount=mount, arrived=files.arrived)
    candidates = resume_candidates(files.head, sessions, deleted=files.deleted, arrived=files.arrived)
    safe = next((c for c in candidates if not c.passed_over), None)
    if args.json:
        show_json(_tree(store, files, state, safe, candidates, ages))
    else:
        _show(store, files, state, safe, candidates, ages)
    return 0


def _show(
    store: Store,
    files: RunFiles,
    state: State,
    safe: Candidate | None,
    candidates: list[Candidate],
    ages: dict[str, float],
) -> None:
    info, now = files.info, files.read_at
    goal = f" of {_goal(files):,}" if _goal(files) else ""
    show(f"{files.annotations.title or info.name} ({info.slug}-{info.run_id}) on {store.url}")
    show(f"  {state.word}: {state.sentence}")
    show(f"  step {_step(files):,}{goal}, {len(files.sessions)} sessions")
    show(f"  {_safe_line(safe, now)}")
    for line in lacks(safe.listing.missing if safe else ()):
        show(f"  {line}")
    holder = files.session(files.head.holder or "")
    newest = holder or (files.sessions[-1] if files.sessions else None)
    if newest is not None and newest.session.resumed_from is not None:
        show(
            f"  resumed: {resume_words(newest.session.resumed_from, newest.session.resume_proof) or 'the restore has not finished'}"
        )
    trained = _trained(files)
    if holder is not None and trained is not None:
        risk = work_at_risk(trained, arrived=files.arrived)
        told = "" if said_its_end(trained) else f", as it told {duration(ages[trained.id])} ago"
        show(f"  at risk: {risk.steps:,} steps, {duration(risk.seconds)} of training{told}")
    if files.sessions:
        show()
        every = [s.session for s in files.sessions]
        continued = {leg.session for leg in legs(files.head, every) if leg.superseded_by is not None}
        rows = [["session", "account", "where", "state", "step", "heard from", ""]]
        rows += [
            _session_row(
                s.session,
                ages[s.session.id],
                mount=not store.properties.proves_arrival,
                arrived=files.arrived,
                continued=s.session.id in continued,
            )
            for s in files.sessions
        ]
        show_table(rows)
    if candidates:
        show()
        rows = [["checkpoint", "session", "size", "taken", "state"]]
        rows += [
            [f"step {c.step:,}", c.session, _size(c), ago(c.listing.created_at, now), _state_of(c)] for c in candidates
        ]
        show_table(rows)
    owned = bytes_by_owner(s.session for s in files.sessions)
    if owned:
        show(f"  owned and paid for by: {', '.join(f'{owner} ({size(n)})' for owner, n in owned.items())}")


def _safe_line(safe: Candidate | None, now: datetime) -> str:
    if safe is None:
        return "safe: nothing yet, no checkpoint has been published"
    proof = "on the store, verified" if safe.proven else "handed over, its arrival is not proven"
    return f"safe: step {safe.step:,}, taken {ago(safe.listing.created_at, now)} ({proof})"


def _session_row(
    session: Session, age_s: float, *, mount: bool, arrived: Collection[str], continued: bool
) -> list[str]:
    where = session.host.provider + (f", {session.gpus[0].name}" if session.gpus else "")
    word = session_state(session, age_s, mount=mount, arrived=arrived).word
    return [
        session.id,
        session.account,
        where,
        stands(word, session, continued=continued),
        f"{session.step:,}",
        f"{duration(age_s)} ago",
        f"branch: {session.branch}" if session.branch else "",
    ]


def _size(candidate: Candidate) -> str:
    listing = candidate.listing
    plain = f" (plain {size(listing.plain_size_bytes)})" if listing.plain_size_bytes else ""
    return f"{size(listing.size_bytes)}{plain}"


def _state_of(candidate: Candidate) -> str:
    return candidate.passed_over or ("verified" if candidate.proven else "handed over")


def _goal(files: RunFiles) -> int | None:
    return files.annotations.goal_steps or files.info.goal_steps


def _trained(files: RunFiles) -> Session | None:
    """The session whose step and risk are the run's."""
    return last_on_its_way(trace(files.head, [s.session for s in files.sessions]))


def _step(files: RunFiles) -> int:
    trained = _trained(files)
    return trained.step if trained else 0


def _tree(
    store: Store,
    files: RunFiles,
    state: State,
    safe: Candidate | None,
    candidates: list[Candidate],
    ages: dict[str, float],
) -> dict[str, Any]:
    info = files.info
    holder = files.session(files.head.holder or "")
    trained = _trained(files)
    risk = work_at_risk(trained, arrived=files.arrived) if holder and trained else None
    mount = not store.properties.proves_arrival
    return {
        "run": {"id": info.run_id, "name": info.name, "folder": files.folder, "kind": info.kind},
        "store": store.url,
        "read_at": files.read_at,
        "state": state.word,
        "sentence": state.sentence,
        "step": _step(files),
        "goal_steps": _goal(files),
        "term": files.head.term,
        "holder": files.head.holder,
        "safe": _checkpoint(safe) if safe else None,
        "at_risk": {"steps": risk.steps, "seconds": risk.seconds} if risk else None,
        "sessions": [
            {
                "id": s.session.id,
                "account": s.session.account,
                "provider": s.session.host.provider,
                "gpus": [gpu.name for gpu in s.session.gpus],
                "state": session_state(s.session, ages[s.session.id], mount=mount, arrived=files.arrived).word,
                "step": s.session.step,
                "started_at": s.session.started_at,
                "heard_s_ago": round(ages[s.session.id], 3),
                "branch": s.session.branch,
                "resumed_from": (s.session.resumed_from and s.session.resumed_from.checkpoint) or None,
                "resume": _resume(s.session),
                "checkpoints": len(s.session.checkpoints),
            }
            for s in files.sessions
        ],
        "checkpoints": [_checkpoint(c) for c in candidates],
        "bytes_by_owner": bytes_by_owner(s.session for s in files.sessions),
        "broken": list(files.broken),
    }


def _resume(session: Session) -> dict[str, Any] | None:
    record = session.resumed_from
    if record is None:
        return None
    proof = asdict(session.resume_proof) if session.resume_proof else None
    words = resume_words(record, session.resume_proof)
    return {"label": record.label, "missing": list(record.missing), "step": record.step, "proof": proof, "words": words}


def _checkpoint(candidate: Candidate) -> dict[str, Any]:
    listing = candidate.listing
    return {
        "key": candidate.key,
        "session": candidate.session,
        "step": candidate.step,
        "size_bytes": listing.size_bytes,
        "plain_size_bytes": listing.plain_size_bytes,
        "created_at": listing.created_at,
        "owner": listing.owner,
        "proven": candidate.proven,
        "passed_over": candidate.passed_over or None,
        "missing": list(listing.missing),
    }
