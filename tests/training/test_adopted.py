"""What another program saved finds its way into the attached objects, or is refused in words; never onto the wrong weights."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from batonpass.core.errors import CheckpointError, CheckpointMismatchError
from batonpass.core.training.attached import Attached
from batonpass.core.training.foreign_files import read_entries
from batonpass.core.training.foreign_match import Match, match
from batonpass.core.training.plain_numpy import PlainType, stand_ins


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))


def trained(
    model: nn.Module, kind: type[torch.optim.Optimizer] = torch.optim.AdamW, **options
) -> torch.optim.Optimizer:
    optimizer = kind(model.parameters(), lr=0.1, **options)
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    return optimizer


def matched(entries: dict, *, ordered: tuple = ("model",), **objects) -> Match:
    attached = Attached()
    attached.add(**objects)
    return match(entries, attached, ordered=ordered)


# Which weights


@pytest.mark.parametrize(
    ("wanted", "other"),
    [("net", "ema"), ("state_dict", "best_state_dict"), ("state_dict", "model_ema"), ("model", "model_ema")],
)
@pytest.mark.parametrize("first", [True, False])
def test_averaged_or_best_weights_are_never_taken_for_the_trained_ones(wanted, other, first):
    entries = {wanted: net(1).state_dict(), other: net(2).state_dict()}
    entries = entries if first else dict(reversed(entries.items()))
    result = matched(entries, model=net())
    assert result.found["model"].source == wanted
    assert any(other in entry for entry in result.unused)


def test_averaged_weights_inside_one_state_dict_are_told_apart_too():
    state = {f"ema_model.{k}": v for k, v in net(2).state_dict().items()}
    state |= {f"model.{k}": v for k, v in net(1).state_dict().items()}
    result = matched({"state_dict": state}, model=net())
    assert torch.equal(result.found["model"].state["0.weight"], state["model.0.weight"])
    assert "state_dict[ema_model.0.weight]" in result.unused


def test_two_that_fit_equally_well_are_both_named_and_neither_is_taken():
    result = matched({"left": net(1).state_dict(), "right": net(2).state_dict()}, model=net())
    assert not result.found
    assert "'left', 'right' fit equally well" in result.problems[0]


def test_the_parts_of_one_state_dict_go_to_the_modules_of_their_names():
    """As Lightning saves a GAN; the attached order does not matter."""
    one, two = net(1), net(2)
    state = {f"generator.{k}": v for k, v in one.state_dict().items()}
    state |= {f"discriminator.{k}": v for k, v in two.state_dict().items()}
    result = matched({"state_dict": state}, discriminator=net(), generator=net())
    assert not result.problems
    assert torch.equal(result.found["generator"].state["0.weight"], one[0].weight)
    assert torch.equal(result.found["discriminator"].state["0.weight"], two[0].weight)


def test_a_hand_made_average_goes_into_an_averaged_model_and_is_not_replaced_by_the_next_update():
    entries = {"model": net(1).state_dict(), "ema": net(2).state_dict()}
    result = matched(entries, model=net(), average=AveragedModel(net()))
    assert result.found["average"].source == "ema"
    assert int(result.found["average"].state["n_averaged"]) == 1
    assert any("counts as one" in why for why in result.missing)


def test_two_weights_that_are_one_here_are_refused_where_they_differ():
    tied = net()
    tied[1].weight = tied[0].weight
    result = matched({"model": net(1).state_dict()}, model=tied)
    assert "one tensor here and two there" in result.problems[0]


def test_rounded_weights_are_said_to_be_so():
    result = matched({"model": net(1).half().state_dict()}, model=net())
    assert any("float16" in why for why in result.missing)


def test_what_stands_for_a_plan_is_no_position():
    result = matched({"model": net(1).state_dict(), "epochs": 100, "steps": 5_000, "step": 7}, model=net())
    assert (result.step, result.epoch) == (7, None)


# Whose moments


def test_moments_go_by_the_files_order_and_stay_away_where_the_order_is_another():
    """Two layers of one shape: shapes alone cannot tell."""
    model, optimizer = net(1), trained(net(1))
    entries = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    assert matched(entries, model=net(), optimizer=trained(net())).found["optimizer"]
    entries["model"] = dict(reversed(model.state_dict().items()))
    result = matched(entries, model=net(), optimizer=trained(net()))
    assert "optimizer" not in result.found
    assert any("another order" in why for why in result.missing)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (torch.optim.SGD, torch.optim.AdamW),
        (torch.optim.AdamW, torch.optim.SGD),
        (torch.optim.Adam, torch.optim.AdamW),
        (torch.optim.AdamW, torch.optim.RMSprop),
    ],
)
def test_another_kind_of_optimizer_starts_from_zero_and_says_so(there, here):
    """Torch itself loads all of these; SGD's state makes AdamW fail in its first step, Adam's makes it another algorithm."""
    state = trained(net(1), there).state_dict()
    here(net().parameters(), lr=0.1).load_state_dict(state)
    result = matched(
        {"model": net(1).state_dict(), "optimizer": state}, model=net(), optimizer=here(net().parameters())
    )
    assert "optimizer" not in result.found
    assert any("does not fit" in why and "start from zero" in why for why in result.missing)


def test_the_step_comes_from_the_optimizer_where_the_file_does_not_say():
    result = matched(
        {"model": net(1).state_dict(), "opt": trained(net(1)).state_dict()}, model=net(), optimizer=trained(net())
    )
    assert result.step == 1
    assert any("own count" in why for why in result.missing)


def test_step_counts_that_differ_are_pointed_at():
    """As of a file that was saved while the training went on."""
    state = trained(net(1)).state_dict()
    state["state"][0]["step"] = torch.tensor(2.0)
    result = matched({"model": net(1).state_dict(), "optimizer": state}, model=net(), optimizer=trained(net()))
    assert any("count 1 to 2 steps" in why for why in result.missing)


@pytest.mark.parametrize(
    "state",
    [
        {"state": {}, "param_groups": [{}]},
        {"state": [], "param_groups": []},
        {"state": {0: 1}, "param_groups": [{"params": [0]}]},
        {"state": {}, "param_groups": [{"params": [[0]]}]},
        {"state": {}, "param_groups": None},
    ],
)
def test_what_only_looks_like_an_optimizer_is_none(state):
    result = matched({"model": net(1).state_dict(), "optimizer": state}, model=net(), optimizer=trained(net()))
    assert "optimizer" not in result.found


def test_another_kind_of_scheduler_is_not_loaded():
    """Torch itself takes any: it replaces the object's own attributes."""
    optimizer = trained(net())
    there = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9).state_dict()
    here = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    result = matched({"model": net(1).state_dict(), "scheduler": there}, model=net(), scheduler=here)
    assert "scheduler" not in result.found
    assert any("of another kind" in why for why in result.missing)


