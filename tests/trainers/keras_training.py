"""A tiny Keras training as a program: dropout, shuffling. Kills itself where it is told to."""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

from batonpass.callbacks.keras import BatonpassCallback


class Killed(keras.callbacks.Callback):
    """SIGKILL after a batch, once the store has a checkpoint."""

    def __init__(self, at, batonpass):
        super().__init__()
        self.at, self.batonpass, self.step = at, batonpass, 0

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step != self.at:
            return
        deadline = time.monotonic() + 120
        while self.batonpass._mirroring._watch.status().durable is None:
            assert time.monotonic() < deadline, "nothing became durable"
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)


def build():
    model = keras.Sequential(
        [keras.layers.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder", type=Path)
    p.add_argument("--store")
    p.add_argument("--resume", action="store_true")
    p.add_argument("--kill", type=int, default=0)
    p.add_argument("--first", action="store_true", help="our callback stands before ModelCheckpoint")
    p.add_argument("--without", action="store_true", help="the side-cars are removed before the training goes on")
    a = p.parse_args()
    keras.utils.set_random_seed(99 if a.resume else 7)
    data = np.random.RandomState(1).rand(24, 4).astype("float32")
    ours = BatonpassCallback("tiny", folder=a.folder, store=a.store, every_steps=1)
    found = ours.resume_from() if a.resume else None
    if a.without:
        for sidecar in a.folder.glob("*.batonpass.safetensors"):
            sidecar.unlink()
    model = keras.models.load_model(found) if found else build()
    saves = keras.callbacks.ModelCheckpoint(str(a.folder / "epoch-{epoch}.keras"))
    both = [ours, saves] if a.first else [saves, ours]
    model.fit(
        data,
        data.sum(1, keepdims=True),
        batch_size=4,
        epochs=4,
        initial_epoch=ours.initial_epoch,
        verbose=0,
        callbacks=[*both, *([Killed(a.kill, ours)] if a.kill else [])],
    )
    weights = b"".join(keras.ops.convert_to_numpy(v).tobytes() for v in model.trainable_variables)
    print("WEIGHTS", hashlib.sha256(weights).hexdigest())


if __name__ == "__main__":
    main()
