"""The notebook of the first day: it carries the wheels itself, because the store is still empty."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from batonpass.core import naming
from batonpass.core.errors import UsageError
from batonpass.core.snippets.cells import Cell, Snippet, code, fill
from batonpass.core.snippets.inputs import SnippetInputs, Target
from batonpass.core.snippets.render import assemble, install_body, reach

_LINE = 4000


def day_one(target: Target, inputs: SnippetInputs, wheels: Mapping[str, bytes]) -> Snippet:
    """Cells that need nothing on the store: `wheels` (file name -> content, the agent first) travel inside as base64.

    Without `inputs.run_id` they begin a new run; with one they continue it, on a machine that reaches no other wheel.
    UsageError for a target that installs no agent, or without wheels.
    """
    if target not in (Target.COLAB, Target.COLAB_MOUNT, Target.KAGGLE, Target.LOCAL):
        raise UsageError(
            f"there is no first-day notebook for {target.value}", hint="take colab-mount, colab, kaggle or local"
        )
    if not wheels or not all(wheels.values()):
        raise UsageError(
            "a first-day notebook carries the agent's wheel, and none was given", hint="batonpass agent put"
        )
    entries = tuple((naming.check_part(name), hashlib.sha256(data).hexdigest(), None) for name, data in wheels.items())
    install = code(fill("fetch_carried"), install_body(target, entries))
    return assemble(target, inputs, (reach(target, inputs), _carried(wheels), install))


def _carried(wheels: Mapping[str, bytes]) -> Cell:
    """CARRIED = {name: base64}, in lines that an editor can bear."""
    lines = [
        "# The wheels that the next cell installs, as text (base64). Nothing to read or change here.",
        "CARRIED = {",
    ]
    for name, data in wheels.items():
        text = base64.b64encode(data).decode("ascii")
        lines.append(f"    {name!r}: (")
        lines += [f"        {text[at : at + _LINE]!r}" for at in range(0, len(text), _LINE)]
        lines.append("    ),")
    return Cell("code", "\n".join([*lines, "}"]), ("carried-wheels",))
