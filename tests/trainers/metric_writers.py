"""Real trainers and loggers that write metrics into a folder, each as a program: `python metric_writers.py WHICH FOLDER`.

What they log is printed as JSON: {name: [[step, value], ...]}.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
warnings.simplefilter("ignore")


def summary_writer(folder):
    import torch
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder / "logs") as writer:
        for step in range(20):
            writer.add_scalar("loss", 1 / (step + 1), step)
            writer.add_scalar("new/loss", step / 3, step, new_style=True)
            writer.add_scalar("exact", step / 7, step, new_style=True, double_precision=True)
            writer.add_histogram("weights", torch.randn(100), step)
            writer.add_text("note", "hello", step)
        writer.add_image("picture", torch.rand(3, 64, 64), 5)
        writer.add_scalar("odd", float("nan"), 7)
        writer.add_hparams({"lr": 0.1}, {"hparam/best": 0.5}, run_name=".")
    read = EventAccumulator(str(folder / "logs"), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    found = {tag: [[e.step, e.value] for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    for tag in read.Tags()["tensors"]:
        if read.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
            found[tag] = [[e.step, _number(e.tensor_proto)] for e in read.Tensors(tag)]
    return found


def _number(proto):
    from tensorboard.util.tensor_util import make_ndarray

    return float(make_ndarray(proto).item())


def lightning_csv(folder):
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(folder, flush_logs_every_n_steps=1)
    found = {}
    for step in range(6):
        metrics = {"loss": step / 3} | ({"val": step / 7} if step >= 3 else {})
        logger.log_metrics({**metrics, "epoch": step // 2}, step)
        for name, value in metrics.items():
            found.setdefault(name, []).append([step, value])
    logger.save()
    return found


def keras_csv(folder):
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    log = keras.callbacks.CSVLogger(str(folder / "training.log"))
    save = keras.callbacks.ModelCheckpoint(str(folder / "model.keras"))
    x = np.random.default_rng(0).normal(size=(16, 3))
    history = model.fit(x, x.sum(1), epochs=3, verbose=0, callbacks=[log, save]).history
    return {name: list(enumerate(values)) for name, values in history.items()}


def hugging_face(folder):
    import torch
    from transformers import Trainer, TrainingArguments

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def forward(self, x, labels):
            return {"loss": ((self.layer(x)[:, 0] - labels) ** 2).mean()}

    data = [{"x": torch.randn(4), "labels": torch.tensor(1.0)} for _ in range(16)]
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=6, logging_steps=1, save_steps=3, per_device_train_batch_size=4,
        report_to=sys.argv[3:], disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    trainer = Trainer(Net(), arguments, train_dataset=data)
    trainer.train()
    history = [entry for entry in trainer.state.log_history if "loss" in entry]
    return {
        "loss": [[e["step"], e["loss"]] for e in history],
        "learning_rate": [[e["step"], e["learning_rate"]] for e in history],
    }


if __name__ == "__main__":
    print("\n" + json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
