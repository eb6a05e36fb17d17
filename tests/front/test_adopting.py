"""A file that people have becomes a run: adopt, start, attach, train on, and resume that exactly on another day."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import batonpass as bp
from batonpass.core.errors import CheckpointMismatchError, CorruptCheckpointError, NothingToRestoreError, UsageError


class Net(nn.Module):
    """Two layers, the second tied to nothing; batch statistics."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.one, self.norm, self.two = nn.Linear(4, width), nn.BatchNorm1d(width), nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.two(self.norm(self.one(x)))


class Training:
    """What people have: a model, an optimizer, a schedule and a scaler that have gone some steps."""

    def __init__(self, seed: int = 0, steps: int = 0, model: nn.Module | None = None) -> None:
        torch.manual_seed(seed)
        self.model = model or Net()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, [2, 4])
        self.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        for _ in range(steps):
            self.step(torch.randn(8, 4))

    def step(self, batch: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        self.scaler.scale(self.model(batch).square().mean()).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()

    @property
    def parts(self) -> dict:
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler, "scaler": self.scaler}

    def weights(self) -> dict:
        return {k: v.tolist() for k, v in self.model.state_dict().items()}

    def everything(self) -> list:
        moments = [v["exp_avg_sq"].tolist() for v in self.optimizer.state.values()]
        return [self.weights(), moments, self.scheduler.last_epoch, self.scaler.get_scale()]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def go_on(store: str, training: Training, **more) -> bp.Run:
    return bp.start("old", store=store, goal_steps=30, sync_every_s=0.05, **more).attach(**training.parts)


def resumed(run: bp.Run):
    """This session's record of what it continued from."""
    return run.joined.writer.record.resumed_from


LAYOUTS = {
    "tutorial": lambda t: {
        "model_state_dict": t.model.state_dict(),
        "optimizer_state_dict": t.optimizer.state_dict(),
        "scheduler": t.scheduler.state_dict(),
        "scaler": t.scaler.state_dict(),
        "epoch": 3,
        "global_step": 5,
        "best": np.float64(0.5),
    },
    "lightning": lambda t: {
        "state_dict": {f"net.{k}": v for k, v in t.model.state_dict().items()} | {"criterion.weight": torch.ones(2)},
        "optimizer_states": [t.optimizer.state_dict()],
        "lr_schedulers": [t.scheduler.state_dict()],
        "MixedPrecision": t.scaler.state_dict(),
        "epoch": 3,
        "global_step": 5,
        "loops": {"fit_loop": {}},
    },
    "data parallel, compiled": lambda t: {
        "net": {f"module._orig_mod.{k}": v for k, v in t.model.state_dict().items()},
        "optim": t.optimizer.state_dict(),
        "sched": t.scheduler.state_dict(),
        "amp": t.scaler.state_dict(),
        "iteration": torch.tensor(5),
        "epoch": 3,
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_of_the_usual_layouts_goes_on_with_all_that_it_holds(store, tmp_path, layout, capsys):
    old = Training(steps=5)
    torch.save(LAYOUTS[layout](old), tmp_path / "old.pt")
    bp.adopt(tmp_path / "old.pt", run="old", store=store)
    new = Training(seed=9)
    run = go_on(store, new)
    assert new.everything() == old.everything()
    assert (run.step, run.epoch) == (5, 3)
    record = resumed(run)
    assert (record.label, record.step) == ("PARTIAL", 5)
    assert any("random streams" in why for why in record.missing)
    said = capsys.readouterr().out
    assert "PARTIAL" in said
    assert "continuing at step 6" in said
    run.finish()


def test_what_goes_on_from_it_is_an_ordinary_run(store, tmp_path):
    """Its own first checkpoint resumes exactly."""
    torch.save(LAYOUTS["tutorial"](Training(steps=5)), tmp_path / "old.pt")
    bp.adopt(tmp_path / "old.pt", run="old", store=store)
    new = Training(seed=9)
    run = go_on(store, new, seed=1)
    batches = [torch.randn(8, 4) for _ in range(10)]
    for batch in run.steps(batches):
        new.step(batch)
        if run.step == 9:
            break
    run.finish()
    after = new.everything()
    third = Training(seed=33)
    run = go_on(store, third)
    assert run.step == 9
    assert third.everything() == after
    assert resumed(run).label == "EXACT"
    run.finish()


def test_a_bare_state_dict_brings_the_weights_and_names_what_it_lacks(store, tmp_path):
    old = Training(steps=5)
    torch.save(old.model.state_dict(), tmp_path / "weights.pth")
    bp.adopt(tmp_path / "weights.pth", run="old", store=store)
    new = Training(seed=9)
    run = go_on(store, new)
    assert new.weights() == old.weights()
    missing = " ".join(resumed(run).missing)
    assert "optimizer: not in the file: its moments start from zero" in missing
    assert "scheduler: not in the file" in missing
    run.finish()


def test_safetensors_with_a_tied_weight(store, tmp_path):
    class Tied(Net):
        def __init__(self) -> None:
            super().__init__()
            self.three = nn.Linear(6, 2)
            self.three.weight = self.two.weight

    old = Training(steps=3, model=Tied())
    tensors = {k: v.clone() for k, v in old.model.state_dict().items() if k != "three.weight"}
    save_file(tensors, tmp_path / "model.safetensors")
    bp.adopt(tmp_path / "model.safetensors", run="old", store=store)
    new = Training(seed=9, model=Tied())
    go_on(store, new).finish()
    assert new.weights() == old.weights()


def test_a_folder_of_the_hugging_face_trainer(store, tmp_path):
    old = Training(steps=5)
    folder = tmp_path / "checkpoint-5"
    folder.mkdir()
    save_file(dict(old.model.state_dict()), folder / "model.safetensors")
    torch.save(old.optimizer.state_dict(), folder / "optimizer.pt")
    torch.save(old.scheduler.state_dict(), folder / "scheduler.pt")
    torch.save(old.scaler.state_dict(), folder / "scaler.pt")
    torch.save({"python": (3, (1,), None)}, folder / "rng_state.pth")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 5, "epoch": 2.5, "log_history": []}))
    bp.adopt(folder, run="old", store=store)
    new = Training(seed=9)
    run = go_on(store, new)
    assert new.everything() == old.everything()
    assert (run.step, run.epoch) == (5, 2)
    run.finish()


