"""A tiny training with `transformers.Trainer` as a program: dropout, shuffling, random augmentation. Kills itself where it is told to."""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import time
from pathlib import Path

import torch
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments

from batonpass.callbacks.huggingface import BatonpassCallback


class Sentences(Dataset):
    """With `augment` a word of each is replaced at random, in the fetching process."""

    def __init__(self, *, augment):
        self.augment = augment

    def __len__(self):
        return 24

    def __getitem__(self, index):
        words = torch.arange(6) + index
        if self.augment:
            words[random.randrange(6)] = torch.randint(30, (1,)).item()
        return {"input_ids": words, "labels": torch.tensor(index % 2)}


class Killed(TrainerCallback):
    """SIGKILL after a step, once the store has a checkpoint."""

    def __init__(self, at, batonpass):
        self.at, self.batonpass = at, batonpass

    def on_step_end(self, args, state, control, **more):
        if state.global_step != self.at:
            return
        deadline = time.monotonic() + 120
        while self.batonpass._mirroring._watch.status().durable is None:
            assert time.monotonic() < deadline, "nothing became durable"
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)


def build():
    torch.manual_seed(3)
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=32,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            max_position_embeddings=8,
            hidden_dropout_prob=0.3,
            attention_probs_dropout_prob=0.3,
        )
    )


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder", type=Path)
    p.add_argument("--store")
    p.add_argument("--resume", action="store_true")
    p.add_argument("--kill", type=int, default=0)
    p.add_argument(
        "--die-saving", type=int, default=0, help="SIGKILL while the checkpoint of this step is half written"
    )
    p.add_argument("--every", type=int, default=4)
    p.add_argument("--workers", type=int, default=0)
    p.add_argument("--limit", type=int)
    p.add_argument("--augment", action="store_true")
    p.add_argument("--steady", action="store_true")
    a = p.parse_args()
    model = build()
    ours = BatonpassCallback("tiny", store=a.store)
    data = Sentences(augment=a.augment)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            a.folder,
            num_train_epochs=4,
            per_device_train_batch_size=4,
            learning_rate=0.01,
            save_steps=a.every,
            logging_steps=1,
            save_total_limit=a.limit,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            seed=7,
            dataloader_num_workers=a.workers,
        ),
        train_dataset=ours.steady(data) if a.steady else data,
        callbacks=[ours, *([Killed(a.kill, ours)] if a.kill else [])],
    )
    if a.die_saving:
        whole = trainer._save_rng_state

        def half(folder):
            if trainer.state.global_step == a.die_saving:
                Killed(a.die_saving, ours).on_step_end(None, trainer.state, None)
            whole(folder)

        trainer._save_rng_state = half
    trainer.train(resume_from_checkpoint=ours.resume_from() if a.resume else None)
    weights = b"".join(t.numpy().tobytes() for t in model.state_dict().values())
    print("WEIGHTS", hashlib.sha256(weights).hexdigest())


if __name__ == "__main__":
    main()
