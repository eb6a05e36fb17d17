"""Cells in a real Jupyter kernel: the stop button, an error in a body, and the loop cell run again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.manager import KernelManager

from batonpass.core.model import EndKind
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.stores import open_store

pytestmark = pytest.mark.kernel

SETUP = """
import torch, time
from torch.utils.data import DataLoader, TensorDataset
import batonpass as bp
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
optimizer = torch.optim.AdamW(model.parameters())
loader = DataLoader(TensorDataset(torch.randn(64, 4)), batch_size=1, shuffle=True)
run = bp.start("cats", store=STORE, goal_steps=10_000, seed=1, save_every_s=SAVE_EVERY, sync_every_s=0.1)
run.attach(model=model, optimizer=optimizer)
"""
LOOP = """
for (batch,) in run.steps(loader):
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    HERE
    optimizer.step()
    run.log(loss=loss)
"""


class Notebook:
    """A kernel, one cell at a time."""

    def __init__(self) -> None:
        self.manager = KernelManager()
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, *, interrupt_when: str | None = None, timeout_s: float = 60.0) -> str:
        """Execute a cell; returns what it printed and the error it ended with. Interrupts when a text has been printed."""
        self.client.execute(code)
        said = ""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except Empty:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                said += content["text"]
            elif message["msg_type"] == "error":
                said += "\n" + "\n".join(content["traceback"]) + "\n"
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return said
            if interrupt_when and interrupt_when in said:
                interrupt_when = None
                self.manager.interrupt_kernel()
        raise TimeoutError(said)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    one = Notebook()
    yield one
    one.close()


def cells(store: str, *, here: str = "", save_every: float = 0.05) -> tuple[str, str]:
    return SETUP.replace("STORE", repr(store)).replace("SAVE_EVERY", repr(save_every)), LOOP.replace("HERE", here)


def newest(store: str):
    opened = open_store(store)
    return read_run(opened, find_run_folder(opened, "cats"))


def test_the_stop_button_lets_go_of_the_run_and_the_loop_cell_run_again_goes_on(notebook, tmp_path):
    store = str(tmp_path / "store")
    setup, loop = cells(store, here='print("at", run.step, flush=True) if run.step > 200 else None; time.sleep(0.002)')
    assert "NEW run" in notebook.run(setup)
    said = notebook.run(loop, interrupt_when="at 210")
    assert "KeyboardInterrupt" in said
    run = newest(store)
    assert run.head.holder is None
    assert run.sessions[-1].session.end.kind is EndKind.STOPPED
    stopped_at = int(notebook.run("print(run.step)"))
    said = notebook.run(loop.replace("> 200", "> 200_000") + "    if run.step > 400: break\n")
    assert int(notebook.run("print(run.step)")) >= 400 > stopped_at
    run = newest(store)
    assert run.sessions[-1].session.end is None
    assert run.head.holder == run.sessions[-1].session.id
    assert "safe to close" in notebook.run("run.finish()")


def test_the_stop_button_while_a_batch_is_fetched_lets_go_of_the_run_too(notebook, tmp_path):
    """Where data is slow most of the time is spent there, and not in a body."""
    store = str(tmp_path / "store")
    setup, loop = cells(store)
    slow = """
class Slow(torch.utils.data.Dataset):
    waits = True
    def __len__(self):
        return 64
    def __getitem__(self, index):
        if Slow.waits and run.step >= 40:
            print("fetching", flush=True)
            time.sleep(30)
        return (torch.ones(4) * index,)
loader = DataLoader(Slow(), batch_size=1, shuffle=True)
"""
    notebook.run(setup + slow)
    assert "KeyboardInterrupt" in notebook.run(loop, interrupt_when="fetching")
    run = newest(store)
    assert run.head.holder is None
    assert run.sessions[-1].session.end.kind is EndKind.STOPPED
    notebook.run("Slow.waits = False\n" + loop + "    if run.step > 60: break\n")
    assert int(notebook.run("print(run.step)")) >= 60
    run = newest(store)
    assert run.head.holder == run.sessions[-1].session.id
    assert "safe to close" in notebook.run("run.finish()")


def test_a_body_stopped_between_backward_and_step_goes_back_to_the_last_checkpoint_and_says_so(notebook, tmp_path):
    store = str(tmp_path / "store")
    setup, loop = cells(store, here='(print("between", flush=True), time.sleep(30)) if run.step == 120 else None')
    notebook.run(setup)
    assert "KeyboardInterrupt" in notebook.run(loop, interrupt_when="between")
    said = notebook.run(loop.replace("run.step == 120", "False") + "    if run.step > 150: break\n")
    assert "cut before the optimizer stepped" in said
    assert "continuing from the last checkpoint" in said
    run = newest(store)
    assert len(run.sessions) == 2
    assert run.sessions[1].session.resumed_from.session == run.sessions[0].session.id
    notebook.run("run.finish()")


def test_an_error_in_a_body_is_the_sessions_end_and_run_all_goes_on(notebook, tmp_path):
    store = str(tmp_path / "store")
    setup, loop = cells(store, here="1 / 0 if run.step == 80 else None")
    notebook.run(setup)
    assert "ZeroDivisionError" in notebook.run(loop)
    session = newest(store).sessions[-1].session
    assert session.end.kind is EndKind.FAILED
    assert "ZeroDivisionError" in session.end.detail
    said = notebook.run(setup)
    assert "closing that session first" in said
    assert "continuing at step" in said
    assert "NEW run" not in said


def test_status_as_a_cells_last_line_is_a_card(notebook, tmp_path):
    setup, _ = cells(str(tmp_path / "store"))
    notebook.run(setup)
    assert "safe to close" in notebook.run("print(run.status())")
    assert "<div" in notebook.run("print(run.status()._repr_html_())")


def test_an_error_of_ours_shows_the_users_line_and_the_hint_and_nothing_from_inside(notebook, tmp_path):
    said = notebook.run(
        f"import batonpass as bp\nrun = bp.start('cats', store={str(tmp_path / 'store')!r}, run_id='1a5e0000')"
    )
    line, shown, *words = said.strip().splitlines()
    assert "in <module>" in line
    assert shown.strip().startswith("run = bp.start(")
    assert words[0].startswith("NotFoundError: ")
    assert words[1].startswith("  What to do: ")
    assert len(words) == 2


def test_the_kernel_killed_and_restarted_ships_the_rest_and_goes_on(tmp_path):
    store = str(tmp_path / "store")
    setup, loop = cells(store)
    first = Notebook()
    first.run(setup)
    first.client.execute(loop)
    folder = Path(store)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(folder.glob("runs/*/checkpoints/*"))) < 3:
        time.sleep(0.05)
    first.close()  # SIGKILL
    second = Notebook()
    said = second.run(setup)
    second.close()
    assert "continuing at step" in said
    assert newest(store).sessions[0].session.end.kind is EndKind.RESTARTED
