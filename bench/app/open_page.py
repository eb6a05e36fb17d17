"""A Run page of twelve charts that stays open while its run trains: what that costs the browser. Loaded by `pages.py`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

METRICS = 12
TRAINING = """
import sys, time, math, random, torch
import batonpass as bp
store, seconds = sys.argv[1], float(sys.argv[2])
names = sys.argv[3:]
model = torch.nn.Linear(4, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(64, 4)), batch_size=4, shuffle=True)
run = bp.start("open page", store=store, goal_steps=10_000_000)
run.attach(model=model, optimizer=optimizer)
end = time.monotonic() + seconds
for (batch,) in run.steps(data):
    optimizer.zero_grad()
    model(batch).square().mean().backward()
    optimizer.step()
    run.log(**{name: math.exp(-run.step / 5000) + random.gauss(0, 0.02) for name in names})
    time.sleep(0.05)
    if time.monotonic() > end:
        break
run.finish()
"""
WATCH = """() => {
  window.held = {tasks: 0, longest: 0, total: 0};
  new PerformanceObserver(list => { for (const each of list.getEntries()) {
    window.held.tasks += 1; window.held.total += each.duration; window.held.longest = Math.max(window.held.longest, each.duration);
  } }).observe({entryTypes: ['longtask']});
}"""


def measure(folder: Path, *, seconds: int) -> str:
    """One table. A real training logs twelve metrics twenty times a second through the public door; the app polls as it always does.

    *held up*: milliseconds of main-thread tasks longer than 50 ms, whole, per second. *busy*: all of the main thread's tasks. Heap after
    the browser's own garbage collection, at both ends.
    """
    pages = sys.modules["__main__"]
    names = ["loss", *(f"metric_{n:02d}" for n in range(1, METRICS))]
    (folder / "home").mkdir(parents=True)
    training = _train(folder, seconds + 180, names)
    try:
        run_id = _wait_for_run(folder / "store", training)
        query = urlencode({"run": run_id, "metrics": names}, doseq=True)
        with pages.live.serve(folder / "home", store=str(folder / "store")) as address, pages.live.browser() as browser:
            page = browser.new_context().new_page()
            page.goto(f"{address}/run?{query}")
            page.wait_for_function(pages.DRAWN, timeout=120_000)
            page.wait_for_timeout(min(90, seconds) * 1000)  # some redrawings, so that what is loaded once is there
            found = _watch(page, seconds)
    finally:
        training.kill()
        training.wait()
    rows = [[name, value] for name, value in found.items()]
    return str(
        pages.tables.render(f"A page of {METRICS} charts, {seconds} s beside a training", ["what", "figure"], rows)
    )


def _watch(page: Any, seconds: int) -> dict[str, str]:
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable")
    tools.send("HeapProfiler.enable")
    page.evaluate(WATCH)
    before, began = _numbers(tools), time.monotonic()
    page.wait_for_timeout(seconds * 1000)
    took = time.monotonic() - began
    after, held = _numbers(tools), page.evaluate("() => window.held")
    heap = (after["JSHeapUsedSize"] - before["JSHeapUsedSize"]) / 1e6 / (took / 60)
    return {
        "main thread held up, ms/s": f"{held['total'] / took:.1f}",
        "tasks above 50 ms": f"{held['tasks']}, longest {held['longest']:.0f} ms",
        "main thread busy, ms/s": f"{1000 * (after['TaskDuration'] - before['TaskDuration']) / took:.1f}",
        "heap, MB at the beginning": f"{before['JSHeapUsedSize'] / 1e6:.1f}",
        "heap growth, MB/min": f"{heap:.2f}",
    }


def _numbers(tools: Any) -> dict[str, float]:
    tools.send("HeapProfiler.collectGarbage")
    return {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}


def _train(folder: Path, seconds: float, names: list[str]) -> subprocess.Popen[bytes]:
    (folder / "training.py").write_text(TRAINING)
    environment = {**os.environ, "BATONPASS_HOME": str(folder / "machine"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(folder / "training.py"), str(folder / "store"), str(seconds), *names]
    with (folder / "training.log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _wait_for_run(store: Path, training: subprocess.Popen[bytes]) -> str:
    """The run's id, once its first checkpoint and numbers are there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and training.poll() is None:
        for folder in (store / "runs").glob("*/"):
            if any(folder.glob("checkpoints/*.json")):
                return folder.name.rsplit("-", 1)[-1]
        time.sleep(0.5)
    raise TimeoutError("the training has published nothing")