# Plain data only


class Crafted:
    """A float type whose state says that it holds objects: NumPy's own functions would take its numbers for pointers."""

    def __reduce__(self):
        return np.dtype, ("f8", False, True), (3, "<", None, None, None, -1, -1, 63)


def test_numpys_own_types_can_be_crafted_and_are_never_built(tmp_path):
    kind = np.dtype("f8", False, True)
    kind.__setstate__(
        (3, "<", None, None, None, -1, -1, 63)
    )  # what an allow-list of NumPy's functions would let a file do
    assert kind.hasobject
    torch.save({"kind": Crafted()}, tmp_path / "old.pt")
    found = read_entries(tmp_path, ["old.pt"]).values["kind"]
    assert found == np.dtype("f8")
    assert not found.hasobject


@pytest.mark.parametrize("kind", ["O", "V8", "M8[s]", "f8,f8", "S99999999", "f0", 5, None])
def test_types_that_are_not_plain_data_are_refused(kind):
    with pytest.raises(pickle.UnpicklingError):
        PlainType(kind).resolve()


def test_nothing_of_numpy_itself_is_in_the_list():
    assert not [what for what, _ in stand_ins() if getattr(what, "__module__", "").startswith("numpy")]


def test_numpys_state_of_a_stream_and_its_scalars_come_through(tmp_path):
    plain = {
        "rng": np.random.RandomState(3).get_state(),
        "best": np.float64(0.25),
        "order": np.arange(6, dtype=">i4").reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "none": np.zeros((0, 3)),
        "names": [(np.array(["a", "bc"]),)],
    }
    torch.save(plain, tmp_path / "old.pt")
    found = read_entries(tmp_path, ["old.pt"]).values
    np.testing.assert_equal(found, plain)


