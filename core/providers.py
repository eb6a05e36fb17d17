"""The places a notebook can run at: how each is recognised from inside, what it is called, how its machine is given back.

Nothing here touches the machine: `find_provider` gets what it looks at as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. `give_back` is how a machine is released politely; `give_back_code` the cell that does it, where there is one."""

    id: str
    name: str
    give_back: str
    give_back_code: str = ""
    choose_gpu: str = ""
    """Where a GPU is asked for."""
    longest_h: tuple[float, ...] = ()
    """Hours after which its machines are known to be taken away, as its pages and its users say (read in 2026); never promised."""


_STOP = "stop the machine on the provider's page"

PROVIDERS: Mapping[str, Provider] = {
    p.id: p
    for p in (
        Provider(
            "colab",
            "Colab",
            "give this machine back with the cell below, then connect again",
            "from google.colab import runtime\nruntime.unassign()",
            choose_gpu="Runtime > Change runtime type",
            longest_h=(12.0, 24.0),
        ),
        Provider("colab-enterprise", "Colab Enterprise", "delete the runtime on the page Runtimes"),
        Provider(
            "kaggle",
            "Kaggle",
            "choose another accelerator in the notebook's settings, or stop the session (power button, top right); "
            "the weekly hours run while the accelerator is on, not only while it computes",
            choose_gpu="Settings > Accelerator, in the notebook's menu",
            longest_h=(9.0, 12.0),
        ),
        Provider("lightning", "Lightning", "switch the Studio to another machine, or stop it"),
        Provider("studio-lab", "Studio Lab", "stop the runtime on the project page", longest_h=(4.0,)),
        Provider("paperspace", "Paperspace", _STOP, longest_h=(12.0,)),
        Provider("other", "other machines", ""),
    )
}


def provider_of(provider_id: str) -> Provider:
    """The provider of that id; one we do not know (from a newer version's file) goes by its id."""
    return PROVIDERS.get(provider_id) or Provider(provider_id, provider_id, _STOP)


def find_provider(environment: Mapping[str, str], path_exists: Callable[[str], bool], modules: Container[str]) -> str:
    """The id of the provider whose machine this is, or "other".

    `modules` holds the names of the modules already imported. Kaggle comes before Colab because its image is built on Colab's
    and carries Colab's variables and its `google.colab` package. `COLAB_GPU` is no proof of a GPU, and is not looked at.
    """
    signs = {
        "kaggle": "KAGGLE_KERNEL_RUN_TYPE" in environment or path_exists("/kaggle/working"),
        "colab-enterprise": environment.get("VERTEX_PRODUCT") == "COLAB_ENTERPRISE",
        "colab": path_exists("/var/colab/hostname") or "google.colab._shell" in modules,
        "lightning": "LIGHTNING_CLOUD_SPACE_ID" in environment,
        "studio-lab": path_exists("/home/studio-lab-user"),
        "paperspace": any(name.startswith("PAPERSPACE_") for name in environment),
    }
    return next((provider for provider, seen in signs.items() if seen), "other")
