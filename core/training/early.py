"""What it means that a body, or an epoch's tail, was left early: what counts, what comes again, what has to be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from batonpass.core.training.loop import TrainingLoop

Then = Literal["again", "later", "never"]
"""What becomes of the batch of a body that was cut: it is given again now, in the next session, or (the epoch was left) not at all."""
_BATCH: dict[Then, str] = {
    "again": "the batch is given again",
    "later": "the next session begins with its batch",
    "never": "its batch was not trained on",
}


def close_body(loop: TrainingLoop, then: Then) -> None:
    """Account for a body that was left early: it counts if an optimizer applied it; else say what becomes of its batch."""
    loop.body_open = False
    name = f"the body of batch {loop.now.batch + 1} of epoch {loop.now.epoch + 1}"
    if loop.witness.stepped:
        loop.host.say(f"batonpass: {name} was left early, after the optimizer had stepped: it counts")
        assert loop.steps_pass is not None
        loop.steps_pass.count_body()
    elif loop.witness.left_traces:
        _undo(loop, f"{name} was cut before the optimizer stepped", then)
    else:
        if then != "never":
            loop.witness.rewind_streams()
        loop.host.say(f"batonpass: {name} was left before the optimizer stepped: {_BATCH[then]}")


def leave_tail(loop: TrainingLoop) -> None:
    """The tail is over, or will not run: what comes next is a body or the next epoch."""
    if loop.now.at == "tail" and loop.now.whole_epoch:
        loop.now.next_epoch("epoch")
    elif loop.now.at == "tail":
        loop.now.at = "body"
    loop.in_tail = False


def reopen_tail(loop: TrainingLoop) -> None:
    """The tail was left early and the loop is entered again: it runs again, after going back if a scheduler had stepped in it."""
    loop.in_tail = False
    name = f"what follows the batches of epoch {loop.now.epoch + 1}"
    if loop.witness.schedule_moved:
        _undo(loop, f"{name} was left after a scheduler had stepped", "again")
    else:
        loop.host.say(f"batonpass: {name} was left early: it runs again")


def _undo(loop: TrainingLoop, what: str, then: Then) -> None:
    """Traces were left that cannot be taken back one by one."""
    if then == "again" and loop.host.restore_last():
        loop.host.say(f"batonpass: {what}: continuing from the last checkpoint, step {loop.now.step:,}")
        return
    if then != "never":
        loop.witness.rewind_streams()
        if loop.now.group == 0:
            loop.witness.drop_gradients()
    loop.doubt(f"{what}, and there was no checkpoint to go back to" if then == "again" else what)
