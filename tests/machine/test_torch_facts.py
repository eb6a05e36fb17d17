"""What an imported torch adds to the list of GPUs: on a stand-in torch, because most machines that test this have no GPU."""

from __future__ import annotations

import sys
import warnings
from types import SimpleNamespace

import pytest

from batonpass.sync import gpu
from batonpass.sync.torch_facts import torch_build

CPU_BUILD = SimpleNamespace(__version__="2.13.0+cpu", version=SimpleNamespace(cuda=None))


def cuda_torch(*names):
    def device_name(index):
        warnings.warn("this card is too old", UserWarning, stacklevel=2)
        return names[index]

    return SimpleNamespace(
        __version__="2.11.0+cu128",
        version=SimpleNamespace(cuda="12.8"),
        cuda=SimpleNamespace(
            get_arch_list=lambda: ["sm_75", "sm_80"],
            is_available=lambda: bool(names),
            device_count=lambda: len(names),
            get_device_name=device_name,
        ),
    )


@pytest.fixture
def probed(monkeypatch):
    """Puts a torch in place and returns the list of device numbers that a CUDA operation was tried on."""
    tried = []

    def use(torch, answer=(True, None, "7.5")):
        def probe(index):
            tried.append(index)
            return answer

        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setitem(sys.modules, "batonpass.core.training.cuda_probe", SimpleNamespace(probe=probe))
        return tried

    return use


def test_without_an_imported_torch_nothing_is_tried_or_claimed(nvml, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    nvml("t4")
    assert gpu.list_gpus()[0].usable is None
    assert torch_build() is None
    assert "torch" not in sys.modules


def test_two_equal_cards_are_tried_once_and_both_answered(nvml, probed):
    nvml("two_t4")
    tried = probed(cuda_torch("Tesla T4", "Tesla T4"))
    assert [g.usable for g in gpu.list_gpus()] == [True, True]
    assert tried == [0]


def test_a_process_of_many_tries_its_own_card(nvml, probed, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    nvml("two_t4")
    tried = probed(cuda_torch("Tesla T4", "Tesla T4"))
    gpu.list_gpus()
    assert tried == [1]


def test_a_card_that_torch_cannot_use_says_why(nvml, probed):
    nvml("p100")
    probed(cuda_torch("Tesla P100-PCIE-16GB"), answer=(False, "torch holds no code for this GPU", "6.0"))
    (found,) = gpu.list_gpus()
    assert (found.usable, found.why_not) == (False, "torch holds no code for this GPU")


def test_a_torch_that_sees_no_device_makes_the_card_unusable(nvml, probed):
    nvml("t4")
    tried = probed(cuda_torch())
    (found,) = gpu.list_gpus()
    assert (found.usable, found.why_not) == (False, "torch sees no CUDA device")
    assert tried == []


def test_a_card_that_is_hidden_from_torch_stays_untried(nvml, probed):
    nvml("l4")
    probed(cuda_torch("Tesla T4"))
    assert gpu.list_gpus()[0].usable is None


def test_a_build_without_cuda_is_left_to_the_card_to_say(nvml, probed):
    nvml("t4")
    tried = probed(CPU_BUILD)
    assert gpu.list_gpus()[0].usable is None
    assert tried == []
    assert torch_build().cuda is None


def test_the_build_in_use_names_its_architectures(probed):
    probed(cuda_torch("Tesla T4"))
    assert torch_build().architectures == ("sm_75", "sm_80")


def test_cuda_that_cannot_be_started_is_an_answer_and_no_error(nvml, probed):
    def fail(_index):
        raise RuntimeError("CUDA unknown error - this may be due to an incorrectly set up environment\nmore")

    nvml("t4")
    torch = cuda_torch("Tesla T4")
    torch.cuda.get_device_name = fail
    probed(torch)
    (found,) = gpu.list_gpus()
    assert found.usable is False
    assert found.why_not.startswith("CUDA unknown error")
