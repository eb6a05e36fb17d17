"""An honest answer about CUDA where there is none; the rules themselves are tested with `core.gpu.advice`."""

from __future__ import annotations

import pytest
import torch

from batonpass.core.training.cuda_probe import probe


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_the_probe_says_so():
    usable, why_not, capability = probe(0)
    assert (usable, capability) == (False, "")
    assert "no CUDA device" in why_not
