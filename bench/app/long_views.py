"""A run of a million steps and three metrics over eight rewound sessions: how long until its curves are there, beside what trackio and
TensorBoard take to read the same rows; what a zoom costs, what a chart sends, what it takes on the store; and ten million values.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from statistics import median

import numpy as np
from app.long_run import NAMES, write_long_run
from app.rivals_process import RivalsProcess
from tables import render, spread

from batonpass.streamlit_app.components.curves_chart import curves_option
from batonpass.streamlit_app.components.curves_look import Look, Track
from batonpass.streamlit_app.curves import Axis, Line, RunCurves, draw, read_curves
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.parsed import ParsedSegments
from batonpass.streamlit_app.repository import Repository
from batonpass.sync.stores.folder import FolderStore

TURNS = 15
MIB = 1 << 20


def measure(folder: Path, *, smoke: bool, seed: int, rivals: Path | None) -> str:
    """All tables. `rivals`: the interpreter with trackio and TensorBoard; None leaves them out."""
    steps = 20_000 if smoke else 1_000_000
    rows = write_long_run(folder / "store", steps, seed=seed)
    view = LongRun(folder / "store", folder / "cache")
    turns = 3 if smoke else TURNS
    return "\n".join(
        [
            first_view(view, folder / "rivals", rows, rivals, turns, seed),
            zoom(view, steps, turns),
            sizes(view, folder / "store"),
            large(folder, steps * 10 // len(NAMES), seed),
        ]
    )


class LongRun:
    """The app's own way from a store to lines; the segments lie on this computer already."""

    def __init__(self, root: Path, cache: Path) -> None:
        self._root, self._cache = root, cache
        self.repository = self.opened()
        overview = self.repository.refresh(deep=True).overview
        assert overview is not None
        self.run: RunStory = overview.runs[0]
        self.curves: RunCurves = self.repository.curves(self.run)
        self._parsed = ParsedSegments(self.repository.segment)

    def opened(self) -> Repository:
        """The app, just started."""
        return Repository(lambda: FolderStore(self._root), self._cache)

    def cold(self) -> list[Line]:
        """The app has just begun, with the story of its last visit: each segment is read from the disk, hashed, parsed, stitched, drawn."""
        return drawn(self.opened().curves(self.run))

    def warm(self) -> list[Line]:
        """The app has shown this run before."""
        return drawn(self.repository.curves(self.run))

    def renewed(self) -> list[Line]:
        """A session has something new: what was parsed is kept, all of it is stitched again."""
        return drawn(read_curves(self.run, self._parsed.read))


def drawn(curves: RunCurves, **how: object) -> list[Line]:
    """The line of each metric."""
    found = []
    for series in curves.series.values():
        live = series.live
        found.append(draw(live, curves.x(live, Axis.STEP), **how))  # type: ignore[arg-type]
    return found


def first_view(view: LongRun, place: Path, rows: int, python: Path | None, turns: int, seed: int) -> str:
    """Everyone in turns, in an order drawn from the seed."""
    calls: dict[str, Callable[[], float]] = {
        "Batonpass, cold": lambda: seconds(view.cold),
        "Batonpass, new rows": lambda: seconds(view.renewed),
        "Batonpass, warm": lambda: seconds(view.warm),
    }
    if python is None:
        return _first_table({name: [call() for _ in range(turns)] for name, call in calls.items()}, rows, turns, {})
    place.mkdir(parents=True)
    np.save(place / "rows.npy", rows_of(view))
    with RivalsProcess(python, place) as rivals:
        sizes_of = rivals.ask("write")
        calls["trackio, get_logs"] = lambda: float(rivals.ask("trackio"))
        calls["TensorBoard, Rust loader"] = lambda: float(rivals.ask("tensorboard"))
        times: dict[str, list[float]] = {name: [] for name in calls}
        draw_order = random.Random(seed)
        for turn in range(turns + 1):  # the first one warms
            for name in draw_order.sample(list(calls), len(calls)):
                taken = calls[name]()
                times[name] += [taken] if turn else []
    return _first_table(times, rows, turns, sizes_of)


def rows_of(view: LongRun) -> np.ndarray:
    """float64[rows, 5]: session, step and the three values, all that was logged in the order of logging."""
    parts = {name: view.curves.series[name] for name in NAMES}
    order = np.lexsort((parts[NAMES[0]].row, parts[NAMES[0]].session))
    columns = [parts[NAMES[0]].session[order], parts[NAMES[0]].step[order]]
    columns += [series.value[np.lexsort((series.row, series.session))] for series in parts.values()]
    return np.column_stack(columns).astype(np.float64)


