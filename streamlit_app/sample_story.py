"""What happened in the simulated sample, as a table: three runs, thirteen sessions, two weeks. All of it is invented."""

from __future__ import annotations

from dataclasses import dataclass

from batonpass.core.model import EndKind


@dataclass(frozen=True, slots=True)
class SampleLeg:
    """One session. Hours are before the moment the sample is opened; `resumes` is an index into the legs of its run."""

    account: str
    provider: str
    gpu: str
    began_h: float
    lasted_h: float
    first_step: int
    last_step: int
    durable_step: int
    resumes: int | None = None
    end: EndKind | None = None
    detail: str = ""
    branch: str | None = None
    proven: bool = True
    drift: float = 0.0
    """How much worse than the trend its loss is at its end, as a share; grows from its durable step (a branch: from its start)."""


@dataclass(frozen=True, slots=True)
class SampleRun:
    """One run and its legs, oldest first; the last leg without a branch holds it."""

    name: str
    goal_steps: int
    save_every: int
    start_loss: float
    floor: float
    legs: tuple[SampleLeg, ...]
    config: tuple[tuple[str, object], ...]
    notes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deadline_in_h: float | None = None

    @property
    def learning_rate(self) -> float:
        """The largest one of its schedule."""
        return next((v for k, v in self.config if k == "learning_rate" and isinstance(v, float)), 0.001)


@dataclass(frozen=True, slots=True)
class SampleGpu:
    """What NVML would say about one card."""

    name: str
    memory_bytes: int
    compute_capability: str
    watts: float


GIB = 1024**3
GPUS = {
    "T4": SampleGpu("Tesla T4", 15 * GIB, "7.5", 66),
    "L4": SampleGpu("NVIDIA L4", 22 * GIB, "8.9", 68),
    "P100": SampleGpu("Tesla P100-PCIE-16GB", 16 * GIB, "6.0", 178),
    "A100": SampleGpu("NVIDIA A100-SXM4-40GB", 40 * GIB, "8.0", 290),
    "RTX 3060": SampleGpu("NVIDIA GeForce RTX 3060", 12 * GIB, "8.6", 152),
}

HOSTS = {
    "colab": ("Linux x86_64", 2, 13 * GIB, 71 * GIB),
    "kaggle": ("Linux x86_64", 4, 31 * GIB, 58 * GIB),
    "other": ("Linux x86_64", 12, 32 * GIB, 410 * GIB),
}
"""Provider -> system, CPU cores, RAM and free disk in bytes."""
VERSIONS = {
    "colab": {"python": "3.13.5", "torch": "2.11.0+cu128", "cuda": "12.8", "numpy": "2.3.2"},
    "kaggle": {"python": "3.12.11", "torch": "2.10.0+cu126", "cuda": "12.6", "numpy": "2.2.6"},
    "other": {"python": "3.13.5", "torch": "2.11.0+cu128", "cuda": "12.8", "numpy": "2.3.2"},
}

RUNS = (
    SampleRun(
        "cats-v2",
        60_000,
        200,
        2.31,
        0.34,
        (
            SampleLeg("personal", "colab", "T4", 318.0, 3.4, 0, 7_310, 7_200, proven=False),
            SampleLeg("personal", "kaggle", "P100", 292.0, 2.0, 7_200, 10_940, 10_400, 0),
            SampleLeg("school", "colab", "L4", 250.0, 4.1, 10_400, 27_420, 25_000, 1, drift=0.9),
            SampleLeg(
                "lab PC",
                "other",
                "RTX 3060",
                200.0,
                2.5,
                25_000,
                29_100,
                29_000,
                2,
                EndKind.STOPPED,
                branch="began offline",
                drift=0.35,
            ),
            SampleLeg("personal", "colab", "T4", 166.0, 5.2, 25_000, 36_230, 35_800, 2, EndKind.RESTARTED),
            SampleLeg("personal", "kaggle", "T4", 70.0, 4.0, 35_800, 44_400, 44_400, 4, EndKind.STOPPED),
            SampleLeg("personal", "colab", "T4", 3.1, 3.1, 44_400, 51_120, 51_000, 5),
        ),
        (("model", "resnet18"), ("learning_rate", 0.001), ("batch_size", 64), ("augment", ["flip", "crop"])),
        ("Heavier cropping from step 25,000 on.", "Ask Mia for the cleaned labels before the next full run."),
        ("thesis", "vision"),
        61.0,
    ),
    SampleRun(
        "speech-distil",
        20_000,
        200,
        4.8,
        1.1,
        (
            SampleLeg("school", "colab", "L4", 130.0, 3.0, 0, 9_840, 9_600),
            SampleLeg("personal", "kaggle", "T4", 100.0, 1.6, 9_600, 12_710, 12_600, 0),
            SampleLeg(
                "school",
                "colab",
                "A100",
                20.0,
                0.6,
                12_600,
                15_900,
                15_800,
                1,
                EndKind.FAILED,
                "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.25 GiB",
            ),
        ),
        (("teacher", "whisper-small"), ("learning_rate", 0.0003), ("temperature", 2.0)),
    ),
    SampleRun(
        "digits-baseline",
        12_000,
        500,
        2.3,
        0.06,
        (
            SampleLeg("lab PC", "other", "RTX 3060", 330.0, 2.2, 0, 5_900, 5_500),
            SampleLeg("personal", "colab", "T4", 214.0, 2.9, 5_500, 12_000, 12_000, 0, EndKind.FINISHED),
        ),
        (("model", "small MLP"), ("learning_rate", 0.01)),
        ("The number to beat.",),
        ("baseline",),
    ),
)

ACCOUNTS = (
    ("personal", "colab", "free", None, None, "Weekends are quiet; evenings rarely give a GPU."),
    ("school", "colab", "Pro for Education", 0.0, 61.5, "Ends with the term, in February."),
    ("lab PC", "own machine", "own computer", None, None, "Ask Jonas before long runs at night."),
)
"""Label, provider, plan, price per month, units left, note."""
