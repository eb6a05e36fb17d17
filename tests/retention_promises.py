"""What a plan of what stays and what goes must keep, whatever the history: for the tests and for bench/checkpoints/retained.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from batonpass.core.lineage import resume_candidates
from batonpass.core.model import Head, Session
from batonpass.core.retention import Policy, RetentionPlan


def broken_promises(head: Head, sessions: Sequence[Session], policy: Policy, plan: RetentionPlan) -> Iterable[str]:
    """A sentence for each promise that the plan breaks; every checkpoint of the history is judged as it is now."""
    keep, gone = ({v.listing.key for v in part} for part in (plan.keep, plan.remove))
    every = {e.key: e for s in sessions for e in s.checkpoints}
    bad = {key for s in sessions for key in s.quarantined}
    durable = {key for key, e in every.items() if e.proven and key not in bad}
    if keep | gone != set(every) or keep & gone:
        yield "not every checkpoint is judged exactly once"
    if not all(v.reasons for v in (*plan.keep, *plan.remove)):
        yield "a verdict has no reason"
    if gone & bad:
        yield "one in quarantine goes"
    for s in sessions:
        none_yet = not any(e.key in durable for e in s.checkpoints) and len(s.checkpoints) < 3
        if none_yet and s.resumed_from and s.resumed_from.checkpoint in gone:
            yield f"session {s.id} continued from {s.resumed_from.checkpoint}, has none of its own, and it goes"
    newest = next((c.key for c in resume_candidates(head, sessions) if c.proven and not c.passed_over), None)
    if newest in gone or (durable and not keep & durable):
        yield "the newest durable one goes"
    yield from _broken_budget(policy, plan)


def _broken_budget(policy: Policy, plan: RetentionPlan) -> Iterable[str]:
    """Kept bytes are within the budget, or only what is protected is kept, and the excess is said."""
    if policy.budget_bytes is None:
        return
    over = max(sum(v.listing.size_bytes for v in plan.keep) - policy.budget_bytes, 0)
    if plan.over_budget_bytes != over:
        yield f"{over} bytes above the budget, and {plan.over_budget_bytes} are said"
    if over and any(not _is_protected(v.reasons) for v in plan.keep):
        yield "the budget is exceeded for one that nothing protects"


def _is_protected(reasons: Iterable[str]) -> bool:
    why = " ".join(reasons)
    return any(word in why for word in ("newest durable", "continued from it", "in quarantine", "not proven"))