def _first_table(times: dict[str, list[float]], rows: int, turns: int, disk: dict[str, int]) -> str:
    rivals = [name for name in times if not name.startswith("Batonpass")]
    table = []
    for name, taken in times.items():
        ratios = ["-" if name in rivals else f"{median(times[rival]) / median(taken):.1f}" for rival in rivals]
        size = next((f"{b / MIB:.0f}" for short, b in disk.items() if name.lower().startswith(short)), "-")
        table.append([name, *ratios, spread(taken, 1e-3), size])
    head = ["first view", *(f"times faster than {rival}" for rival in rivals), "ms", "on the disk, MiB"]
    return render(f"First view of {rows:,} values in 8 sessions, {turns} turns each", head, table)


def zoom(view: LongRun, steps: int, turns: int) -> str:
    """A tenth of the steps, drawn again from all rows in it."""
    span = (0.4 * steps, 0.5 * steps)
    ways: dict[str, dict[str, object]] = {
        "all three metrics, a tenth of the steps": {"span": span},
        "the same, smoothed 0.9": {"span": span, "weight": 0.9},
        "all steps, smoothed 0.99": {"weight": 0.99},
    }
    rows = []
    for name, how in ways.items():
        rows.append([name, spread([seconds(lambda how=how: drawn(view.curves, **how)) for _ in range(turns)], 1e-3)])
    return render("Drawn again", ["what", "ms"], rows)


def sizes(view: LongRun, root: Path) -> str:
    """What one chart of one metric sends, and what the run takes on the store."""
    track = Track("run", view.curves, {s.session.id: s.session for s in view.run.files.sessions})
    rows = [[f"chart message, {name}, bytes", f"{message_bytes(track, Look((name,))):,}"] for name in NAMES]
    stored = sum(p.stat().st_size for p in root.rglob("*") if p.is_file())
    return render("Sizes", ["what", "size"], [*rows, ["all of the run on the store, bytes", f"{stored:,}"]])


def message_bytes(track: Track, look: Look) -> int:
    """The size of the message that Streamlit sends for a chart: from a page of its own, as the server would."""
    from streamlit.testing.v1 import AppTest

    option, height = curves_option([track], look, UTC)

    def page(option: dict[str, object], height: int) -> None:
        import streamlit as st

        st.echarts_chart(option, height=height, alt="curves")

    test = AppTest.from_function(page, args=(option, height)).run()
    assert not test.exception
    return int(test.main.children[0].proto.ByteSize())  # type: ignore[attr-defined]


def large(folder: Path, steps: int, seed: int) -> str:
    """Ten million values, in a process of its own, as the app meets them: peak memory is of all of that process."""
    write_long_run(folder / "large", steps, seed=seed)
    script = "import sys; from app.long_views import look_at_large; look_at_large(*sys.argv[1:])"
    place = [str(Path(__file__).resolve().parents[1])]
    rows = []
    for _ in range(6):
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path[:0] = {place!r}; {script}", str(folder)],
            capture_output=True,
            text=True,
            check=True,
        )
        rows.append([float(number) for number in done.stdout.split()])
    # the first one has brought the segments onto this computer
    cold, warm, peak = (list(column) for column in zip(*rows[1:], strict=True))
    table = [
        ["cold, s", spread(cold, digits=2)],
        ["warm, ms", spread(warm, 1e-3)],
        ["peak memory, MB", spread(peak, 1e6)],
    ]
    return render(f"{steps:,} steps of three metrics, five processes", ["what", "median (min-max)"], table)


def look_at_large(folder: str) -> None:
    """Print seconds cold, seconds warm and the process's peak of memory in bytes."""
    import streamlit  # noqa: F401  # the app has it loaded too

    repository = Repository(lambda: FolderStore(Path(folder) / "large"), Path(folder) / "large-cache")
    overview = repository.refresh(deep=True).overview
    assert overview is not None
    run = overview.runs[0]
    cold = seconds(lambda: drawn(repository.curves(run)))
    warm = seconds(lambda: drawn(repository.curves(run)))
    print(cold, warm, peak_bytes())


def peak_bytes() -> int:
    """The most memory this process had (Linux); `ru_maxrss` may be its parent's. The app has no torch, so nothing here may load it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
