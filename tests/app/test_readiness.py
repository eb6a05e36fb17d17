"""What the machines met at a place tell about continuing there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from batonpass.core.model import Gpu, Host, Session
from batonpass.core.snippets.inputs import Target
from batonpass.streamlit_app.readiness import readiness, wants_bf16

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
T4 = Gpu("Tesla T4", 15 * 2**30, "7.5")
P100 = Gpu("Tesla P100-PCIE-16GB", 16 * 2**30, "6.0")
GB = 10**9


def session(number: int, provider: str = "colab", gpu: Gpu = T4, **versions: str) -> Session:
    host = Host(provider, "m", "1-1", ram_bytes=13 * GB, disk_free_bytes=70 * GB)
    at = NOW.replace(hour=number)
    return Session(f"s{number}", "r", 1, "a", host, at, at, gpus=(gpu,), versions=versions)


def told(
    *seen: Session, size_bytes: int = GB, config: dict[str, Any] | None = None, target: Target = Target.COLAB
) -> str:
    return " ".join(readiness(seen[0] if seen else None, seen, size_bytes, config or {}, target))


def test_a_place_like_the_one_before_has_nothing_to_tell() -> None:
    assert told(session(1, torch="2.10.0+cu126"), session(2, torch="2.10.0+cu126")) == ""


def test_a_place_that_was_never_used_has_nothing_to_tell() -> None:
    assert told(session(1), size_bytes=10**15, config={"bf16": True}, target=Target.KAGGLE) == ""


@pytest.mark.parametrize(("size_bytes", "said"), [(6 * GB, False), (7 * GB, True)])
def test_a_state_above_half_of_the_memory_is_named(size_bytes: int, said: bool) -> None:
    assert ("of memory" in told(session(1), size_bytes=size_bytes)) is said


def test_the_smallest_machine_counts_and_the_disk_too() -> None:
    small = session(2)
    small = replace(small, host=replace(small.host, disk_free_bytes=5 * GB))
    assert "free disk" in told(session(1), small, size_bytes=3 * GB)


@pytest.mark.parametrize(("gpu", "said"), [(T4, True), (Gpu("NVIDIA L4", 24 * 2**30, "8.9"), False)])
def test_bf16_on_a_card_that_emulates_it_is_named(gpu: Gpu, said: bool) -> None:
    assert (
        "Tesla T4 there, which only emulate" in told(session(1, gpu=gpu), config={"precision": "bf16-mixed"})
    ) is said
    assert "emulate" not in told(session(1, gpu=gpu), config={"precision": "fp16"})


def test_a_torch_without_code_for_a_card_met_there_is_named() -> None:
    said = told(session(1, "kaggle", P100, torch="2.10.0+cu128"), target=Target.KAGGLE)
    assert "Tesla P100" in said
    assert "holds no code for compute capability 6.0" in said


def test_versions_that_have_changed_since_the_checkpoint_are_named() -> None:
    said = told(session(1, torch="2.9.0+cu126", pillow="1"), session(2, torch="2.10.0+cu126", pillow="2"))
    assert "torch 2.9.0+cu126 → 2.10.0+cu126" in said
    assert "pillow" not in said


@pytest.mark.parametrize("capability", ["x", "7.5.1.2.3", "-1.0", "", "9" * 400])
def test_a_card_that_tells_nonsense_is_passed_over(capability: str) -> None:
    assert told(session(1, gpu=Gpu("odd", 1, capability), torch="2.10.0+cu128"), config={"bf16": True}) == ""


def test_settings_as_deep_as_one_likes_end() -> None:
    deep: dict[str, Any] = {"bf16": True}
    for _ in range(500):
        deep = {"a": deep}
    assert wants_bf16(deep) is False
