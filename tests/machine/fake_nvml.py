"""A stand-in for the `pynvml` module that replays one reading from `nvml/<name>.json`.

The readings are in the form in which NVML gives them (units, names, memory as the driver reports it). A field may be
{"error": "<constant of pynvml>"}: asking for it raises NVML's own error.
"""

from __future__ import annotations

import json
import types
from pathlib import Path

import pynvml as real

READINGS = Path(__file__).parent / "nvml"


def load(name):
    """A module that answers as the machine of that reading did."""
    reading = json.loads((READINGS / f"{name}.json").read_text())
    module = types.ModuleType("pynvml")
    module.NVMLError = real.NVMLError
    module.NVML_TEMPERATURE_GPU = real.NVML_TEMPERATURE_GPU
    for constant in dir(real):
        if constant.startswith("NVML_ERROR_"):
            setattr(module, constant, getattr(real, constant))
    module.open_sessions = 0

    def start():
        if "init_error" in reading:
            raise real.NVMLError(getattr(real, reading["init_error"]))
        module.open_sessions += 1

    def stop():
        module.open_sessions -= 1

    def field(device, key):
        value = device[key]
        if isinstance(value, dict):
            raise real.NVMLError(getattr(real, value["error"]))
        return value

    module.nvmlInit = start
    module.nvmlShutdown = stop
    module.nvmlSystemGetDriverVersion = lambda: reading["driver"]
    module.nvmlDeviceGetCount = lambda: len(reading["devices"])
    module.nvmlDeviceGetHandleByIndex = lambda index: reading["devices"][index]
    module.nvmlDeviceGetName = lambda device: field(device, "name")
    module.nvmlDeviceGetUUID = lambda device: field(device, "uuid")
    module.nvmlDeviceGetCudaComputeCapability = lambda device: tuple(field(device, "compute_capability"))
    module.nvmlDeviceGetMemoryInfo = lambda device: types.SimpleNamespace(
        total=field(device, "memory_total"), used=field(device, "memory_used")
    )
    module.nvmlDeviceGetUtilizationRates = lambda device: types.SimpleNamespace(gpu=field(device, "utilisation"))
    module.nvmlDeviceGetTemperature = lambda device, _sensor: field(device, "temperature")
    module.nvmlDeviceGetPowerUsage = lambda device: field(device, "power_mw")
    return module
