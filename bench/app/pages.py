"""Pages in a real Chromium, each beside a bare Streamlit page in turns: how much longer until it stands, and what a quiet minute sends.
Then a page of twelve charts open for five minutes while its run trains: how long the browser's main thread is held up, and its heap.
`python bench/app/pages.py` takes 15 turns of each; with `--quick` 3 turns on small stores and 20 s, only to see that it runs.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = str(Path(__file__).resolve().parent)


def load(name: str, path: str) -> Any:
    """A module of this checkout by its file: both `bench` and `tests` have a folder called `app`."""
    spec = importlib.util.spec_from_file_location(name, CHECKOUT / path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stores = load("bench_app_stores", "bench/app/stores.py")
open_page = load("bench_app_open_page", "bench/app/open_page.py")
live = load("tests_live_app", "tests/app/live_app.py")
tables = load("bench_tables", "bench/tables.py")
BARE = "import streamlit as st\nst.title('Bare')\nst.write('nothing else')\n"
PAGED = """import streamlit as st
def empty():
    st.title('Bare')
    st.write('nothing else')
names = ['Morning', 'Run', 'Machines', 'Accounts', 'Resume', 'Settings']
pages = [st.Page(empty, title=name, url_path=name.lower(), default=name == 'Morning') for name in names]
st.navigation(pages, position='top').run()
"""
"""The bare page as one of six: what an app of several pages costs whatever stands on them."""
STANDS = """() => document.querySelector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    && document.querySelector('[data-testid="stMain"] h1') && !document.querySelector('[data-testid="stSkeleton"]')"""
DRAWN = "() => document.querySelector('[data-testid=\"stMain\"] canvas')"
TWELVE = f"run?{urlencode({'run': '10000000', 'metrics': stores.metric_names(12)}, doseq=True)}"
MEASURED = {
    "Run page, 12 metrics drawn": (stores.Size(sessions=8, metrics=12, points=2000, tail_points=20), TWELVE),
    "Morning page, 500 runs x 200 metrics": (
        stores.Size(runs=500, sessions=2, metrics=200, points=20, tail_points=5),
        "",
    ),
}


def measure(folder: Path, *, smoke: bool = False, turns: int = 15) -> str:
    """Both pages, each against the bare one in turns in one browser; seconds from the request to a page that stands."""
    rows = []
    for name, (size, path) in MEASURED.items():
        place = folder / path.split("?")[0].replace("/", "") if path else folder / "morning"
        (place / "home").mkdir(parents=True)
        few = stores.Size(min(size.runs, 20), 2, min(size.metrics, 12), 20, 2) if smoke else size
        stores.write_store(place / "store", few, live=True)
        with ExitStack() as stack:
            ours = stack.enter_context(live.serve(place / "home", store=str(place / "store")))
            bare = stack.enter_context(_serve_bare(place, BARE))
            paged = stack.enter_context(_serve_bare(place, PAGED))
            page = stack.enter_context(live.browser()).new_context().new_page()
            addresses = {"bare": bare, "paged": f"{paged}/{path.split('?')[0]}", "ours": f"{ours}/{path}"}
            times: dict[str, list[float]] = {who: [] for who in addresses}
            for turn in range(turns + 2):  # the first two warm the caches of the server and of the browser
                for who, url in addresses.items():
                    taken = _until_it_stands(page, url, has_charts=who == "ours" and bool(path))
                    times[who] += [taken] if turn >= 2 else []
            sent = _quiet_bytes(page, 20 if smoke else 60)
        more = median(times["ours"]) - median(times["bare"])
        rows.append([name, *(tables.spread(times[w], digits=2) for w in addresses), f"{more:.2f}", f"{sent:,}"])
    head = [
        "seconds until it stands",
        "bare page",
        "as one of six",
        "ours",
        "more than bare (medians)",
        "bytes in a quiet minute",
    ]
    return str(tables.render(f"Pages in Chromium, {turns} turns each", head, rows))


def _until_it_stands(page: Any, url: str, *, has_charts: bool) -> float:
    """With its charts on it, where it has some: not before their canvas is there."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(STANDS, timeout=120_000)
    if has_charts:
        page.wait_for_function(DRAWN, timeout=120_000)
    return time.perf_counter() - began


def _quiet_bytes(page: Any, seconds: int) -> int:
    """Bytes that the server sends over the page's WebSocket within `seconds`; heartbeats of sessions are over, so nothing is new."""
    counted = [0]

    def count(socket: Any) -> None:
        socket.on("framereceived", lambda data: counted.__setitem__(0, counted[0] + len(data)))

    page.on("websocket", count)
    page.reload()
    page.wait_for_function(STANDS, timeout=120_000)
    page.wait_for_timeout(3000)
    before = counted[0]
    page.wait_for_timeout(seconds * 1000)
    return (counted[0] - before) * 60 // seconds


class _serve_bare:  # noqa: N801  # used as a function, in a `with`
    """A Streamlit app of one file, on a free port."""

    def __init__(self, folder: Path, source: str) -> None:
        self._folder = folder
        self._source = source

    def __enter__(self) -> str:
        import socket

        script = self._folder / f"bare_{len(self._source)}.py"
        script.write_text(self._source)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true"]
        self._server = subprocess.Popen(
            [*command, f"--server.port={port}", "--browser.gatherUsageStats=false"],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        live._wait_for(f"http://localhost:{port}/_stcore/health", self._server, time.monotonic() + 60)  # noqa: SLF001
        return f"http://localhost:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(10)


if __name__ == "__main__":
    sys.path = [p for p in sys.path if p != HERE]
    quick = "--quick" in sys.argv
    with tempfile.TemporaryDirectory(prefix="batonpass-bench-") as name:
        print(measure(Path(name), smoke=quick, turns=3 if quick else 15))
        print(open_page.measure(Path(name) / "open", seconds=20 if quick else 300))
