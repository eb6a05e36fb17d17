"""The one door to NVML: which GPUs are there and how busy they are. Everything here answers within a time budget and never raises.

`nvidia-ml-py` is loaded at the first question, and every question is asked on a thread of its own: a driver that hangs costs
the asker its budget, never the training.
"""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from batonpass.core.model.machine import Gpu, GpuSample
from batonpass.core.settings import read_settings
from batonpass.sync.machine import salted_hash
from batonpass.sync.torch_facts import probe_gpus

LIST_BUDGET_S = 2.0
SAMPLE_BUDGET_S = 1.0

T = TypeVar("T")

_PROBLEMS = {
    "NVML_ERROR_LIBRARY_NOT_FOUND": "no NVIDIA driver on this machine",
    "NVML_ERROR_DRIVER_NOT_LOADED": "the NVIDIA driver is installed but not loaded",
    "NVML_ERROR_LIB_RM_VERSION_MISMATCH": (
        "the NVIDIA driver and its library are of different versions; a reboot or a new session usually mends it"
    ),
    "NVML_ERROR_NO_PERMISSION": "this process may not ask the NVIDIA driver",
    "NVML_ERROR_GPU_IS_LOST": "the GPU has fallen off the bus; only a new session brings it back",
}


@dataclass(frozen=True, slots=True)
class GpuReading:
    """The GPUs found; where there are none, `problem` says in one sentence why."""

    gpus: tuple[Gpu, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    value: T | None
    problem: str | None = None


class _Door:
    """Lets one question through at a time, so that a hanging driver holds one thread and not one more for each sample."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def ask(self, question: Callable[[Any], T], budget_s: float) -> _Answer[T]:
        """What `question` makes of the NVML module, or why there is no answer."""
        if not self._turn.acquire(timeout=budget_s):
            return _Answer(None, "the NVIDIA driver still has not answered an earlier question")
        answers: list[_Answer[T]] = []

        def work() -> None:
            try:
                answers.append(_ask_now(question))
            except Exception as error:  # noqa: BLE001  # a foreign library on a thread of its own: whatever fails is the answer
                answers.append(_Answer(None, f"the NVIDIA library failed: {error!r}"))
            finally:
                self._turn.release()

        thread = threading.Thread(target=work, name="batonpass-nvml", daemon=True)
        thread.start()
        thread.join(budget_s)
        return answers[0] if answers else _Answer(None, f"the NVIDIA driver did not answer within {budget_s:g} s")


_door = _Door()


def read_gpus(home: Path | None = None, *, budget_s: float = LIST_BUDGET_S) -> GpuReading:
    """Every GPU of this machine, as NVML lists them; `usable` is filled in where torch has been imported.

    `home` is where the salt for `Gpu.uuid_hash` lives; by default the folder of this process's settings.
    """
    answer = _door.ask(_list, budget_s)
    if answer.value is None:
        return GpuReading((), answer.problem)
    if not answer.value:
        return GpuReading((), "the NVIDIA driver lists no GPU")
    home = home or read_settings().home
    gpus = tuple(_gpu(facts, home) for facts in answer.value)
    return GpuReading(probe_gpus(gpus))


def list_gpus(home: Path | None = None) -> tuple[Gpu, ...]:
    """The GPUs of `read_gpus`; empty where there are none or none can be seen."""
    return read_gpus(home).gpus


def sample_gpus(*, budget_s: float = SAMPLE_BUDGET_S) -> tuple[GpuSample, ...]:
    """One reading of each GPU, now; empty where there are none or NVML does not answer in time."""
    return _door.ask(_sample, budget_s).value or ()


@dataclass(frozen=True, slots=True)
class _Facts:
    name: str
    memory_bytes: int
    compute_capability: str | None
    driver: str | None
    uuid: str | None


def _ask_now(question: Callable[[Any], T]) -> _Answer[T]:
    try:
        nvml = _load()
    except ImportError:
        return _Answer(None, "nvidia-ml-py is not installed, so that GPUs cannot be seen")
    try:
        with _session(nvml):
            return _Answer(question(nvml))
    except nvml.NVMLError as error:
        return _Answer(None, _problem(nvml, error))


def _load() -> Any:
    with warnings.catch_warnings():  # an old distribution named pynvml announces its own end at import
        warnings.simplefilter("ignore")
        return importlib.import_module("pynvml")


@contextmanager
def _session(nvml: Any) -> Iterator[None]:
    nvml.nvmlInit()
    try:
        yield
    finally:
        nvml.nvmlShutdown()


def _problem(nvml: Any, error: Any) -> str:
    for constant, sentence in _PROBLEMS.items():
        if getattr(nvml, constant) == error.value:
            return sentence
    return f"the NVIDIA driver says: {error}"


def _list(nvml: Any) -> list[_Facts]:
    driver = _or_none(nvml, nvml.nvmlSystemGetDriverVersion)
    return [_facts(nvml, nvml.nvmlDeviceGetHandleByIndex(i), driver) for i in range(nvml.nvmlDeviceGetCount())]


def _facts(nvml: Any, handle: Any, driver: str | None) -> _Facts:
    memory = _or_none(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    capability = _or_none(nvml, lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    return _Facts(
        name=_or_none(nvml, lambda: nvml.nvmlDeviceGetName(handle)) or "unnamed NVIDIA GPU",
        memory_bytes=int(memory.total) if memory else 0,
        compute_capability=f"{capability[0]}.{capability[1]}" if capability else None,
        driver=driver,
        uuid=_or_none(nvml, lambda: nvml.nvmlDeviceGetUUID(handle)),
    )


def _gpu(facts: _Facts, home: Path) -> Gpu:
    return Gpu(
        name=facts.name,
        memory_bytes=facts.memory_bytes,
        compute_capability=facts.compute_capability,
        driver=facts.driver,
        uuid_hash=salted_hash(home, facts.uuid) if facts.uuid else None,
    )


def _sample(nvml: Any) -> tuple[GpuSample, ...]:
    at = datetime.now(UTC)
    return tuple(_reading(nvml, i, at) for i in range(nvml.nvmlDeviceGetCount()))


def _reading(nvml: Any, index: int, at: datetime) -> GpuSample:
    handle = _or_none(nvml, lambda: nvml.nvmlDeviceGetHandleByIndex(index))
    if handle is None:
        return GpuSample(at, index)
    rates = _or_none(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    memory = _or_none(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    celsius = _or_none(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
    milliwatts = _or_none(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    return GpuSample(
        at=at,
        index=index,
        utilisation_percent=None if rates is None else float(rates.gpu),
        memory_used_bytes=None if memory is None else int(memory.used),
        temperature_c=None if celsius is None else float(celsius),
        power_w=None if milliwatts is None else milliwatts / 1000,
    )


def _or_none(nvml: Any, ask: Callable[[], Any]) -> Any:
    """The answer, or None where this card or driver does not report it."""
    try:
        return ask()
    except nvml.NVMLError:
        return None
