"""The cells that continue a run: a first cell that reaches the store, one that installs the agent, one that starts, and the loop."""

from __future__ import annotations

from batonpass.core.errors import UsageError
from batonpass.core.snippets.cells import Cell, Snippet, Value, code, fill, plain
from batonpass.core.snippets.inputs import SnippetInputs, Target

_TRAINERS = {Target.HF: "resume_hf", Target.LIGHTNING: "resume_lightning"}
"""Other people's trainers: they resume through their callback. Where the cells run is not asked; the store is a folder or Drive."""
_TRAINER_RESTORES = {
    Target.HF: "The Trainer's own checkpoint folder is brought back whole, and the Trainer itself loads it: model, optimizer, scheduler, "
    "random numbers and its place in the data, as far as it saved them.",
    Target.LIGHTNING: "Lightning's own checkpoint file is brought back, and Lightning itself loads it: model, optimizers, schedulers, loops "
    "and callbacks, as far as it saved them.",
}
_PIP_HINTS = {
    Target.COLAB: "Runtime > Disconnect and delete runtime, then run the cells again on the fresh machine.",
    Target.COLAB_MOUNT: "Runtime > Disconnect and delete runtime, then run the cells again on the fresh machine.",
    Target.KAGGLE: "In the notebook's settings (right side) switch Internet on; Kaggle asks for a verified phone number once. "
    "Without internet, take the notebook file that carries all wheels.",
    Target.LOCAL: "Look at pip's own words above; a fresh virtual environment usually helps.",
}
_PLACES = {
    Target.COLAB: "Colab",
    Target.COLAB_MOUNT: "Colab",
    Target.KAGGLE: "Kaggle",
    Target.LOCAL: "your own computer",
    Target.TORCH: "any machine with torch",
    Target.HF: "any machine, with the Hugging Face Trainer",
    Target.LIGHTNING: "any machine, with Lightning",
}


_YOURS = (
    "### Your own cells go here\n\nModel, optimizer, loader and training step. They stand above the start, so that a slip in "
    "them does not leave a run started that nothing trains."
)


def render(target: Target, inputs: SnippetInputs) -> Snippet:
    """The cells that continue the run `inputs.run_id` of the root `inputs.root_id` on `target`.

    UsageError when the target is not built yet, or an input that it needs is missing or cannot be used there.
    """
    if target in _TRAINERS and inputs.pick:
        raise UsageError(
            "a trainer's callback resumes the newest checkpoint, not one that is chosen",
            hint="`batonpass restore RUN --step N --to DIR` brings that one; hand it to the trainer yourself",
        )
    if not inputs.run_id or not inputs.root_id:
        raise UsageError("a cell that continues a run needs the run's id and the store's root id", hint="choose a run")
    if target is Target.TORCH:
        return _torch(inputs)
    if not inputs.wheels:
        raise UsageError(
            "the agent does not lie on this store yet",
            hint='press "Put Batonpass for notebooks there", or: batonpass agent put',
        )
    install = code(_fetch(target, inputs), _install(target, inputs))
    return assemble(target, inputs, (reach(target, inputs), install))


def assemble(target: Target, inputs: SnippetInputs, first: tuple[Cell, ...]) -> Snippet:
    """The whole snippet around the cells that reach the store and install the agent."""
    says = _what_is_restored(inputs)
    if target in _TRAINERS:
        says += f"\n{_TRAINER_RESTORES[target]}"
    verb = "Continue" if inputs.run_id else "Begin"
    intro = (
        f"## {verb} {plain(inputs.run_name)} on {_PLACES[target]}\n\n{plain(says, limit=400)}\n\n"
        "Put your own cells where it says so, then run all from top to bottom. Each one stops with a sentence that says what to do when something is missing."
    )
    if target in _TRAINERS:
        train = fill(_TRAINERS[target], run_id=inputs.run_id, account=inputs.account or None)
        last: tuple[Cell, ...] = (code(train, tags=("your-code",)),)
    else:
        train = fill("train_flat" if inputs.goal_steps else "train_epochs")
        last = (Cell("markdown", _YOURS), code(_start(inputs)), code(train, tags=("your-code",)))
    cells = (Cell("markdown", intro), *first, *last)
    return Snippet(target.value, cells, f"{verb} {inputs.run_name} on {_PLACES[target]}", says)


def _start(inputs: SnippetInputs) -> str:
    values: dict[str, Value] = {
        "run_name": inputs.run_name,
        "account": inputs.account or None,
        "goal_steps": inputs.goal_steps,
        "root_id": inputs.root_id,
    }
    if not inputs.run_id:
        return fill("start_new", **values)
    values |= {"run_id": inputs.run_id, "takeover": inputs.gone}
    if inputs.pick:
        return fill("start_picked", checkpoint=inputs.pick.key, **values)
    return fill("start", **values)


