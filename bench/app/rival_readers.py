"""The rivals' side of the comparisons, in an interpreter of their own: `pip install trackio tensorboard tensorboardX`. Reads one word a line
from standard input, answers each with one line of JSON. See long_views.py and paced_log.py, which start it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

PROJECT = "bench"
NAMES = ("loss", "grad_norm", "lr")
BATCH = 20_000


def write_rows(folder: Path) -> dict[str, int]:
    """The rows of rows.npy (float64[rows, 5]: session, step, three values), as each rival keeps one resumed run. Bytes of each."""
    from tensorboardX import SummaryWriter
    from trackio.sqlite_storage import SQLiteStorage

    rows = np.load(folder / "rows.npy")
    for at in range(0, len(rows), BATCH):
        part = rows[at : at + BATCH].tolist()
        logs = [dict(zip(NAMES, values, strict=True)) for _, _, *values in part]
        SQLiteStorage.bulk_log(PROJECT, "long", logs, steps=[int(row[1]) for row in part])
    for session in np.unique(rows[:, 0]):
        own = rows[rows[:, 0] == session]
        writer = SummaryWriter(str(folder / "tensorboard"), filename_suffix=f".{int(session)}", max_queue=10_000)
        for _, step, *values in own.tolist():
            for name, value in zip(NAMES, values, strict=True):
                writer.add_scalar(name, value, int(step), walltime=1.7e9 + step / 100)
        writer.close()
        time.sleep(1.1)  # the files' names hold the second, and are read in the order of their names
    return {name: _size(folder / name) for name in ("trackio", "tensorboard")}


def read_trackio(_: Path) -> float:
    """Seconds of the call behind every poll of its dashboard, at the dashboard's own limit of points."""
    from trackio import sqlite_storage

    for name, kept in vars(sqlite_storage).items():
        if name.endswith("_logs_read_cache") and hasattr(kept, "clear"):
            kept.clear()
    started = time.perf_counter()
    logs = sqlite_storage.SQLiteStorage.get_logs(PROJECT, "long", max_points=3000)
    taken = time.perf_counter() - started
    assert logs
    return taken


def read_tensorboard(folder: Path) -> float:
    """Seconds from the start of the data server (Rust) until it answers with each metric's last step, at the dashboard's 1,000 samples."""
    from tensorboard import context
    from tensorboard.data import server_ingester
    from tensorboard.util import grpc_util

    last = int(np.load(folder / "rows.npy", mmap_mode="r")[-1, 1])
    started = time.perf_counter()
    ingester = server_ingester.SubprocessServerDataIngester(
        server_ingester.get_server_binary(),
        str(folder / "tensorboard"),
        reload_interval=5,
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin={"scalars": 1000},
    )
    ingester.start()
    try:
        while True:
            answer = ingester.data_provider.read_scalars(
                context.RequestContext(), experiment_id="", plugin_name="scalars", downsample=1000
            )
            tags = [tag for run in answer.values() for tag in run.values()]
            if len(tags) == len(NAMES) and all(tag and tag[-1].step == last for tag in tags):
                return time.perf_counter() - started
            time.sleep(0.005)
    finally:
        ingester._stdin_handle.close()  # noqa: SLF001  # it has no public way to stop its server


def pace_tensorboard(folder: Path) -> list[int]:
    """SummaryWriter.add_scalar."""
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(folder / "paced"))
    return _while_uploading(folder, lambda k: writer.add_scalar("loss", 0.25, k))


def pace_trackio(folder: Path) -> list[int]:
    """trackio.log, its dashboard's server running as it does by default."""
    import trackio

    trackio.init(project="paced", name="run")
    return _while_uploading(folder, lambda k: trackio.log({"loss": 0.25}, step=k))


def _while_uploading(folder: Path, call: Callable[[int], object]) -> list[int]:
    """Nanoseconds of each call of a 1 kHz clock, while a thread copies 250 MB again and again as a mounted Drive's folder takes it."""
    calls = int(os.environ["BENCH_CALLS"])
    done = threading.Event()
    source = folder / "state.bin"
    source.write_bytes(os.urandom(1_000_000) * 250)
    thread = threading.Thread(target=_upload, args=(source, folder / "uploaded.bin", done), daemon=True)
    thread.start()
    times = []
    due = time.perf_counter_ns()
    for k in range(calls):
        due = max(due + 1_000_000, time.perf_counter_ns())
        while (left := due - time.perf_counter_ns()) > 0:
            time.sleep(left / 1e9)
        started = time.perf_counter_ns()
        call(k)
        times.append(time.perf_counter_ns() - started)
    done.set()
    thread.join()
    return times


def _upload(source: Path, target: Path, done: threading.Event) -> None:
    while not done.is_set():
        with source.open("rb") as read, target.open("wb") as written:
            while (part := read.read(1 << 20)) and not done.is_set():
                written.write(part)
            written.flush()
            os.fsync(written.fileno())


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


WORDS = {
    "write": write_rows,
    "trackio": read_trackio,
    "tensorboard": read_tensorboard,
    "pace tensorboard": pace_tensorboard,
    "pace trackio": pace_trackio,
}


def main() -> None:
    """Answer until the input ends. What the rivals print goes to standard error."""
    folder = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(WORDS[line.strip()](folder)), file=answers, flush=True)
    os._exit(0)  # trackio's threads would wait for a network


if __name__ == "__main__":
    main()
