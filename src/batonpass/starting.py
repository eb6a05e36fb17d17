"""`batonpass.start`: opens the store, joins the run as a new session, and prints the machine card."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batonpass.core.errors import StoreUnreachableError, UsageError
from batonpass.core.model import Session
from batonpass.core.settings import NOT_CAPPED, Settings, read_settings
from batonpass.core.storage import Store
from batonpass.ranks import on_every_rank
from batonpass.sync.handover import Patience

if TYPE_CHECKING:
    from batonpass.run import Run
    from batonpass.sync.active import ActiveSession
    from batonpass.sync.creation import Wanted
    from batonpass.sync.pruning import Keep

_open_runs: dict[tuple[str, str], Run] = {}
DEFAULT_SYNC_EVERY_S = 20.0


def say(line: str) -> None:
    """A line to the user, in the notebook or the terminal. Where it cannot be printed (a full disk, a closed pipe) it is lost."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)  # noqa: T201  # the one place where the front door prints


@on_every_rank
def start(
    name: str,
    *,
    store: str | Path | None = None,
    account: str | None = None,
    goal_steps: int | None = None,
    run_id: str | None = None,
    root_id: str | None = None,
    takeover: bool | str = False,
    offline: bool = False,
    checkpoint: str | None = None,
    config: dict[str, Any] | None = None,
    seed: int | None = None,
    precision: str = "amp",
    keep: int = 3,
    keep_best: str | None = None,
    save_every_s: float | None = None,
    sync_every_s: float = DEFAULT_SYNC_EVERY_S,
    max_upload_mbit_s: float | None = None,
    max_download_mbit_s: float | None = None,
    compress: bool | None = None,
) -> Run:
    """Open a run on this machine: continue it, or create it when no ids are given and the store has none of that name.

    `store`: a folder (a mounted Drive's included), `gdrive://folder`, `memory://name`; default BATONPASS_STORE. `account`: your own
    label for the place this runs at. `goal_steps`: optimizer steps in all. `run_id`, `root_id`: from the line this prints; with
    them the run must exist. `takeover`: continue although another session seems to live; it then goes on as a branch. The id of a
    session takes the run from that one alone, so that such a line may stay where it is.
    `offline`: the store cannot be reached and you want to train anyway: a run of its own in a root on this machine's disk, marked so
    in its configuration; `batonpass copy` brings that root elsewhere later.
    `checkpoint`: the key of a manifest to continue from instead of the newest (the app's resume page writes it): a deliberate rewind.
    `max_upload_mbit_s`, `max_download_mbit_s`: content goes no faster (default: BATONPASS_MAX_UPLOAD_MBIT_S and ..._DOWNLOAD_...).
    `compress`: safetensors files are packed, without loss, before they are sent (default: BATONPASS_COMPRESS, else not).
    `precision` ("fp32", "amp", "bf16") is what the machine card ranks GPUs by. `keep`: how many checkpoints stay on the store
    beside the best by `keep_best` ("loss:min", "accuracy:max"). `save_every_s`: seconds between saves (default: tuned to
    what a save costs and how long this run's machines have lived, 30 s to 10 min; `run.status()` says it and why).
    `sync_every_s`: seconds between two looks of the background service.

    Errors, each with a hint: UsageError, NotOurFolderError, StoreUnreachableError, SignInError, RunNotFoundError,
    AmbiguousRunError, HeldElsewhereError. Nothing is trained and nothing is created when one is raised.

    Under `torchrun`, call it in every process, after `torch.distributed.init_process_group`: the first opens the run, prints, logs and
    saves, the others follow it with the same calls, and an error in the first is raised in all.
    """
    from batonpass.introduction import introduce  # noqa: PLC0415
    from batonpass.run import Options, Run  # noqa: PLC0415  # loads torch, which `import batonpass` must not
    from batonpass.sync.creation import Wanted  # noqa: PLC0415
    from batonpass.sync.pruning import Keep  # noqa: PLC0415

    settings = read_settings().capped(upload_mbit_s=max_upload_mbit_s, download_mbit_s=max_download_mbit_s)
    url = _check(store, settings, goal_steps)
    label = account or settings.account or ""
    packs = settings.compress if compress is None else compress
    wanted = Wanted(name, label, goal_steps, run_id, root_id, takeover=takeover, config=config or {}, compress=packs)
    if offline:
        url, wanted = _go_offline(url, settings, wanted)
    _close_before(url, name)
    opener = _SessionOpener(_open_checked(url, settings), settings, wanted, Keep(keep, keep_best), sync_every_s)
    options = Options(seed=seed, checkpoint=checkpoint, save_every_s=save_every_s, say=say)
    run = _open_runs[(url, name)] = Run(opener, options)
    introduce(run.joined, opener.machine, url=url, account=label, precision=precision, goal_steps=goal_steps)
    if run.joined.created:
        say(f"batonpass: NEW run {name!r} ({run.run_id}) in {opener.store.url}")
    return run


