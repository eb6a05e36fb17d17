"""Files that did not change lie on the store once for the whole run, also when the next session resumes from this machine's own disk."""

from __future__ import annotations

from pathlib import Path

from front_training import model_and_optimizer, start, train

PATTERN = "runs/*/files/*-model-frozen-*.safetensors"


def test_frozen_weights_lie_on_the_store_once_after_a_second_session_on_the_same_machine(tmp_path):
    store = str(tmp_path / "store")
    for stop_at in (4, 8):
        model, optimizer = model_and_optimizer()
        model[0].requires_grad_(requires_grad=False)
        run = start(store).attach(model=model, optimizer=optimizer)
        train(run, model, optimizer, stop_at=stop_at)
        assert run.finish()
    assert len(list(Path(store).glob(PATTERN))) == 1
