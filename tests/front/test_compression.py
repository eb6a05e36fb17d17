"""`start(compress=True)`: the store holds packed files, and the run goes on from them exactly, on another machine, packed or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from front_training import model_and_optimizer, start, train, weights

from batonpass.__main__ import main
from batonpass.core.snippets.inputs import SnippetInputs, Target
from batonpass.core.snippets.render import render


def leg(store: str, home: Path, monkeypatch: pytest.MonkeyPatch, *, stop_at: int | None, **options: object) -> bytes:
    """One session on a machine of its own; the weights it ends with."""
    monkeypatch.setenv("BATONPASS_HOME", str(home))
    model, optimizer = model_and_optimizer(width=2048)
    run = start(store, **options).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer, stop_at=stop_at)
    assert run.finish()
    return weights(model)


def test_a_packed_run_ends_with_the_weights_of_a_plain_one(tmp_path, monkeypatch, capsys):
    plain = leg(str(tmp_path / "plain"), tmp_path / "0", monkeypatch, stop_at=None)
    store = str(tmp_path / "drive")
    leg(store, tmp_path / "1", monkeypatch, stop_at=11, compress=True)
    assert list(Path(store).rglob("files/*-model-*.safetensors.zst"))
    assert leg(store, tmp_path / "2", monkeypatch, stop_at=None) == plain
    assert "continuing at step 12 of 40; nothing lost" in capsys.readouterr().out
    assert main(["verify", "cats", "--store", store, "--read", "1/1"]) == 0
    capsys.readouterr()
    assert main(["status", "cats", "--store", store, "--json"]) == 0
    sizes = [(c["size_bytes"], c["plain_size_bytes"]) for c in json.loads(capsys.readouterr().out)["checkpoints"]]
    assert any(unpacked and packed < unpacked for packed, unpacked in sizes)
    assert main(["restore", "cats", "--store", store, "--to", str(tmp_path / "back")]) == 0
    assert not list((tmp_path / "back").rglob("*.zst"))


def test_the_cell_without_batonpass_says_that_it_cannot_read_packed_files(tmp_path, monkeypatch):
    store = str(tmp_path / "drive")
    leg(store, tmp_path / "1", monkeypatch, stop_at=None, compress=True)
    folder = next((Path(store) / "runs").iterdir())
    root = json.loads((Path(store) / "batonpass.json").read_text())["root_id"]
    inputs = SnippetInputs(store=store, run_name="cats", run_id=folder.name[-8:], root_id=root)
    code = next(cell.source for cell in render(Target.TORCH, inputs).cells if cell.kind == "code")
    with pytest.raises(RuntimeError, match="batonpass restore"):
        exec(code, {})
