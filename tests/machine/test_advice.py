"""What a card means for training, in sentences."""

from __future__ import annotations

import pytest

from batonpass.core.gpu.advice import TorchBuild, advice, build_runs_on, has_native_bf16
from batonpass.core.model import Gpu

CU126 = TorchBuild("2.10.0+cu126", ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"), "12.6")
CU128 = TorchBuild("2.11.0+cu128", ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"), "12.8")
GIB = 2**30


def card(name, capability, **more):
    return Gpu(name, 16 * GIB, compute_capability=capability, **more)


T4, P100, V100 = card("Tesla T4", "7.5"), card("Tesla P100", "6.0"), card("Tesla V100", "7.0")
A100, L4 = card("NVIDIA A100", "8.0"), card("NVIDIA L4", "8.9")


@pytest.mark.parametrize(
    ("capability", "native"),
    [("3.7", False), ("7.0", False), ("7.5", False), ("8.0", True), ("12.0", True), (None, None)],
)
def test_bf16_is_native_from_compute_capability_8_and_unknown_is_unknown(capability, native):
    assert has_native_bf16(capability) is native


@pytest.mark.parametrize(
    ("capability", "architectures", "runs"),
    [
        ("7.5", ("sm_75",), True),
        ("8.9", ("sm_80", "sm_86"), True),  # same major version, older minor one
        ("8.0", ("sm_86",), False),  # older card than the code
        ("6.0", ("sm_75", "sm_80"), False),
        ("7.0", CU128.architectures, False),
        ("6.0", CU126.architectures, True),
        ("3.7", CU126.architectures, False),
        ("12.0", ("sm_90", "compute_90"), True),  # PTX is compiled for newer cards on the spot
        ("12.0", ("sm_90",), False),
        ("9.0", ("sm_90a",), True),
        ("12.0", ("compute_90a",), False),
        ("10.0", ("sm_100",), True),
        ("7.5", (), False),
        ("7.5", ("gfx90a", "rubbish"), False),
    ],
)
def test_a_build_runs_on_a_card_when_it_holds_code_or_ptx_for_it(capability, architectures, runs):
    assert build_runs_on(capability, architectures) is runs


@pytest.mark.parametrize("gpu", [A100, L4])
@pytest.mark.parametrize("precision", ["amp", "bf16", "fp32"])
def test_a_card_that_can_do_all_needs_no_advice(gpu, precision):
    assert advice(gpu, precision, CU128) == ()


@pytest.mark.parametrize("gpu", [T4, V100])
def test_bf16_on_a_card_that_only_emulates_it_is_advised_against(gpu):
    (sentence,) = advice(gpu, "bf16", CU126)
    assert "no native bf16" in sentence
    assert "fp16 with GradScaler" in sentence


def test_on_a_card_without_tensor_cores_fp32_is_the_advice():
    (sentence,) = advice(P100, "bf16", CU126)
    assert sentence.endswith("Use fp32.")
    (sentence,) = advice(P100, "amp", CU126)
    assert "hardly any time" in sentence


@pytest.mark.parametrize("gpu", [P100, V100])
def test_a_torch_build_that_dropped_the_card_comes_first_with_what_to_do(gpu):
    first, second, *_ = advice(gpu, "fp32", CU128)
    assert gpu.name in first
    assert "holds no code" in first
    assert "Ask for another GPU" in second


def test_a_real_operation_that_failed_or_worked_outweighs_the_list_of_architectures():
    failed = card("Tesla P100", "6.0", usable=False, why_not="no kernel image is available")
    assert "no kernel image" in advice(failed, "fp32", CU126)[0]
    assert advice(card("Tesla P100", "6.0", usable=True), "fp32", CU128) == ()


def test_a_build_without_cuda_is_named():
    assert "without CUDA" in advice(T4, "fp32", TorchBuild("2.11.0+cpu", ()))[0]


def test_nothing_is_claimed_of_a_card_whose_capability_nobody_tells():
    assert advice(card("NVIDIA Mystery", None), "bf16", CU128) == ()