def test_two_models_are_told_apart_by_their_names(store, tmp_path):
    torch.manual_seed(0)
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    torch.save({"netD": second.state_dict(), "netG": first.state_dict()}, tmp_path / "gan.pt")
    bp.adopt(tmp_path / "gan.pt", run="old", store=store)
    a, b = nn.Linear(3, 3), nn.Linear(3, 3)
    bp.start("old", store=store, goal_steps=9, sync_every_s=0.05).attach(netG=a, netD=b).finish()
    assert torch.equal(a.weight, first.weight)
    assert torch.equal(b.weight, second.weight)


def test_another_model_is_refused_and_nothing_has_changed(store, tmp_path):
    torch.save(LAYOUTS["tutorial"](Training(steps=5)), tmp_path / "old.pt")
    bp.adopt(tmp_path / "old.pt", run="old", store=store)
    other = Training(seed=9, model=Net(width=7))
    before = other.everything()
    with pytest.raises(CheckpointMismatchError, match=r"one.weight is \[6, 4\] there and \[7, 4\] here") as caught:
        go_on(store, other)
    assert caught.value.hint
    assert other.everything() == before


def test_an_optimizer_of_other_parameters_never_gets_the_moments_of_these(store, tmp_path):
    old = Training(steps=5)
    torch.save({"model": old.model.state_dict(), "optimizer": old.optimizer.state_dict()}, tmp_path / "old.pt")
    bp.adopt(tmp_path / "old.pt", run="old", store=store)
    model = Net()
    turned = torch.optim.AdamW(reversed(list(model.parameters())))
    run = bp.start("old", store=store, goal_steps=9, sync_every_s=0.05).attach(model=model, optimizer=turned)
    assert not turned.state
    assert any("its moments start from zero" in why for why in resumed(run).missing)
    run.finish()


