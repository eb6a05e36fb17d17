"""Files as trainers write them, made by hand."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from pathlib import Path


def safetensors(seed: int, size: int = 4000) -> bytes:
    body = random.Random(seed).randbytes(size)
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + body


def torch_zip(seed: int, size: int = 4000) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), b"\x80\x02}q\x00.")
        archive.writestr(zipfile.ZipInfo("archive/data/0"), random.Random(seed).randbytes(size))
    return out.getvalue()


def keras_zip(seed: int, *, without: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            if name != without:
                archive.writestr(zipfile.ZipInfo(name), random.Random(seed).randbytes(500))
    return out.getvalue()


def hf_folder(folder: Path, step: int) -> Path:
    target = folder / f"checkpoint-{step}"
    target.mkdir()
    (target / "model.safetensors").write_bytes(safetensors(step))
    for number, name in enumerate(("optimizer.pt", "scheduler.pt", "rng_state.pth")):
        (target / name).write_bytes(torch_zip(step + number, 500))
    (target / "trainer_state.json").write_text(json.dumps({"global_step": step, "epoch": step / 100}))
    return target
