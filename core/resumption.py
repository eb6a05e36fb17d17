"""How a resume went, in words: the label, and what running again has proven. Pure, for the card, the command line and the app alike."""

from __future__ import annotations

from batonpass.core.model import ResumeProof, ResumeRecord

HINT = (
    "something that decides the training is not attached (a generator, a sampler, a running average kept outside run.state), or the device "
    "adds up in another order each time (torch.use_deterministic_algorithms(True))"
)
"""What to look for when a step that should be the same is not."""


def resume_words(record: ResumeRecord, proof: ResumeProof | None) -> str:
    """One line, as "EXACT: step 1,201 reproduced bit for bit (loss 0.123456)"; empty until the restore is through."""
    if not record.label:
        return ""
    return f"{record.label}: {proof_words(record, proof)}"


def resume_in_short(record: ResumeRecord, proof: ResumeProof | None) -> str:
    """For a table, as "EXACT, 20 steps compared" or "SAME DATA, differs at 7,220"; "not finished" until the restore is through."""
    if not record.label:
        return "not finished"
    if proof is None or not proof.steps:
        return record.label
    if proof.differs_at is not None:
        return f"{record.label}, differs at {proof.differs_at:,}"
    return f"{record.label}, {proof.steps:,} step{'' if proof.steps == 1 else 's'} compared"


def proof_words(record: ResumeRecord, proof: ResumeProof | None) -> str:
    """What has been compared, and what came out."""
    if proof is None or (not proof.steps and not proof.note):
        if proof is not None and proof.data == "same":
            return "the next batch held the samples that it would have held; no step has been compared yet"
        return "nothing has been compared yet"
    if not proof.steps:
        same = "the next batch held the samples that it would have held; " if proof.data == "same" else ""
        return f"{same}{proof.note}"
    if proof.differs_at is None:
        return f"{_steps(proof)} reproduced bit for bit ({_quote(proof.metric, proof.value)})"
    then, now = _tell_apart(proof.before, proof.value)
    found = f"step {proof.differs_at:,} is not what it was: {proof.metric[:60]} {then} then, {now} now"
    return found + _why(record)


def is_defect(record: ResumeRecord | None, proof: ResumeProof | None) -> bool:
    """An EXACT resume whose steps came out differently: something was promised that does not hold."""
    return record is not None and proof is not None and record.label == "EXACT" and proof.differs_at is not None


def _why(record: ResumeRecord) -> str:
    if record.label == "EXACT":
        return f". It should be the same: {HINT}"
    if record.label == "SAME DATA":
        return "; expected: the same data with other roundings"
    return "; expected, because not everything came back"


def _steps(proof: ResumeProof) -> str:
    if proof.first_step == proof.last_step:
        return f"step {proof.first_step:,}"
    return f"steps {proof.first_step:,} to {proof.last_step:,}"


def _quote(name: str, value: float | str) -> str:
    return f"{name[:60]} {value if isinstance(value, str) else format(value, '.6g')}"


def _tell_apart(before: float | str, after: float | str) -> tuple[str, str]:
    """Six digits, or all of them where six look the same."""
    short = [v if isinstance(v, str) else format(v, ".6g") for v in (before, after)]
    return (short[0], short[1]) if short[0] != short[1] else (str(before), str(after))