class Evil:
    """What a pickle from elsewhere may hold."""

    ran = False

    def __reduce__(self):
        return (evil, ())


def evil() -> None:
    Evil.ran = True


def test_a_file_that_would_run_code_is_left_closed(store, tmp_path):
    torch.save({"model": Training().model.state_dict(), "extra": Evil()}, tmp_path / "old.pt")
    Evil.ran = False
    bp.adopt(tmp_path / "old.pt", run="old", store=store)
    with pytest.raises(CheckpointMismatchError, match="could run code") as caught:
        go_on(store, Training())
    assert "evil" in caught.value.message
    assert "state_dict" in caught.value.hint
    assert not Evil.ran


def test_numbers_of_numpy_are_plain_data_and_objects_in_its_arrays_are_not(tmp_path):
    from batonpass.core.training.foreign_files import read_entries

    torch.save({"best": np.float32(math.pi), "a": np.arange(3.0), "n": np.int64(4)}, tmp_path / "plain.pt")
    found = read_entries(tmp_path, ["plain.pt"]).values
    assert found["n"] == 4
    assert found["a"].tolist() == [0.0, 1.0, 2.0]
    Evil.ran = False
    torch.save({"a": np.array([Evil()], dtype=object)}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointMismatchError):
        read_entries(tmp_path, ["evil.pt"])
    assert not Evil.ran


@pytest.mark.parametrize(("size", "words"), [(0, "empty"), (300, "cut off or damaged"), (-40, "cut off or damaged")])
def test_a_broken_file_is_said_to_be_so_in_plain_words(tmp_path, size, words):
    """Torch's own words for the first are no words at all, for the others the name of a C++ class."""
    from batonpass.core.training.foreign_files import read_entries

    path = tmp_path / "old.pt"
    torch.save(LAYOUTS["tutorial"](Training(steps=1)), path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CorruptCheckpointError, match=words) as caught:
        read_entries(tmp_path, ["old.pt"])
    assert caught.value.hint


def test_a_lost_adopted_file_is_no_fresh_start(store, tmp_path):
    torch.save(LAYOUTS["tutorial"](Training(steps=5)), tmp_path / "old.pt")
    bp.adopt(tmp_path / "old.pt", run="old", store=store)
    for path in Path(store).glob("runs/*/files/*"):
        path.unlink()
    for path in Path(bp.core.settings.read_settings().home).rglob("old.pt"):
        path.unlink()
    with pytest.raises(NothingToRestoreError):
        go_on(store, Training())


def test_a_run_whose_adopting_was_cut_off_is_no_fresh_start(store, tmp_path, monkeypatch):
    """The process dies between making the run and keeping the file."""
    from batonpass.sync import adopting

    def killed(*_args, **_kwargs):
        raise KeyboardInterrupt

    torch.save(LAYOUTS["tutorial"](Training(steps=5)), tmp_path / "old.pt")
    monkeypatch.setattr(adopting, "take_snapshot", killed)
    with pytest.raises(KeyboardInterrupt):
        bp.adopt(tmp_path / "old.pt", run="old", store=store)
    with pytest.raises(NothingToRestoreError):
        go_on(store, Training())
    with pytest.raises(UsageError, match="is there already") as caught:
        bp.adopt(tmp_path / "old.pt", run="old", store=store)
    assert "forget" in caught.value.hint


def test_an_optimizer_of_another_kind_trains_on_after_the_resume(store, tmp_path):
    """Torch would load SGD's options into AdamW, whose first step then fails."""
    old = Training(steps=2)
    sgd = torch.optim.SGD(old.model.parameters(), lr=0.1).state_dict()
    torch.save({"model": old.model.state_dict(), "optimizer": sgd}, tmp_path / "old.pt")
    bp.adopt(tmp_path / "old.pt", run="old", store=store)
    new = Training(seed=9)
    run = go_on(store, new)
    new.step(torch.randn(8, 4))
    assert any("another kind of optimizer" in why for why in resumed(run).missing)
    run.finish()
