"""What costs something while nothing happens: the lanes of a session, and the laptop that looks on."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from tables import render

from batonpass.streamlit_app.repository import Repository
from batonpass.sync.service import IDLE_BEAT_S
from drive.ground import Ground, Limits, Size
from drive.ours import opened
from drive.playing import playing
from drive.session import commit


def measure(ground: Ground, size: Size) -> str:
    """Ticks of a started service, one beat, one look of the fence, one poll of the app with several live sessions."""
    ticks = 10 if size.quick else 50
    account = ground.account()
    rows = []
    with playing(ground, account, ground.folder / "home") as one:
        one.active.enqueue(*commit(one.joined, 1, 1000))
        one.active.start()
        one.active.service.drain(60)
        ground.wait_for(lambda: one.active.service.state()["beat"]["ok"] and one.active.service._beat_at is not None)
        one.active.service.stop()
        ground.begin(Limits())
        for _ in range(ticks):
            one.active.service._send()
        rows.append(_row(f"the blob lane, {ticks} ticks, nothing changed", ground.end()))
        one.active._fence()  # reads the head once; from then on its version is enough
        ground.begin(Limits())
        one.active._fence()
        rows.append(_row("the look whether the run is still ours, each tick of 20 s", ground.end()))
        ground.begin(Limits())
        one.joined.writer.publish()
        rows.append(_row(f"the heartbeat, every {IDLE_BEAT_S:.0f} s", ground.end()))
    ground.clean(account)
    rows += _polls(ground)
    title = f"Standing still (goal: 0 requests; 5 units per live session and poll), seed {size.seed}"
    return render(title, ["", "requests", "quota units", "bytes up", "bytes down", "which calls"], rows)


def _polls(ground: Ground) -> list[list[str]]:
    """One session per live run, so that all of them are alive to the app."""
    rows = []
    with ExitStack() as stack:
        accounts = [ground.account()]
        sessions = [
            stack.enter_context(playing(ground, accounts[0], ground.folder / f"home-{number}")) for number in range(1)
        ]
        bare, _ = stack.enter_context(opened(ground, accounts[0], ground.folder / "laptop"))
        app = Repository(lambda: bare, None, poll_s=0.0)
        app.refresh(deep=True)
        for beat in (False, True):
            for one in sessions:
                one.joined.writer.publish() if beat else None
            ground.begin(Limits())
            view = app.refresh()
            if view.problem:
                raise RuntimeError(view.problem.message)
            said = "after its heartbeat" if beat else "nothing new"
            rows.append(_row(f"the app's poll, one live session, {said}", ground.end()))
        ground.clean(accounts[0])
    return rows


def _row(what: str, log: dict[str, Any]) -> list[str]:
    calls = ", ".join(f"{count} {op}" for op, count in sorted(log["by_op"].items())) or "none"
    return [what, *(str(log[name]) for name in ("requests", "units", "bytes_in", "bytes_out")), calls]
