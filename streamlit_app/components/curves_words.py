"""What is said about the curves: in place of the chart, and under it. Pure; sentences are Markdown, made safe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo

import numpy as np

from batonpass.core.lineage import Role
from batonpass.streamlit_app.components.curves_chart import robust_limits, values_in_view
from batonpass.streamlit_app.components.curves_lines import best_of
from batonpass.streamlit_app.components.curves_look import Look, Track
from batonpass.streamlit_app.components.text import escaped, plain
from batonpass.streamlit_app.curves import Axis
from batonpass.streamlit_app.wording import count, local, number, plural


def alt_text(tracks: Sequence[Track], look: Look) -> str:
    """The takeaway of the chart, for those who do not see it; plain text."""
    parts = []
    for metric in look.metrics[:6]:
        for track in tracks[:4]:
            if metric in track.curves.series:
                values = track.live(metric).value
                finite = values[np.isfinite(values)]
                if len(finite):
                    of = f" of {track.name}" if len(tracks) > 1 else ""
                    ends = f"from {number(float(finite[0]))} to {number(float(finite[-1]))}"
                    parts.append(f"{plain(metric, limit=40)}{of} {ends}")
    trunk = sum(1 for leg in tracks[0].curves.legs if leg.role is Role.TRUNK)
    beside = f" beside {plural(len(tracks) - 1, 'other run')}" if len(tracks) > 1 else ""
    return f"{tracks[0].name} over {plural(trunk, 'session')}{beside}: {', '.join(parts) or 'no finite value'}"


def under_chart(tracks: Sequence[Track], look: Look, zone: tzinfo) -> str:
    """Everything that the chart alone does not say, in one paragraph."""
    said = [*_ghosts(tracks[0], look), *_best(tracks, look, zone), *_left_out(tracks, look)]
    return " ".join(said)


def in_range(x: float | None, axis: Axis, zone: tzinfo) -> str:
    """An x value with its unit; plain text."""
    if x is None:
        return "the end"
    if axis is Axis.CLOCK:
        return _moment(x, zone)
    if axis is Axis.STEP:
        return f"step {count(x)}"
    return f"epoch {x:,.4g}" if axis is Axis.EPOCH else f"{x:,.4g} h of training"


def _ghosts(track: Track, look: Look) -> Iterator[str]:
    ghosts = sum(len(track.ghosts(m)) for m in look.metrics if m in track.curves.series)
    if ghosts and look.ghosts:
        yield (
            f"Faded and dashed: {plural(ghosts, 'value')} of steps that were run again, or of a branch; point at one to see what it was first. Those that came out the same lie under the line."
        )


def _best(tracks: Sequence[Track], look: Look, zone: tzinfo) -> Iterator[str]:
    for metric in look.metrics[:4]:
        for track in tracks[:4]:
            found = best_of(track, metric, look) if metric in track.curves.series else None
            if found is not None:
                of = f" of {escaped(track.name, limit=60)}" if len(tracks) > 1 else ""
                where = in_range(found[0], look.axis, zone)
                yield f"Best {escaped(metric, limit=40)}{of}: {escaped(number(found[1]))} at {escaped(where)}."


def _left_out(tracks: Sequence[Track], look: Look) -> Iterator[str]:
    for metric in look.metrics:
        name = escaped(metric, limit=40)
        live = [t.live(metric) for t in tracks if metric in t.curves.series]
        if bad := sum(int(np.count_nonzero(~np.isfinite(each.value))) for each in live):
            yield f"{name} has {plural(bad, 'value')} that are not numbers, drawn as gaps."
        values = values_in_view(tracks, metric, look)
        if look.log and (below := int(np.count_nonzero(values <= 0))):
            yield f"{name} has {plural(below, 'value')} of zero or less, for which a logarithmic axis has no place."
        limits = robust_limits(tracks, metric, look)
        if limits is not None and (out := int(np.count_nonzero((values < limits[0]) | (values > limits[1])))):
            yield f"{name}: {plural(out, 'value')} beyond the y axis; all run from {escaped(number(float(np.nanmin(values))))} to {escaped(number(float(np.nanmax(values))))}."
        if not len(values):
            yield f"{name} has no value in this range."


def _moment(seconds: float, zone: tzinfo) -> str:
    try:
        return local(datetime.fromtimestamp(seconds, UTC), zone)
    except (OverflowError, ValueError, OSError):
        return "an impossible moment"
