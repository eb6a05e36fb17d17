"""The callbacks are safe to import without their trainers, log numbers, mirror the folder, and end the session."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types

import pytest
import torch
from torch.utils.data import DataLoader
from watch.trainers import hf_folder, keras_zip, torch_zip

from batonpass.callbacks.lightning import doubts_about
from batonpass.core.errors import UsageError
from batonpass.core.settings import read_settings
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.stores import open_store


@pytest.fixture
def trainer_package(monkeypatch):
    """A stand-in module with the base class that a callback is made of."""

    def install(name, base, module):
        for depth in range(1, name.count(".") + 2):
            part = ".".join(name.split(".")[:depth])
            monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
        made = type(base, (), {"on_something_else": lambda self: "the base class's"})
        setattr(sys.modules[name], base, made)
        callbacks = importlib.import_module(module)
        callbacks.__dict__.pop("BatonpassCallback", None)
        kind = callbacks.BatonpassCallback
        assert issubclass(kind, made)
        callbacks.__dict__.pop("BatonpassCallback", None)
        return kind

    return install


def session_of(root, name="cats"):
    store = open_store(str(root), read_settings())
    run = read_run(store, find_run_folder(store, name))
    return run.sessions[-1].session


def logged(session):
    return {(session.tail.names[row[4]], row[1]): row[5] for row in session.tail.rows}


def test_importing_the_callbacks_imports_no_trainer():
    code = (
        "import sys\nimport batonpass.callbacks.huggingface, batonpass.callbacks.lightning, batonpass.callbacks.keras\n"
        "heavy = {'transformers', 'lightning', 'keras', 'torch', 'tensorflow'} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_hugging_face_callback_logs_and_mirrors(tmp_path, trainer_package):
    kind = trainer_package("transformers", "TrainerCallback", "batonpass.callbacks.huggingface")
    callback = kind("cats", store=tmp_path / "drive", say=lambda _: None)
    args = types.SimpleNamespace(output_dir=str(tmp_path / "out"))
    state = types.SimpleNamespace(global_step=0, epoch=0.0, is_world_process_zero=True)
    callback.on_train_begin(args, state, None, model=None)
    state.global_step, state.epoch = 500, 2.5
    callback.on_log(args, state, None, logs={"loss": 0.25, "note": "not a number"}, model=None)
    hf_folder(tmp_path / "out", 500)
    callback.on_train_end(args, state, None)
    session = session_of(tmp_path / "drive")
    assert logged(session) == {("loss", 500): 0.25}
    assert [c.step for c in session.checkpoints] == [500]
    assert session.end is not None
    assert callback.on_something_else() == "the base class's"


def test_other_ranks_mirror_nothing(tmp_path, trainer_package):
    kind = trainer_package("transformers", "TrainerCallback", "batonpass.callbacks.huggingface")
    callback = kind("cats", store=tmp_path / "drive", say=lambda _: None)
    state = types.SimpleNamespace(global_step=1, epoch=0.0, is_world_process_zero=False)
    callback.on_train_begin(types.SimpleNamespace(output_dir=str(tmp_path / "out")), state, None)
    callback.on_log(None, state, None, logs={"loss": 1.0})
    callback.on_train_end(None, state, None)
    assert not (tmp_path / "drive").exists()


def test_the_lightning_callback_logs_and_mirrors(tmp_path, trainer_package):
    kind = trainer_package("lightning.pytorch.callbacks", "Callback", "batonpass.callbacks.lightning")
    callback = kind("cats", store=tmp_path / "drive", every_steps=2, say=lambda _: None)
    trainer = types.SimpleNamespace(
        default_root_dir=str(tmp_path / "out"), global_step=0, current_epoch=0, callback_metrics={}, is_global_zero=True
    )
    callback.on_fit_start(trainer, None)
    for step in (1, 2, 3):
        trainer.global_step, trainer.callback_metrics = step, {"loss": step / 4}
        callback.on_train_batch_end(trainer, None, None, None, step)
    (tmp_path / "out" / "epoch=0-step=3.ckpt").write_bytes(torch_zip(1))
    callback.on_exception(trainer, None, RuntimeError())
    callback.on_fit_end(trainer, None)
    session = session_of(tmp_path / "drive")
    assert logged(session) == {("loss", 2): 0.5}
    assert [c.step for c in session.checkpoints] == [3]


def test_the_keras_callback_logs_and_mirrors(tmp_path, trainer_package):
    kind = trainer_package("keras.callbacks", "Callback", "batonpass.callbacks.keras")
    callback = kind("cats", folder=tmp_path / "out", store=tmp_path / "drive", say=lambda _: None)
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    callback.on_train_batch_end(0, {"loss": 9.0})
    callback.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75})
    (tmp_path / "out" / "epoch=1.keras").write_bytes(keras_zip(1))
    callback.on_train_end()
    session = session_of(tmp_path / "drive")
    assert logged(session) == {("loss", 1): 0.5, ("val_loss", 1): 0.75}
    assert [c.step for c in session.checkpoints] == [1]


@pytest.mark.parametrize("version", ["2.6.2", "2.6.3"])
def test_a_lightning_that_is_malware_is_refused_before_it_is_imported(monkeypatch, version):
    """Importing it is what does the harm."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    monkeypatch.setitem(sys.modules, "lightning", None)  # an import would now raise ImportError
    callbacks = importlib.import_module("batonpass.callbacks.lightning")
    callbacks.__dict__.pop("BatonpassCallback", None)
    with pytest.raises(UsageError, match="GHSA-w37p-236h-pfx3") as caught:
        callbacks.BatonpassCallback  # noqa: B018
    assert "pip install" in caught.value.hint


def test_the_hugging_face_callback_must_know_its_folder_before_it_resumes(tmp_path, trainer_package):
    kind = trainer_package("transformers", "TrainerCallback", "batonpass.callbacks.huggingface")
    callback = kind("cats", store=tmp_path / "drive", say=lambda _: None)
    with pytest.raises(UsageError, match="output folder"):
        callback.resume_from()
    callback.on_init_end(types.SimpleNamespace(output_dir=str(tmp_path / "out")), None, None)
    assert callback.resume_from() is None


class Own(torch.utils.data.Sampler):
    def __iter__(self):
        return iter(range(4))

    def __len__(self):
        return 4


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(range(4))


@pytest.mark.parametrize(
    ("loader", "word"),
    [
        (DataLoader(range(4), sampler=Own()), "sampler Own"),
        (DataLoader(range(4), batch_sampler=torch.utils.data.BatchSampler(Own(), 2, False)), "sampler Own"),
        (DataLoader(Stream()), "iterable"),
        (DataLoader(range(4), num_workers=1, persistent_workers=True), "workers live on"),
    ],
)
def test_what_cannot_be_seen_of_a_loader_is_named(loader, word):
    doubts = list(doubts_about(loader))
    assert len(doubts) == 1
    assert word in doubts[0]


def test_an_ordinary_loader_leaves_no_doubt():
    assert not list(doubts_about(DataLoader(range(4), shuffle=True, batch_size=2, num_workers=2)))
