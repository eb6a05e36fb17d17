"""What to know before a run is continued: warnings first, each with its reason. None of them is invented; no warning, no line."""

from __future__ import annotations

import streamlit as st

from batonpass.core.lineage import Candidate
from batonpass.core.snippets.inputs import Target
from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.takeover import TAKES_AT_ONCE, start_waits
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.readiness import readiness
from batonpass.streamlit_app.standing import RunStanding
from batonpass.streamlit_app.wording import count, plural, size


def preflight(
    page: Page, run: RunStory, standing: RunStanding, candidate: Candidate | None, target: Target, *, gone: str | None
) -> list[str]:
    """Sentences in Markdown, the most important first. `gone`: the session that the cell takes the run from at once."""
    found: list[str] = []
    if wait := start_waits(run, standing, target, now=page.as_of, mount=page.mount):
        found.append(TAKES_AT_ONCE if gone else wait)
    if candidate is not None and run.goal_steps and candidate.step >= run.goal_steps:
        found.append("**It has reached its goal**: nothing is left to train.")
    if candidate is None:
        found.append("**No durable checkpoint yet.** The start will stop rather than begin again from zero.")
    else:
        if not candidate.proven:
            found.append("This checkpoint was **handed over** to a mounted Drive; that it has arrived is not proven.")
        if candidate.listing.missing:
            reasons = escaped("; ".join(candidate.listing.missing), limit=300)
            found.append(f"**PARTIAL**: {reasons}.")
        origin = run.files.session(candidate.session)
        seen = [s.session for r in page.overview.runs for s in r.files.sessions]
        told = readiness(
            origin.session if origin else None, seen, candidate.listing.size_bytes, run.files.info.config, target
        )
        found += [escaped(sentence, limit=400) for sentence in told]
    found += [
        f"Passed over: step {count(c.step)}, {escaped(c.passed_over)}."
        for c in standing.candidates
        if c.passed_over and c.key not in run.files.deleted  # that older ones are removed is the daily course of things
    ]
    found += [escaped(gap, limit=300) for gap in standing.gaps]
    if target in (Target.COLAB, Target.KAGGLE) and "://" not in page.repository.url:
        found.append(
            "This store is a **folder of this computer**: a machine elsewhere does not see it. Bring it to Drive first "
            "(`batonpass copy FOLDER gdrive://batonpass`) and choose that store in Settings; Colab reaches a folder that Drive keeps in step "
            "by its mount."
        )
    if run.files.broken:
        found.append(
            f"{plural(len(run.files.broken), 'file')} of this run could not be read: a newer checkpoint may exist."
        )
    return found


def show_preflight(
    page: Page, run: RunStory, standing: RunStanding, candidate: Candidate | None, target: Target, *, gone: str | None
) -> None:
    """The warnings, or the sentence that there is none; then what the checkpoint was made with."""
    found = preflight(page, run, standing, candidate, target, gone=gone)
    if found:
        with st.container(border=True):
            st.markdown("**Before you start**")
            for sentence in found:
                st.markdown(f":orange[:material/report:] {sentence}")
    else:
        st.markdown(":green[:material/check_circle:] Nothing speaks against it.")
    if candidate is not None and (made := _made_with(run, candidate)):
        st.caption(made)


def _made_with(run: RunStory, candidate: Candidate) -> str:
    session = run.files.session(candidate.session)
    if session is None:
        return ""
    versions = session.session.versions
    words = [f"{name} {versions[name]}" for name in ("torch", "python") if versions.get(name)]
    if not words:
        return ""
    made = escaped(f"Made with {', '.join(words)} on {gpu_name(session.session)}", limit=200)
    return f"{made}; {size(candidate.listing.size_bytes)} to load. Another GPU or version makes the resume less than EXACT."
