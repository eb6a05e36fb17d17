"""Which GPUs a torch build can run on, decided without one; and an honest answer where there is none."""

from __future__ import annotations

import pytest
import torch

from batonpass.core.training.cuda_probe import native_bf16, probe, runs_on

CUDA_12_8 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


@pytest.mark.parametrize(
    ("capability", "build", "expected"),
    [
        ("7.5", CUDA_12_8, True),
        ("6.0", CUDA_12_8, False),
        ("3.7", ["sm_37", "sm_50"], True),
        ("8.9", ["sm_80", "sm_86"], True),
        ("8.0", ["sm_86"], False),
        ("9.0", ["sm_80", "compute_80"], True),
        ("7.0", ["compute_75"], False),
        ("9.0", ["sm_90a"], True),
        ("10.0", ["sm_90a"], False),
        ("12.1", CUDA_12_8, True),
        ("", CUDA_12_8, False),
        ("7.5", ["gfx90a", ""], False),
    ],
)
def test_binary_code_serves_its_major_version_and_ptx_everything_newer(capability, build, expected):
    assert runs_on(capability, build) is expected


@pytest.mark.parametrize(
    ("capability", "native"), [("3.7", False), ("7.5", False), ("8.0", True), ("9.0", True), ("", False)]
)
def test_bfloat16_is_native_from_ampere_up(capability, native):
    assert native_bf16(capability) is native


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_the_probe_says_so():
    usable, why_not, capability = probe(0)
    assert (usable, capability) == (False, "")
    assert "no CUDA device" in why_not
