"""How many hours what is left would take on each GPU that the run has had, by the speed measured there."""

from __future__ import annotations

from dataclasses import dataclass

from batonpass.core.gpu.speed import session_speed, speeds
from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.overview import RunStory


@dataclass(frozen=True, slots=True)
class GpuHours:
    """`training_s` inside the loop, at the median speed of the `n` sessions that had this GPU; `gpu` is plain text."""

    gpu: str
    training_s: float
    n: int


def hours_by_gpu(run: RunStory, left: int) -> tuple[GpuHours, ...]:
    """The quickest first; GPUs on which too little was measured are left out."""
    found = speeds((gpu_name(s.session), session_speed(s.session)) for s in run.files.sessions)
    return tuple(GpuHours(each.gpu, left / each.median, each.n) for each in reversed(found))
