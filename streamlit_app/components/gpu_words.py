"""What a session's GPU readings come to, in words: one row per GPU, and what may be worth a look. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from batonpass.core.amounts import percent
from batonpass.core.gpu.readings import MEMORY, POWER, TEMPERATURE, UTILISATION, Curve, Summary, by_gpu, summarise
from batonpass.core.model import GpuSample, Session
from batonpass.streamlit_app.components.gpu_chart import memory_gib
from batonpass.streamlit_app.wording import plural

ENOUGH_READINGS = 5
_IDLE_BELOW = 50.0
_UNUSED_BELOW = 25.0
_TIGHT_FROM = 0.95
_HOT_FROM_C = 85.0


def summary_rows(session: Session) -> list[dict[str, str]]:
    """One row per GPU; "not read" where no reading has the quantity."""
    rows = []
    for index, samples in by_gpu(session.gpu_samples).items():
        rows.append(
            {
                "GPU": str(index),
                "Busy, mean": _mean(summarise(samples, UTILISATION), UTILISATION),
                "Busy, peak": _peak(summarise(samples, UTILISATION), UTILISATION),
                "Memory, peak": _memory(session, index, summarise(samples, MEMORY)),
                "Hottest": _peak(summarise(samples, TEMPERATURE), TEMPERATURE),
                "Power, mean": _mean(summarise(samples, POWER), POWER),
                "Power, peak": _peak(summarise(samples, POWER), POWER),
                "Readings": f"{len(samples):,}",
            }
        )
    return rows


def summary_words(session: Session) -> str:
    """Mean and peak of every GPU in one sentence, for the chart's description and the line below it."""
    parts = []
    gpus = by_gpu(session.gpu_samples)
    for index, samples in gpus.items():
        busy = summarise(samples, UTILISATION)
        memory = _memory(session, index, summarise(samples, MEMORY))
        who = f"GPU {index}: " if len(gpus) > 1 else ""
        if busy is not None:
            parts.append(f"{who}busy {busy.mean:.0f} % on average, {busy.peak:.0f} % at most, memory at most {memory}")
        else:
            parts.append(f"{who}memory at most {memory}")
    return "; ".join(parts)


def worth_a_look(session: Session) -> list[str]:
    """Sentences about readings that often have a cheap remedy. Without names of the store: plain words of our own."""
    found: list[str] = []
    gpus = by_gpu(session.gpu_samples)
    for index, samples in gpus.items():
        who = f"GPU {index}" if len(gpus) > 1 else "The GPU"
        busy, memory, heat = (summarise(samples, c) for c in (UTILISATION, MEMORY, TEMPERATURE))
        size = memory_gib(session, index)
        if busy is not None and busy.n >= ENOUGH_READINGS and busy.mean < _IDLE_BELOW:
            others = [s for i, s in gpus.items() if i != index]
            unused = busy.mean < _UNUSED_BELOW and any(_works(s) for s in others)
            found.append(_unused(who, busy) if unused else _idle(who, session, busy, memory, size))
        if memory is not None and size is not None and memory.peak >= _TIGHT_FROM * size:
            found.append(
                f"{who} had its memory nearly full ({memory.peak:.1f} of {size:.1f} GiB): a slightly larger batch may not fit, "
                "nor the same one on a card with less."
            )
        if heat is not None and heat.peak >= _HOT_FROM_C:
            found.append(f"{who} reached {heat.peak:.0f} °C. Many cards slow themselves down near there.")
    return found


def _works(samples: Sequence[GpuSample]) -> bool:
    busy = summarise(samples, UTILISATION)
    return busy is not None and busy.mean >= _IDLE_BELOW


def _unused(who: str, busy: Summary) -> str:
    return (
        f"{who} was busy only {busy.mean:.0f} % of the time while another card of this machine worked. A training that is not spread "
        "over the cards uses one of them: DistributedDataParallel under torchrun uses all."
    )


def _idle(who: str, session: Session, busy: Summary, memory: Summary | None, size: float | None) -> str:
    cores = session.host.cpu_count
    workers = f" (this machine had {plural(cores, 'CPU core')})" if cores is not None and 0 < cores < 10_000 else ""
    room = memory is not None and size is not None and memory.peak < 0.6 * size
    batch = ", a larger batch (memory had room)" if room else ""
    return (
        f"{who} was busy only {busy.mean:.0f} % of the time over {plural(busy.n, 'reading')}: something else set the pace, often reading "
        f"and preparing data. Worth a try: more loader workers{workers}, pinned memory, data on the machine's own disk instead of "
        f"a mounted Drive{batch}."
    )


def _mean(summary: Summary | None, curve: Curve) -> str:
    return "not read" if summary is None else f"{summary.mean:.0f} {curve.unit}"


def _peak(summary: Summary | None, curve: Curve) -> str:
    return "not read" if summary is None else f"{summary.peak:.0f} {curve.unit}"


def _memory(session: Session, index: int, summary: Summary | None) -> str:
    if summary is None:
        return "not read"
    size = memory_gib(session, index)
    if size is None:
        return f"{summary.peak:.1f} GiB"
    return f"{summary.peak:.1f} of {size:.1f} GiB ({percent(summary.peak / size)})"