def reach(target: Target, inputs: SnippetInputs) -> Cell:
    """The cell that makes the store reachable and sets STORE."""
    if target is Target.COLAB_MOUNT:
        return code(fill("reach_mount", mount_point=inputs.mount_point, drive_folder=inputs.drive_folder))
    if inputs.folder is not None:
        if target is Target.COLAB:
            raise UsageError(
                f"{inputs.store} is a folder; a machine of Colab does not see it",
                hint="take Colab with the mounted Drive (colab-mount), or bring the store to Drive: batonpass copy FOLDER gdrive://batonpass",
            )
        return code(fill("reach_folder", store=inputs.folder))
    if not inputs.store.lower().startswith("gdrive://"):
        raise UsageError(
            f"no cell is known for a store at {inputs.store}", hint="keep runs in a folder or on gdrive://"
        )
    cell = {Target.COLAB: "secret_colab", Target.KAGGLE: "secret_kaggle"}.get(target, "secret_local")
    values = {"token_file": inputs.token_file} if cell == "secret_local" else {}
    return code(fill(cell, store=inputs.store, **values))


def install_body(target: Target, wheels: tuple[tuple[str | None, ...], ...]) -> str:
    """The part of the install cell that checks and installs; `wheels` are (name, sha256, id)."""
    return fill("install", wheels=wheels, keep_installed=_keeps_installed(target), hint=_pip_hint(target))


def _keeps_installed(target: Target) -> bool:
    return target is Target.LOCAL or target in _TRAINERS


def _pip_hint(target: Target) -> str:
    return _PIP_HINTS[Target.LOCAL if target in _TRAINERS else target]


def _install(target: Target, inputs: SnippetInputs) -> str:
    return install_body(target, tuple((w.name, w.sha256, w.id) for w in inputs.wheels))


def _fetch(target: Target, inputs: SnippetInputs) -> str:
    if target is Target.COLAB_MOUNT or inputs.folder is not None:
        return fill("fetch_folder")
    if missing := [w.name for w in inputs.wheels if not w.id]:
        raise UsageError(
            f"the Drive id of {missing[0]} is not known", hint="put the agent on the store again, then copy a new cell"
        )
    return fill("fetch_drive", hint=_pip_hint(target))


def _torch(inputs: SnippetInputs) -> Snippet:
    if inputs.folder is None:
        raise UsageError(
            "the torch snippet reads a folder, and this store is none",
            hint="mount the Drive and give the mounted folder, or bring the files here: batonpass restore",
        )
    pick = inputs.pick
    says = (
        f"Loads the model's weights of step {pick.step:,}."
        if pick
        else "Loads the model's weights of the newest whole checkpoint."
    ) + " Not the optimizer, nor the place in the data: to go on training exactly, take another target."
    body = fill(
        "torch", store=inputs.folder, run_id=inputs.run_id, root_id=inputs.root_id, pick=pick.key if pick else None
    )
    load = fill("torch_load")
    intro = f"## The weights of {plain(inputs.run_name)}, with torch and safetensors only\n\n{plain(says, limit=400)}"
    cells = (Cell("markdown", intro), code(body), code(load, tags=("your-code",)))
    return Snippet(Target.TORCH.value, cells, f"The weights of {inputs.run_name}", says)


def _what_is_restored(inputs: SnippetInputs) -> str:
    goal = f" of {inputs.goal_steps:,}" if inputs.goal_steps else ""
    if not inputs.run_id:
        return f"Begins the new run {inputs.run_name}; from the next day on, its own start line continues it."
    if inputs.pick:
        return f"{inputs.run_name} continues after step {inputs.pick.step:,}{goal}, as you chose; what came after it is kept, and shown as run again."
    if inputs.newest_step is not None and inputs.goal_steps and inputs.newest_step >= inputs.goal_steps:
        return (
            f"{inputs.run_name} has reached its goal of {inputs.goal_steps:,} steps: nothing is left to train. To go on, set a larger goal "
            "(Organise on the app's Run page), or write it as goal_steps= into the start line."
        )
    if inputs.newest_step is not None:
        return f"{inputs.run_name} continues after step {inputs.newest_step:,}{goal}, or after a later one that arrives meanwhile."
    return f"{inputs.run_name} has no durable checkpoint yet: the start stops unless one arrives, it never begins from zero by itself."
