"""Files of the real Lightning and the real Hugging Face Trainer go on in attached objects."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from batonpass.core.training.attached import Attached
from batonpass.core.training.foreign_files import read_entries
from batonpass.core.training.foreign_match import match

pytestmark = [pytest.mark.trainers, pytest.mark.filterwarnings("ignore")]


def test_a_file_of_lightning(tmp_path):
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):
        def __init__(self, width: int = 4) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(nn.Linear(3, width), nn.Linear(width, 1))

        def training_step(self, batch, _index):
            return self.net(batch[0]).square().mean()

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), lr=0.01)
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]

    module = Module()
    data = torch.utils.data.TensorDataset(torch.randn(8, 3))
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=2))
    file = next((tmp_path / "checkpoints").glob("*.ckpt"))
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    attached = Attached()
    attached.add(model=model, optimizer=optimizer, scheduler=torch.optim.lr_scheduler.StepLR(optimizer, 5))
    entries = read_entries(file.parent, [file.name])
    found = match(entries.values, attached, ordered=entries.ordered)
    assert not found.problems
    assert found.found.keys() == {"model", "optimizer", "scheduler"}
    assert torch.equal(found.found["model"].state["0.weight"], module.net[0].weight)
    assert (found.step, found.epoch) == (8, 2)  # its own "epoch" says 1: the last one that ran, and it was finished
    assert "hyper_parameters" in found.unused


def test_a_folder_of_the_trainer_with_tied_weights(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=8,
    )
    trained = transformers.BertForMaskedLM(config)
    data = [{"input_ids": torch.randint(0, 30, (6,)), "labels": torch.randint(0, 30, (6,))} for _ in range(8)]
    arguments = transformers.TrainingArguments(
        str(tmp_path),
        per_device_train_batch_size=2,
        max_steps=3,
        save_steps=3,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = transformers.Trainer(trained, arguments, train_dataset=data)
    trainer.train()
    folder = tmp_path / "checkpoint-3"
    files = [p.relative_to(tmp_path).as_posix() for p in folder.iterdir()]
    model = transformers.BertForMaskedLM(config)
    again = transformers.Trainer(model, arguments, train_dataset=data)
    optimizer = again.create_optimizer()
    attached = Attached()
    attached.add(model=model, optimizer=optimizer, scheduler=again.create_scheduler(3, optimizer))
    entries = read_entries(Path(tmp_path), files)
    found = match(entries.values, attached, ordered=entries.ordered)
    assert not found.problems, found.problems
    assert found.found.keys() == {"model", "optimizer", "scheduler"}, found.missing
    assert found.step == 3
    assert torch.equal(
        found.found["model"].state["cls.predictions.decoder.weight"], trained.cls.predictions.decoder.weight
    )
