"""What the app does with a run's bytes beyond looking at them: checks a checkpoint, proves what was handed over, forgets a run. The
deciding and doing is sync's, the same as behind `batonpass verify` and `batonpass forget`. No Streamlit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from batonpass.core.errors import FormatError, HeldElsewhereError, NotFoundError
from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.streamlit_app.errands import Errand
from batonpass.streamlit_app.wording import count, plural, size
from batonpass.sync.asking import living_holder
from batonpass.sync.forgetting import forget_run
from batonpass.sync.identity import this_machine
from batonpass.sync.proving import Outcome, prove_arrival
from batonpass.sync.reading import RunFiles, read_root, read_run
from batonpass.sync.verifying import Share, VerifyReport, verify_run


def check_checkpoint(store: Store, folder: str, key: str, errand: Errand, *, read: bool) -> Sequence[str]:
    """Ask the store for size and checksum of every file of one checkpoint; with `read`, read every byte back as well."""
    run = only_checkpoint(read_run(store, folder), key)
    share = Share(Fraction(1), 0) if read else None
    report = verify_run(store, run, share=share, progress=errand.tell)
    errand.whole = not report.findings and report.checkpoints > 0
    return _said(report, read=read)


def prove_everything(store: Store, folder: str, errand: Errand, settings: Settings) -> Sequence[str]:
    """Read what was handed over to a mounted Drive and nobody has proven, and leave a receipt for what has arrived whole."""
    report = prove_arrival(store, read_run(store, folder), this_machine(settings.home), transfer=errand.transfer)
    errand.whole = all(proof.outcome is Outcome.PROVEN for proof in report.proofs)
    if not report.proofs:
        return ["Every checkpoint was proven before."]
    return [
        f"Step {count(proof.step)}: {proof.outcome}{', ' + proof.detail if proof.detail else ''}."
        for proof in report.proofs[:20]
    ]


def forget(store: Store, folder: str, errand: Errand, settings: Settings, *, force: bool) -> Sequence[str]:
    """Delete everything of a run: on the store, and what this computer kept of it. HeldElsewhereError while a session may live."""
    files = _read(store, folder)
    holder = living_holder(store, files, settings) if files is not None and not force else None
    if holder is not None:
        raise HeldElsewhereError(
            f"Nothing was deleted: session {holder} holds this run and may live",
            hint="Stop it first, or say below that it may train on into nothing",
        )
    done = forget_run(store, folder, settings.home, read_root(store).root_id, progress=errand.tell)
    kept = [
        f"Session {each} is written by a living process of this computer: its local folder stays."
        for each in done.local_kept
    ]
    return [f"Deleted: {plural(done.objects, 'object')}, {size(done.size_bytes)}.", *kept]


def only_checkpoint(run: RunFiles, key: str) -> RunFiles:
    """The run as if it had this one checkpoint."""
    sessions = (
        replace(s, session=replace(s.session, checkpoints=tuple(c for c in s.session.checkpoints if c.key == key)))
        for s in run.sessions
    )
    return replace(run, sessions=tuple(sessions))


def _read(store: Store, folder: str) -> RunFiles | None:
    """None for a run whose deletion was begun before, or that is damaged: it is deleted all the same."""
    try:
        return read_run(store, folder)
    except (NotFoundError, FormatError):
        return None


def _said(report: VerifyReport, *, read: bool) -> list[str]:
    if not report.checkpoints:
        return ["It is not listed any more, or somebody asked for its removal: read the page again."]
    found = [f"{each.file}: {each.problem}." for each in report.findings[:20]]
    if found:
        return [f"Not all of it is whole: {plural(len(report.findings), 'finding')}.", *found]
    files = f"{plural(report.files, 'file')}, {size(report.size_bytes)}"
    if read:
        return [f"All as it was published: {files}, every byte read back and compared with its sha256."]
    by_size = (
        f" {count(report.by_size_only)} of them by size only: this store names no checksum."
        if report.by_size_only
        else ""
    )
    return [f"All as it was published: {files}, sizes and checksums by the store's own answer.{by_size}"]
