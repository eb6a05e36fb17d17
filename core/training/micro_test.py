"""What this machine really does, measured for some seconds: the answer that no table of peaks can give. Runs only when asked.

The figures are of one moment on one shared machine: they tell a healthy card from a throttled one, they are no benchmark.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

_SIDE = {"cuda": 4096, "cpu": 1024}
"""Rows and columns of the matrices that are multiplied."""
_COPY_BYTES = {"cuda": 2**28, "cpu": 2**26}


def micro_test(seconds: float = 10.0, *, clock: Callable[[], float] = time.perf_counter) -> dict[str, float | str]:
    """Multiply and copy on the present device (CUDA device 0, else the processor) for about `seconds` seconds in all.

    Returns "device", "matmul_fp32_tflops" and "copy_gbs"; on CUDA also "matmul_fp16_tflops", "host_to_device_gbs" and, where
    bf16 is native, "matmul_bf16_tflops". TFLOP/s count 2 n^3 operations for a product of n x n matrices; a copy inside the
    device counts the bytes read and the bytes written, a copy to the device the bytes sent; 1 GB is 10^9 bytes.
    Global random state is left as it was. RuntimeError from torch when the device cannot run the operation.
    """
    on_cuda = torch.cuda.is_available()
    device = torch.device("cuda", 0) if on_cuda else torch.device("cpu")
    kinds = {"fp32": torch.float32}
    if on_cuda:
        kinds["fp16"] = torch.float16
        if torch.cuda.get_device_capability(device) >= (8, 0):
            kinds["bf16"] = torch.bfloat16
    share = seconds / (len(kinds) + (2 if on_cuda else 1))
    wait = torch.cuda.synchronize if on_cuda else _nothing
    result: dict[str, float | str] = {"device": torch.cuda.get_device_name(device) if on_cuda else "cpu"}
    with torch.no_grad():
        for name, kind in kinds.items():
            result[f"matmul_{name}_tflops"] = _matmul_flops(device, kind, share, wait, clock) / 1e12
        result["copy_gbs"] = _copy_rate(device, device, share, wait, clock) * 2 / 1e9
        if on_cuda:
            result["host_to_device_gbs"] = _copy_rate(torch.device("cpu"), device, share, wait, clock) / 1e9
    return result


def repetitions_per_second(
    work: Callable[[], object], seconds: float, wait: Callable[[], object], clock: Callable[[], float]
) -> float:
    """How often `work` is done in a second. It is done once to warm up, then in growing groups until `seconds` have passed.

    `wait` returns when everything that was started has finished; it is called once per group, so that it costs little.
    """
    work()
    wait()
    done, group = 0, 1
    begin = clock()
    while (passed := clock() - begin) < seconds or not done:
        for _ in range(group):
            work()
        wait()
        done += group
        group = min(2 * group, 64) if clock() - begin < seconds / 4 else group
    return done / passed


def _matmul_flops(
    device: torch.device, kind: torch.dtype, seconds: float, wait: Callable[[], object], clock: Callable[[], float]
) -> float:
    side = _SIDE[device.type]
    generator = torch.Generator(device).manual_seed(0)
    left = torch.randn(side, side, device=device, generator=generator).to(kind)
    right = left.t().contiguous()
    out = torch.empty_like(left)
    return 2 * side**3 * repetitions_per_second(lambda: torch.matmul(left, right, out=out), seconds, wait, clock)


def _copy_rate(
    source: torch.device, target: torch.device, seconds: float, wait: Callable[[], object], clock: Callable[[], float]
) -> float:
    count = _COPY_BYTES[target.type]
    pinned = source.type == "cpu" and target.type == "cuda"
    data = torch.ones(count, dtype=torch.uint8, device=source, pin_memory=pinned)
    out = torch.empty(count, dtype=torch.uint8, device=target)
    return count * repetitions_per_second(lambda: out.copy_(data, non_blocking=True), seconds, wait, clock)


def _nothing() -> None:
    """The processor has finished when the call returns."""
