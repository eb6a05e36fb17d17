"""What the torch that the user has already imported says about the GPUs. Never imports torch: a notebook that does not use it pays nothing."""

from __future__ import annotations

import sys

from batonpass.core.gpu.advice import TorchBuild


def torch_build() -> TorchBuild | None:
    """The torch build in use; None until the user's code has imported it."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    cuda = torch.version.cuda
    return TorchBuild(str(torch.__version__), tuple(torch.cuda.get_arch_list()) if cuda else (), cuda)
