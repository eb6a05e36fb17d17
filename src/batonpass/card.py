"""The cards a notebook shows: what machine this is, and whether it is safe to close. Pure functions from data to a `Card`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import groupby

from batonpass.core.amounts import capacity, duration, ordinal, percent
from batonpass.core.gpu.advice import TorchBuild, build_runs_on, has_native_bf16, hints, obstacles
from batonpass.core.gpu.catalogue import match_gpu, offer_of
from batonpass.core.gpu.ranking import Precision, parse_precision, place_among_offers
from batonpass.core.model import Gpu, Host
from batonpass.core.providers import provider_of
from batonpass.sheet import Card, Sheet, Tone, render, show

__all__ = ["Card", "machine_card", "show", "status_card"]

_PRECISION_WORDS: dict[Precision, str] = {"amp": "mixed precision (fp16)", "bf16": "bf16", "fp32": "fp32"}

Rows = list[tuple[str, str]]


def machine_card(
    host: Host,
    gpus: Sequence[Gpu],
    *,
    gpu_problem: str | None = None,
    precision: str = "amp",
    build: TorchBuild | None = None,
    session_lengths_s: Sequence[float] = (),
    start_line: str = "",
) -> Card:
    """What this machine is and what it means for a training run.

    `gpu_problem` says why `gpus` is empty; `build` is the torch in use, None before it is imported; `session_lengths_s` are the
    lengths of the user's own ended sessions at this provider, in seconds; `start_line` is the line that replaces the first day's.
    UsageError when `precision` is none.
    """
    wanted = parse_precision(precision)
    rows: Rows = [("GPU", _gpu_words(gpus) if gpus else f"none ({gpu_problem or 'no NVIDIA GPU was found'})")]
    kinds = list(dict.fromkeys(_kind(gpu) for gpu in gpus))
    for gpu in kinds:
        rows += _gpu_rows(gpu, host, wanted, build)
        rows += [("Advice", sentence) for sentence in hints(gpu, wanted)]
    rows.append(("Machine", _machine_words(host)))
    rows.append(("History", history_words(session_lengths_s, provider_of(host.provider).name)))
    notes = [sentence for gpu in kinds for sentence in obstacles(gpu, wanted, build)]
    if not gpus:
        notes.append(_without_gpu(host))
    broken = any(gpu.usable is False for gpu in gpus)
    tone: Tone = "bad" if broken else "warning" if notes else "calm"
    title = "this machine" if host.provider == "other" else f"this machine: {provider_of(host.provider).name}"
    return render(Sheet(title, tone, tuple(rows), tuple(notes), _snippets(host, gpus, start_line)))


def status_card(
    *,
    name: str,
    step: int,
    goal_steps: int | None = None,
    durable_step: int | None = None,
    durable_age_s: float | None = None,
    proven: bool = True,
    steps_at_risk: int = 0,
    seconds_at_risk: float = 0.0,
    branch: str | None = None,
    sending: str = "",
    saves: str = "",
    resume: str = "",
    problems: Sequence[str] = (),
    acceptable_s: float = 60.0,
) -> Card:
    """Whether the notebook can be closed now, and what would be trained again.

    `durable_step` is the newest checkpoint on the store and `durable_age_s` its age in seconds; `proven` is False where it was
    only handed over to a mount. Work of up to `acceptable_s` seconds may be at risk for a "yes", and is named all the same.
    """
    tone, answer = _safety(
        step=step,
        durable_step=durable_step,
        age_s=durable_age_s,
        proven=proven,
        steps_at_risk=steps_at_risk,
        seconds_at_risk=seconds_at_risk,
        acceptable_s=acceptable_s,
    )
    goal = f" of {goal_steps:,} ({percent(step / goal_steps)})" if goal_steps else ""
    rows: Rows = [("Run", name), ("Step", f"{step:,}{goal}")]
    if durable_step is not None:
        state = "durable" if proven else "handed over to the mount, arrival not proven"
        rows.append(("On the store", f"step {durable_step:,}{_ago(durable_age_s)}: {state}"))
    if sending:
        rows.append(("On its way", sending))
    if resume:
        rows.append(("Resume", resume))
    if steps_at_risk:
        rows.append(("At risk", _work(steps_at_risk, seconds_at_risk)))
    if saves:
        rows.append(("Saved", saves))
    if branch:
        rows.append(("Branch", f"{branch}: published beside the run, it does not continue it"))
    return render(Sheet(f"safe to close: {answer}", tone, tuple(rows), tuple(problems)))


def history_words(lengths_s: Sequence[float], place: str) -> str:
    """n, the middle and the spread of session lengths given in seconds, and what they are worth; or when there will be some."""
    if not lengths_s:
        return f"nothing yet; from the next start on, it says how long this run's sessions on {place} lasted"
    if len(lengths_s) == 1:
        return f"one session at {place} so far, of {duration(lengths_s[0])}; your log, not a promise"
    middle = duration(statistics.median(lengths_s))
    spread = f"{duration(min(lengths_s))} to {duration(max(lengths_s))}"
    return f"{len(lengths_s)} sessions at {place} lasted {spread}, the middle {middle}; your log, not a promise"


def _gpu_words(gpus: Sequence[Gpu]) -> str:
    parts = []
    for gpu, same in groupby(sorted(map(_kind, gpus), key=repr)):
        count = len(list(same))
        memory = f", {capacity(gpu.memory_bytes)}{' each' if count > 1 else ''}" if gpu.memory_bytes else ""
        level = f", compute capability {gpu.compute_capability}" if gpu.compute_capability else ""
        parts.append(f"{f'{count} x ' if count > 1 else ''}{gpu.name}{memory}{level}")
    return "; ".join(parts)


def _kind(gpu: Gpu) -> Gpu:
    """The card without what tells it from its twin."""
    return Gpu(
        gpu.name,
        gpu.memory_bytes,
        compute_capability=gpu.compute_capability,
        usable=gpu.usable,
        why_not=gpu.why_not,
    )


def _gpu_rows(gpu: Gpu, host: Host, precision: Precision, build: TorchBuild | None) -> Rows:
    native = has_native_bf16(gpu.compute_capability)
    bf16 = {True: "native", False: "not native (torch emulates it, slowly)", None: "not known"}[native]
    return [("bf16", bf16), ("torch", _torch_words(gpu, build)), ("Rank", _rank_words(gpu, host.provider, precision))]


def _torch_words(gpu: Gpu, build: TorchBuild | None) -> str:
    version = build.version if build else "this build"
    if gpu.usable is not None:
        return f"{version} {'runs on it (one operation was tried)' if gpu.usable else 'cannot use it'}"
    if build is None:
        return "not imported yet, so not tried"
    if build.cuda is None:
        return f"{version} is a build without CUDA"
    if gpu.compute_capability is None:
        return f"{version}, not tried"
    fits = build_runs_on(gpu.compute_capability, build.architectures)
    return f"{version} {'holds code for it' if fits else 'holds no code for it'} (not tried)"


def _rank_words(gpu: Gpu, provider: str, precision: Precision) -> str:
    entry = match_gpu(gpu.name, gpu.memory_bytes)
    if entry is None:
        return "not in the catalogue, so not ranked"
    found = place_among_offers(entry, provider, precision)
    words, place = _PRECISION_WORDS[precision], provider_of(provider).name
    if found.of + len(found.ranking.slow_bf16) + len(found.ranking.unknown) == 1:
        return f"not ranked: no list of cards is known for {place}"
    if entry in found.ranking.slow_bf16:
        return f"last for {words} among what {place} hands out: only emulated"
    if found.place is None:
        return f"not ranked for {words}: no published figure"
    order = " > ".join(e.name for e in found.ranking.ordered)
    without = ", ".join(e.name for e in found.ranking.unknown)
    order += f"; no figure for {without}" if without else ""
    offer = offer_of(entry, provider)
    condition = f" ({entry.name}: {offer.note})" if offer and offer.note else ""
    return f"{ordinal(found.place)} of {found.of} for {words} at {place}, by published peaks: {order}{condition}"


def _machine_words(host: Host) -> str:
    facts = [host.system]
    if host.cpu_count:
        facts.append(f"{host.cpu_count} processor{'s' if host.cpu_count > 1 else ''}")
    if host.ram_bytes:
        facts.append(f"{capacity(host.ram_bytes)} RAM")
    if host.disk_free_bytes is not None:
        facts.append(f"{capacity(host.disk_free_bytes)} disk free")
    return ", ".join(filter(None, facts))


def _without_gpu(host: Host) -> str:
    choose = provider_of(host.provider).choose_gpu
    return "Without a GPU, training runs on the processor." + (f" To get one: {choose}." if choose else "")


def _snippets(host: Host, gpus: Sequence[Gpu], start_line: str) -> tuple[tuple[str, str], ...]:
    provider = provider_of(host.provider)
    found = []
    if start_line:
        found.append(("From now on start with this line; it resumes this run and never begins another", start_line))
    if gpus and provider.give_back:
        found.append((f"Not the GPU you want? Then {provider.give_back}", provider.give_back_code))
    return tuple(found)


def _safety(
    *,
    step: int,
    durable_step: int | None,
    age_s: float | None,
    proven: bool,
    steps_at_risk: int,
    seconds_at_risk: float,
    acceptable_s: float,
) -> tuple[Tone, str]:
    work = _work(steps_at_risk, seconds_at_risk)
    if step == 0 and durable_step is None:
        return "calm", "yes, nothing has been trained yet"
    if durable_step is None or seconds_at_risk > acceptable_s:
        nothing = "; no checkpoint has reached the store yet" if durable_step is None else ""
        return "bad", f"no: {work} {'is' if steps_at_risk == 1 else 'are'} on this machine only{nothing}"
    if not proven:
        return "warning", (
            f"not yet: step {durable_step:,} was handed over to the mount{_ago(age_s).lstrip(',')} and has not been seen elsewhere; "
            "leave the machine running a few minutes"
        )
    again = f"; {work} would run again" if steps_at_risk else ""
    return "good", f"yes, step {durable_step:,}{_ago(age_s)}{again}"


def _work(steps: int, seconds: float) -> str:
    return f"{steps:,} step{'' if steps == 1 else 's'} ({duration(seconds)})"


def _ago(age_s: float | None) -> str:
    return "" if age_s is None else f", {duration(age_s)} ago"
