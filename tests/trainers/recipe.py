"""Runs a recipe of docs/CHECKPOINTS.md as its reader would, in a folder of its own: `recipe.py FOLDER --store STORE TITLE`."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "CHECKPOINTS.md"
STORE = '"/content/drive/MyDrive/batonpass"'


def recipe(title):
    """The code of a section, its blocks in the order of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"### {title}\n", 1)[1].split("\n### ", 1)[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def names_for(title):
    """What the reader has defined above the recipe."""
    if title == "Keras":
        import numpy as np
        from trainers.keras_training import build

        x = np.random.RandomState(1).rand(8, 4).astype("float32")
        return {"build_model": build, "x": x, "y": x.sum(1, keepdims=True)}
    if title == "Lightning":
        from torch.utils.data import DataLoader
        from trainers.lightning_training import Net, Points

        return {"model": Net(), "loader": DataLoader(Points(), batch_size=4, shuffle=True)}
    from trainers.huggingface_training import Sentences, build
    from transformers import TrainingArguments

    args = TrainingArguments(
        "out",
        num_train_epochs=1,
        per_device_train_batch_size=4,
        save_steps=3,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    return {"model": build(), "args": args, "dataset": Sentences(augment=False)}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder", type=Path)
    p.add_argument("--store")
    p.add_argument("title")
    a = p.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(a.folder)
    names = names_for(a.title)
    code = recipe(a.title)
    assert STORE in code[0]
    for block in code:
        exec(compile(block.replace(STORE, repr(a.store)), str(PAGE), "exec"), names)
    print("WEIGHTS", "0" * 64)


if __name__ == "__main__":
    main()
