"""One run on the Morning page: its state, how far it is, what is safe, what is at risk, and where to go from here."""

from __future__ import annotations

import streamlit as st

from batonpass.core.amounts import percent
from batonpass.core.progress import Moving, read_moving
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.alerts import Alert, AlertKind
from batonpass.streamlit_app.choice import address_of
from batonpass.streamlit_app.components.alert_lines import show_alerts
from batonpass.streamlit_app.components.deadline import show_deadline
from batonpass.streamlit_app.components.gpus import gpu_name, place
from batonpass.streamlit_app.components.outlook import show_outlook
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.state_badge import show_state
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.preferences import Visit
from batonpass.streamlit_app.standing import RunStanding
from batonpass.streamlit_app.wording import ago, count, duration, plural, sessions_words, size


def show_run_card(
    page: Page, run: RunStory, standing: RunStanding, visit: Visit | None, found: tuple[Alert, ...] = ()
) -> None:
    """A card of equal height with its neighbours."""
    with st.container(border=True, height="stretch", gap="small"):
        st.subheader(escaped(run.name, limit=60) or "(no name)", anchor=False)
        told = any(a.kind is AlertKind.FAILED for a in found)
        show_state(standing.state, None if told else standing.session)
        show_alerts(found)
        if run.files.annotations.tags:
            st.caption(" ".join(f":material/sell: {escaped(t, limit=30)}" for t in run.files.annotations.tags[:6]))
        _progress(run, standing)
        st.markdown("  \n".join(_facts(page, run, standing)))
        since = _since(run, standing, visit)
        if since:
            st.markdown(f":material/update: Since your last visit: {since}")
        show_outlook(page, run, standing)
        st.space("stretch")
        _links(page, run, standing)


def _progress(run: RunStory, standing: RunStanding) -> None:
    goal = run.goal_steps
    if goal and goal > 0:
        share = min(1.0, max(0.0, standing.step / goal))
        st.progress(share, text=f"{count(standing.step)} of {count(goal)} steps · {percent(share)}")
    else:
        st.markdown(f"{count(standing.step)} steps, no goal set")


def _facts(page: Page, run: RunStory, standing: RunStanding) -> list[str]:
    lines = []
    newest = standing.newest
    if newest is None:
        lines.append(":material/shield: No durable checkpoint yet")
    else:
        age = ago((page.as_of - newest.listing.published_at).total_seconds())
        word = "Durable" if newest.proven else "Handed over, not proven,"
        lines.append(f":material/verified_user: {word} at step **{count(newest.step)}**, {age}")
    lines += _risk(standing)
    if (
        standing.is_live
        and standing.session is not None
        and (sending := _sending(read_moving(standing.session.sync.get("sending"))))
    ):
        lines.append(f":material/cloud_upload: {escaped(sending)}, as of its last sign of life")
    if standing.session is not None:
        where = escaped(f"{gpu_name(standing.session)} · {place(standing.session)}")
        lines.append(f":material/memory: {where}")
    lines.append(f":material/route: {sessions_words(s.session for s in run.files.sessions)}")
    return lines


def _risk(standing: RunStanding) -> list[str]:
    """What is not durable. A machine tells of itself once in a while: what it trained after that is at risk too, and nobody knows how much."""
    told = "" if standing.since_s is None else f" at its last sign of life, {ago(standing.since_s)}"
    if standing.risk_steps or standing.risk_s >= 1:
        how = "At risk" if standing.is_live else "Not saved" if standing.since_s is None else "Not saved, at least"
        since = standing.since_handed_over
        if since is not None and not since.steps and since.seconds < 1:
            unproven = plural(standing.risk_steps, "step")
            return [
                f":material/hourglass_bottom: Nothing is lost if that checkpoint arrives; {unproven} if it does not{told}"
            ]
        steps, seconds = since or (standing.risk_steps, standing.risk_s)
        until = (
            f"; {plural(standing.risk_steps, 'step')} until the arrival of that checkpoint is proven" if since else ""
        )
        return [
            f":material/hourglass_bottom: {how}: {plural(steps, 'step')}, {duration(seconds)} of training{told}{until}"
        ]
    if standing.newest is None:
        return []
    return [f":material/done_all: Nothing at risk{told}"]


def _sending(moving: Moving) -> str:
    """As `Moving.words`, with times as this app says them."""
    if not moving.files:
        return ""
    (name, done, total), more = moving.files[0], len(moving.files) - 1
    words = f"{name} {size(done)} of {size(total)}"
    if more or total != moving.total_bytes:
        others = f" and {more} more" if more else ""
        words += f"{others}, in all {size(moving.done_bytes)} of {size(moving.total_bytes)}"
    if moving.bytes_per_s is None:
        return words
    left = moving.left_s
    return words + (", no byte moves" if left is None else f", {size(moving.bytes_per_s)}/s, {duration(left)} left")


def _since(run: RunStory, standing: RunStanding, visit: Visit | None) -> str:
    """What is new since the visit before this one; empty on the first."""
    if visit is None or visit.before is None:
        return ""
    before = visit.before
    parts = []
    old = visit.steps_before.get(run.files.info.run_id)
    if old is None:
        parts.append("new run")
    elif standing.top_step > old:
        parts.append(f"+{count(standing.top_step - old)} steps")
    begun = sum(1 for s in run.files.sessions if s.session.started_at > before)
    ended = sum(1 for s in run.files.sessions if s.session.end is not None and s.session.end.at > before)
    parts += [plural(begun, "session") + " begun"] if begun else []
    parts += [plural(ended, "session") + " ended"] if ended else []
    return ", ".join(parts) or "nothing new"


def _links(page: Page, run: RunStory, standing: RunStanding) -> None:
    """The next move stands out only where somebody has to make it: a live run goes on by itself."""
    query = address_of(run.files.info.run_id)
    with st.container(horizontal=True, gap="small"):
        if (standing.wants_you or standing.is_quiet) and st.button(
            "Resume",
            key=f"resume-{run.files.info.run_id}",
            icon=":material/play_circle:",
            type="primary" if standing.wants_you else "secondary",
            help="Only if you know that the machine is gone." if standing.is_quiet else None,
        ):
            st.session_state["run"] = run.files.info.run_id
            st.switch_page("views/resume.py", query_params=query)
        if st.button(
            "Look at it",
            key=f"look-{run.files.info.run_id}",
            icon=":material/show_chart:",
            type="tertiary" if standing.wants_you else "secondary",
        ):
            st.session_state["run"] = run.files.info.run_id
            st.switch_page("views/run.py", query_params=query)
        if not (standing.is_finished or is_read_only()):
            show_deadline(page, run)
