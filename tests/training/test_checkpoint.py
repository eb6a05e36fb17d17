"""A checkpoint folder: whole or not there, opened with plain libraries, refused when one bit differs."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, load_model
from training.states import Setup, Tied, draft

from batonpass.core import files
from batonpass.core.errors import CheckpointMismatchError, CorruptCheckpointError, FormatError, UsageError
from batonpass.core.manifest_file import seal_again
from batonpass.core.training import commit, read
from batonpass.core.training.attached import Attached
from batonpass.core.training.commit import clear_half_written, write_checkpoint
from batonpass.core.training.read import read_checkpoint, verify_file
from batonpass.core.training.restore import EXACT, PARTIAL, SAME_DATA, apply
from batonpass.core.training.snapshot import Snapshotter


def save(setup: Setup, parent: Path, *, step: int = 1, snapshotter: Snapshotter | None = None) -> Path:
    snapshot = (snapshotter or Snapshotter()).take(setup.attached, {"epoch": 0})
    assert snapshot is not None
    with snapshot:
        return write_checkpoint(snapshot, parent, draft(step))[0]


def everything(setup: Setup) -> dict:
    return {
        "model": setup.model.state_dict(),
        "calls": setup.model.calls,
        "optimizer": setup.optimizer.state_dict(),
        "scheduler": setup.scheduler.state_dict(),
        "scaler": setup.scaler.state_dict(),
        "ema": setup.ema.state_dict(),
        "state": setup.attached.state,
    }


def assert_same(a, b) -> None:
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


@pytest.fixture
def trained() -> Setup:
    setup = Setup(steps=3)
    setup.attached.state.update(best=float("inf"), bad_epochs=2, history=[(1, torch.ones(2))])
    return setup


@pytest.mark.parametrize("free_bytes", [1 << 40, 0], ids=["from the buffer", "from the live tensors"])
def test_everything_attached_comes_back_bit_for_bit_and_says_exact(trained, tmp_path, free_bytes):
    folder = save(trained, tmp_path, snapshotter=Snapshotter(lambda: free_bytes))
    fresh = Setup(steps=1, seed=5)
    report = apply(read_checkpoint(folder), fresh.attached)
    assert (report.label, report.missing) == (EXACT, ())
    assert_same(everything(fresh), everything(trained))
    trained_next, fresh_next = (Setup.step, Setup.step)
    torch.manual_seed(1)
    trained_next(trained)
    torch.manual_seed(1)
    fresh_next(fresh)
    assert_same(everything(fresh), everything(trained))


def test_every_random_stream_continues_where_it_was(tmp_path):
    own = {"rng_a": np.random.default_rng(1), "rng_b": torch.Generator(), "rng_c": random.Random(2)}
    attached = Attached()
    attached.add(**own)
    legacy = np.random.mtrand._rand
    legacy.standard_normal(3)  # leaves half of a pair behind

    def draw():
        return (
            random.random(), legacy.standard_normal(), torch.rand(1).item(), own["rng_a"].random(),
            torch.rand(1, generator=own["rng_b"]).item(), own["rng_c"].random(),
        )  # fmt: skip

    with Snapshotter().take(attached, {}) as snapshot:
        folder, _ = write_checkpoint(snapshot, tmp_path, draft())
    expected = draw()
    assert draw() != expected
    apply(read_checkpoint(folder), attached)
    assert draw() == expected


def test_the_files_open_with_safetensors_alone_and_hold_tied_weights_once(trained, tmp_path):
    folder = save(trained, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    assert "head.weight" not in tensors
    assert torch.equal(tensors["embed.weight"], trained.model.head.weight)
    nothing_extra = {n: getattr(torch.nn.Module, n) for n in ("get_extra_state", "set_extra_state")}
    model = type("Plain", (Tied,), nothing_extra)()
    missing, unexpected = load_model(model, folder / "model.safetensors", strict=False)
    assert set(missing) == {"frozen.weight", "frozen.bias"}
    assert not unexpected
    assert torch.equal(model.head.weight, trained.model.head.weight)
    assert {p.name for p in folder.iterdir()} >= {"model-frozen.safetensors", "trainer.json", "manifest.json"}
    assert "state.model.embed.weight.exp_avg" in load_file(folder / "optimizer.safetensors")


def test_the_manifest_describes_every_byte(trained, tmp_path):
    folder = save(trained, tmp_path)
    manifest = read.read_manifest(folder)
    assert {f.name for f in manifest.files} == {p.name for p in folder.iterdir()} - {"manifest.json"}
    for entry in manifest.files:
        digest = files.hash_file(folder / entry.name)
        assert (digest.size_bytes, digest.sha256) == (entry.size_bytes, entry.sha256)
    stored = {
        (f.name, k): v
        for f in manifest.files
        if f.name.endswith("tensors")
        for k, v in load_file(folder / f.name).items()
    }
    assert {(t.file, t.name): t.shape for t in manifest.tensors} == {k: tuple(v.shape) for k, v in stored.items()}


def test_frozen_weights_have_the_same_hash_in_every_checkpoint(trained, tmp_path):
    def shard(folder: Path) -> str:
        return next(f.sha256 for f in read.read_manifest(folder).files if f.name == "model-frozen.safetensors")

    first = save(trained, tmp_path, step=1)
    trained.step()
    assert shard(save(trained, tmp_path, step=2)) == shard(first)


def test_what_changes_after_the_snapshot_is_not_in_it(trained, tmp_path):
    before = {k: v.clone() for k, v in trained.model.state_dict().items() if k != "_extra_state"}
    with Snapshotter().take(trained.attached, {}) as snapshot:
        trained.step()
        trained.attached.state["history"].append("later")
        folder, _ = write_checkpoint(snapshot, tmp_path, draft())
    fresh = Setup()
    apply(read_checkpoint(folder), fresh.attached)
    assert all(torch.equal(fresh.model.state_dict()[k], v) for k, v in before.items())
    assert len(fresh.attached.state["history"]) == 1


def test_a_busy_writer_skips_the_tick(trained):
    snapshotter = Snapshotter()
    first = snapshotter.take(trained.attached, {})
    assert snapshotter.take(trained.attached, {}) is None
    first.release()
    first.release()
    second = snapshotter.take(trained.attached, {})
    first.release()
    assert snapshotter.take(trained.attached, {}) is None
    second.release()


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
        return
    if how == "flipped":
        at = random.randrange(len(data))
        data[at] ^= 1 << random.randrange(8)
    changed = {"empty": b"", "cut": data[:-1], "longer": data + b"x", "flipped": data}[how]
    path.write_bytes(changed)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "not there"),
        ("empty", "0 bytes"),
        ("cut", "cut off"),
        ("longer", "too long"),
        ("flipped", "other bytes"),
    ],
)
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "trainer.json", "rng.safetensors"])
def test_a_damaged_file_is_named_in_plain_words(trained, tmp_path, name, how, words):
    folder = save(trained, tmp_path)
    damage(folder / name, how)
    with pytest.raises(CorruptCheckpointError, match=words) as caught:
        read_checkpoint(folder)
    assert name in caught.value.message
    assert caught.value.hint


def test_a_thousand_flipped_bits_are_all_found(trained, tmp_path):
    folder = save(trained, tmp_path)
    manifest = read.read_manifest(folder)
    for entry in manifest.files:
        path = folder / entry.name
        whole = path.read_bytes()
        for _ in range(1000 // len(manifest.files) + 1):
            damage(path, "flipped")
            with pytest.raises(CorruptCheckpointError):
                verify_file(folder, entry)
            path.write_bytes(whole)
        verify_file(folder, entry)


def test_one_wrong_reading_is_not_corruption(trained, tmp_path):
    folder = save(trained, tmp_path)
    entry = read.read_manifest(folder).files[0]
    answers = [files.Digest(1, "0", "0"), files.hash_file(folder / entry.name)]
    verify_file(folder, entry, hash_it=lambda _: answers.pop(0))
    assert not answers


def test_an_error_while_reading_says_nothing_about_the_checkpoint(trained, tmp_path):
    folder = save(trained, tmp_path)

    def stale(_: Path):
        raise OSError(errno.ESTALE, "stale file handle")

    with pytest.raises(OSError, match="stale"):
        verify_file(folder, read.read_manifest(folder).files[0], hash_it=stale)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"format": 1}'])
def test_a_manifest_that_cannot_be_read_is_said_to_be_so(trained, tmp_path, body):
    folder = save(trained, tmp_path)
    (folder / "manifest.json").write_bytes(body)
    with pytest.raises((CorruptCheckpointError, FormatError)):
        read_checkpoint(folder)


def test_a_manifest_cannot_name_files_outside_its_folder(trained, tmp_path):
    folder = save(trained, tmp_path)
    whole = (folder / "manifest.json").read_bytes()
    manifest = json.loads(whole)
    manifest["files"][0]["name"] = "../../etc/passwd"
    (folder / "manifest.json").write_bytes(seal_again(json.dumps(manifest, indent=1).encode(), whole))
    with pytest.raises(FormatError, match="not a name of the format"):
        read_checkpoint(folder)


class KilledError(BaseException):
    """Stands for SIGKILL: no clean-up code for ordinary errors runs."""


WRITING = [(os, "fsync"), (os, "replace"), (Path, "mkdir"), (Path, "open")]


def stop_at(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> list[int]:
    """Let file operation `number` (and all later ones) fail; returns a counter. Threads that ran before, of apps that other tests have
    opened, are left alone.
    """
    count = [0]
    others = {*threading.enumerate()} - {threading.current_thread()}
    for owner, name in WRITING:
        real = getattr(owner, name)

        def counted(*args, real=real, **kwargs):
            if threading.current_thread() in others:
                return real(*args, **kwargs)
            count[0] += 1
            if count[0] > number:
                raise error
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
    return count


def test_killed_after_any_file_operation_a_reader_sees_the_old_or_the_new_checkpoint(trained, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        total = stop_at(patch, 10**9, KilledError())
        old = save(trained, tmp_path, step=1)
    trained.step()
    outcomes = set()
    for number in range(total[0] + 1):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, number, KilledError())
            with contextlib.suppress(KilledError):
                save(trained, tmp_path, step=2 + number)
        visible = [p for p in tmp_path.iterdir() if not p.name.startswith(files.TEMP_PREFIX)]
        outcomes.add(len(visible) - 1)
        for folder in visible:
            read_checkpoint(folder)
        for folder in visible:
            if folder != old:
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()
    assert outcomes == {0, 1}
    assert clear_half_written(tmp_path, older_than_s=3600) == 0
    assert clear_half_written(tmp_path, older_than_s=-1) > 3
    assert list(tmp_path.iterdir()) == [old]


def test_a_full_disk_leaves_nothing_half_and_the_older_checkpoint_good(trained, tmp_path):
    old = save(trained, tmp_path, step=1)
    for number in (1, 3, 6, 9):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, number, OSError(errno.ENOSPC, "No space left on device"))
            with pytest.raises(OSError, match="No space"):
                save(trained, tmp_path, step=2)
        assert list(tmp_path.iterdir()) == [old]
    read_checkpoint(old)


def test_an_existing_name_is_never_written_into(trained, tmp_path):
    save(trained, tmp_path)
    with pytest.raises(UsageError):
        save(trained, tmp_path)


def test_another_model_is_refused_with_names_and_nothing_is_changed(trained, tmp_path):
    folder = save(trained, tmp_path)
    other = Setup(width=7)
    before = {k: v.clone() for k, v in other.model.state_dict().items() if k != "_extra_state"}
    with pytest.raises(
        CheckpointMismatchError, match=r"embed\.weight has shape \[5, 6\] in the checkpoint and \[5, 7\] here"
    ):
        apply(read_checkpoint(folder), other.attached)
    assert all(torch.equal(other.model.state_dict()[k], v) for k, v in before.items())


def test_a_late_misfit_changes_nothing_before_it(trained, tmp_path):
    folder = save(trained, tmp_path)
    other = Setup()
    other.attached.add(scheduler=torch.optim.lr_scheduler.ExponentialLR(other.optimizer, 0.9))
    before = other.model.embed.weight.detach().clone()
    with pytest.raises(CheckpointMismatchError, match="a MultiStepLR in the checkpoint and a ExponentialLR here"):
        apply(read_checkpoint(folder), other.attached)
    assert torch.equal(other.model.embed.weight, before)


def test_another_name_for_the_model_is_refused(trained, tmp_path):
    folder = save(trained, tmp_path)
    attached = Attached()
    attached.add(net=Tied())
    with pytest.raises(CheckpointMismatchError, match="net: not in this checkpoint"):
        apply(read_checkpoint(folder), attached)


def test_what_is_not_attached_any_more_or_newly_attached_makes_it_partial(trained, tmp_path):
    folder = save(trained, tmp_path)
    fresh = Setup()
    del fresh.attached.adapters["scaler"]
    fresh.attached.add(tracker={"a": 1})
    report = apply(read_checkpoint(folder), fresh.attached)
    assert report.label == PARTIAL
    assert any("scaler" in m for m in report.missing)
    assert any("tracker" in m for m in report.missing)


def test_what_could_not_be_stored_makes_the_resume_partial_and_is_named(trained, tmp_path):
    trained.attached.state["callback"] = print
    folder = save(trained, tmp_path)
    report = apply(read_checkpoint(folder), Setup().attached)
    assert report.label == PARTIAL
    assert any("callback" in m for m in report.missing)


def test_another_torch_version_is_same_data_not_exact(trained, tmp_path):
    snapshot = Snapshotter().take(trained.attached, {})
    snapshot.environment["torch"] = "2.6.0"
    folder, _ = write_checkpoint(snapshot, tmp_path, draft())
    report = apply(read_checkpoint(folder), Setup().attached)
    assert report.label == SAME_DATA
    assert any("torch: 2.6.0 there" in d for d in report.differences)


def test_fp32_moments_of_a_bfloat16_weight_keep_their_digits(tmp_path):
    def make():
        weight = torch.nn.Linear(3, 3, dtype=torch.bfloat16)
        optimizer = torch.optim.SGD(weight.parameters(), lr=0.1, momentum=0.9)
        attached = Attached()
        attached.add(model=weight, optimizer=optimizer)
        return weight, optimizer, attached

    weight, optimizer, attached = make()
    optimizer.state[weight.weight]["momentum_buffer"] = torch.full((3, 3), 1 / 3)
    with Snapshotter().take(attached, {}) as snapshot:
        folder, _ = write_checkpoint(snapshot, tmp_path, draft())
    again, restored, attached = make()
    apply(read_checkpoint(folder), attached)
    assert torch.equal(restored.state[again.weight]["momentum_buffer"], torch.full((3, 3), 1 / 3))


def test_parameters_listed_in_another_order_get_their_own_state(tmp_path):
    def make(*, turned: bool):
        model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
        parameters = list(model.parameters())
        optimizer = torch.optim.Adam(parameters[::-1] if turned else parameters)
        attached = Attached()
        attached.add(model=model, optimizer=optimizer)
        return model, optimizer, attached

    model, optimizer, attached = make(turned=False)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    with Snapshotter().take(attached, {}) as snapshot:
        folder, _ = write_checkpoint(snapshot, tmp_path, draft())
    other, turned, attached = make(turned=True)
    apply(read_checkpoint(folder), attached)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(optimizer.state[p]["exp_avg"], turned.state[q]["exp_avg"])


def test_a_model_inside_torch_compile_has_its_plain_names(tmp_path):
    model = torch.compile(Tied(), backend="eager")
    attached = Attached()
    attached.add(model=model)
    with Snapshotter().take(attached, {}) as snapshot:
        folder, _ = write_checkpoint(snapshot, tmp_path, draft())
    plain = Attached()
    plain.add(model=Tied())
    assert apply(read_checkpoint(folder), plain).label == EXACT


@pytest.mark.parametrize("name", ["state", "rng", "aux", "größe"])
def test_a_name_that_cannot_be_a_file_is_refused(name):
    with pytest.raises(UsageError):
        Attached().add(**{name: Tied()})


def test_an_object_without_state_is_refused_with_a_hint():
    with pytest.raises(UsageError, match="state_dict"):
        Attached().add(model=[Tied()])


def test_the_loss_of_nan_does_not_stop_a_save(trained, tmp_path):
    from dataclasses import replace

    with Snapshotter().take(trained.attached, {}) as snapshot:
        _, manifest = write_checkpoint(snapshot, tmp_path, replace(draft(), metrics={"loss": float("nan"), "lr": 0.1}))
    assert manifest.metrics == {"lr": 0.1}
    assert commit.MANIFEST_FILE == "manifest.json"