@pytest.mark.parametrize("bad", [np.array([{}], dtype=object), np.zeros(2, dtype=[("a", "i4")])])
def test_arrays_of_objects_or_records_are_refused_by_a_message(tmp_path, bad):
    torch.save({"a": bad}, tmp_path / "old.pt")
    with pytest.raises(CheckpointMismatchError):
        read_entries(tmp_path, ["old.pt"])


def test_a_whole_pickled_model_is_refused_by_its_class(tmp_path):
    """As Ultralytics saves it."""
    torch.save({"model": net()}, tmp_path / "best.pt")
    with pytest.raises(CheckpointMismatchError, match="Sequential") as caught:
        read_entries(tmp_path, ["best.pt"])
    assert "state_dict" in caught.value.hint


# Broken and unreadable files


def test_a_disk_that_cannot_be_read_says_nothing_about_the_file(tmp_path, monkeypatch):
    torch.save({"model": net().state_dict()}, tmp_path / "old.pt")

    def failing(*_args, **_kwargs):
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    monkeypatch.setattr(torch, "load", failing)
    with pytest.raises(OSError, match="not connected"):
        read_entries(tmp_path, ["old.pt"])


def test_a_file_that_does_not_fit_into_memory_is_not_called_damaged(tmp_path):
    """In a process that may have 400 MB more: torch says DefaultCPUAllocator."""
    torch.save({"model": {"w": torch.zeros(200_000_000)}}, tmp_path / "old.pt")
    code = (
        "import resource, sys, torch\n"
        "from pathlib import Path\n"
        "from batonpass.core.errors import CheckpointError, CorruptCheckpointError\n"
        "from batonpass.core.training.foreign_files import read_entries\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 400_000_000,) * 2)\n"
        "try:\n"
        "    read_entries(Path(sys.argv[1]), ['old.pt'])\n"
        "except CorruptCheckpointError as error:\n"
        "    print('CORRUPT', error)\n"
        "except CheckpointError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert "needs more memory than is free" in done.stdout, done.stdout + done.stderr
    assert "What to do" in done.stdout


@pytest.mark.parametrize("cut", [20, 200, 2000])
def test_an_old_bare_pickle_that_was_cut_off_is_not_called_dangerous(tmp_path, cut):
    torch.save({"model": net().state_dict()}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "old.pt").read_bytes()
    assert read_entries(tmp_path, ["old.pt"]).values["model"].keys() == net().state_dict().keys()
    (tmp_path / "old.pt").write_bytes(content[: len(content) * cut // 2001])
    with pytest.raises(CheckpointError) as caught:
        read_entries(tmp_path, ["old.pt"])
    assert "could run code" not in caught.value.message
    assert caught.value.hint


def test_hostile_bytes_only_ever_raise_our_errors(tmp_path):
    torch.save(
        {"model": net().state_dict(), "n": np.arange(3)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False
    )
    content = (tmp_path / "old.pt").read_bytes()
    chance = np.random.default_rng(5)
    for _ in range(300):
        changed = bytearray(content)
        for at in chance.integers(0, len(content), 3):
            changed[at] = chance.integers(0, 256)
        (tmp_path / "old.pt").write_bytes(changed)
        with contextlib.suppress(CheckpointError):
            read_entries(tmp_path, ["old.pt"])


def test_a_keras_file_is_said_to_be_another_librarys(tmp_path):
    Path(tmp_path / "old.keras").write_bytes(b"PK")
    with pytest.raises(CheckpointMismatchError, match="Keras"):
        read_entries(tmp_path, ["old.keras"])


def test_a_tuple_that_is_named_a_billion_times_is_settled_once():
    """A small file can hold one: without a memory of what was seen, attach would never end."""
    from batonpass.core.training.plain_numpy import settle

    tree = ()
    for _ in range(60):
        tree = (tree, tree)
    assert len(settle([tree])) == 1