def _check(store: str | Path | None, settings: Settings, goal_steps: int | None) -> str:
    """Where the store is. UsageError for arguments that cannot mean anything."""
    url = str(store) if store is not None else settings.store
    if url is None:
        raise UsageError(
            "start needs a store", hint='pass store="/content/drive/MyDrive/batonpass", or set BATONPASS_STORE'
        )
    if goal_steps is not None and goal_steps < 1:
        raise UsageError(
            f"goal_steps={goal_steps} leaves nothing to train", hint="give the number of optimizer steps in all"
        )
    return url


def _go_offline(url: str, settings: Settings, wanted: Wanted) -> tuple[str, Wanted]:
    """A root on this machine's disk, and a run of its own in it that says how it began."""
    here = str(settings.home / "offline")
    say(f"batonpass: OFFLINE: training goes to {here}, a root of its own; {url} is not asked and not continued")
    return here, replace(wanted, run_id=None, root_id=None, config={**wanted.config, "began": "offline"})


def _close_before(url: str, name: str) -> None:
    before = _open_runs.pop((url, name), None)
    if before is not None:
        say("batonpass: this run is open in this kernel; closing that session first")
        before.finish()


class _SessionOpener:
    """Joins the run as a new session; called again when the same kernel begins a new leg."""

    def __init__(self, store: Store, settings: Settings, wanted: Wanted, keep: Keep, every_s: float) -> None:
        from batonpass.introduction import Machine  # noqa: PLC0415
        from batonpass.sync.gpu import read_gpus  # noqa: PLC0415
        from batonpass.sync.machine import describe_host  # noqa: PLC0415

        self.store = store
        self.settings = settings
        self.wanted = wanted
        self.keep = keep
        self.every_s = every_s
        self.machine = Machine(describe_host(settings), read_gpus(settings.home))

    def __call__(self, facts: Callable[[], dict[str, Any]]) -> ActiveSession:
        from batonpass.sync.active import ActiveSession  # noqa: PLC0415
        from batonpass.sync.joining import join_run  # noqa: PLC0415
        from batonpass.sync.machine import versions  # noqa: PLC0415

        def fill(first: Session) -> Session:
            return replace(first, gpus=self.machine.gpus.gpus, versions=versions())

        home, patience = self.settings.home, Patience(lease_s=self.settings.lease_s, say=say)
        joined = join_run(self.store, self.wanted, home=home, host=self.machine.host, patience=patience, record=fill)
        self.wanted = replace(self.wanted, run_id=joined.info.run_id, root_id=joined.root.root_id)
        return ActiveSession(joined, home=home, facts=facts, keep=self.keep, every_s=self.every_s, patience=patience)


def _open_checked(url: str, settings: Settings) -> Store:
    """The store, tried again where that helps, and known to answer."""
    from batonpass.sync.stores import open_store  # noqa: PLC0415
    from batonpass.sync.stores.retry import RetryStore  # noqa: PLC0415

    try:
        store = RetryStore(open_store(url, settings))
        store.now()
    except StoreUnreachableError as error:
        error.hint = error.hint or "check the connection and start again; nothing was trained"
        raise
    if settings.has_cap and not store.properties.keeps_pace:
        say(f"batonpass: {NOT_CAPPED.format(url=store.url)}")
    return store
