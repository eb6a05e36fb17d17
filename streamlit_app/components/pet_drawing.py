"""Draws the corgi and the kitty: an SVG made of a few shapes, in three poses. Our own drawing; still for people who ask for less motion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mood(StrEnum):
    """What the pet is doing, and so how things stand."""

    SLEEPING = "sleeping"
    RUNNING = "running"
    SITTING = "sitting"


@dataclass(frozen=True, slots=True)
class _Coat:
    fur: str
    dark: str
    light: str
    ear: str
    tail_still: str
    tail_running: str
    whiskers: str


_WHISKERS = '<path d="M3 6l9-2M3 8l9 1" stroke="#555" stroke-width=".8" fill="none"/>'
COATS = {
    "corgi": _Coat(
        "#d98a3d",
        "#b86f28",
        "#fff6ea",
        "M-9-7l-3-13 9 6zM5-10l4-13 6 10z",
        "M20 60q-7-2-7-7",
        "M22 40q-7-3-6-9",
        "",
    ),
    "kitty": _Coat(
        "#8d99a3",
        "#6c7883",
        "#f4f6f7",
        "M-11-6l0-13 9 7zM3-11l7-9 3 12z",
        "M22 61q-14 2-13-10t7-9",
        "M22 42q-14-4-12-18",
        _WHISKERS,
    ),
}
"""The pets one can choose from."""

_STYLE = """<style>
.bob{animation:bob .7s ease-in-out infinite alternate}.breathe{animation:breathe 3s ease-in-out infinite alternate;transform-origin:50% 90%}
.z{animation:rise 3s linear infinite}.z2{animation-delay:1.5s}
@keyframes bob{to{transform:translateY(-3px)}}@keyframes breathe{to{transform:scaleY(1.04)}}
@keyframes rise{0%{opacity:0}30%{opacity:1}to{opacity:0;transform:translate(4px,-6px)}}
@media (prefers-reduced-motion:reduce){*{animation:none!important}}
</style>"""


def draw(pet: str, mood: Mood) -> str:
    """The pet in a pose, as an SVG text 120 wide and 84 high. An unknown pet is drawn as a corgi."""
    coat = COATS.get(pet, COATS["corgi"])
    body = {Mood.SLEEPING: _sleeping, Mood.RUNNING: _running, Mood.SITTING: _sitting}[mood](coat)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 84" width="120" height="84">{_STYLE}{body}</svg>'


def _head(coat: _Coat, x: float, y: float, *, asleep: bool = False) -> str:
    eye = (
        '<path d="M2-2q2.5 2.5 5 0" stroke="#333" stroke-width="1.5" fill="none"/>'
        if asleep
        else '<circle cx="4.5" cy="-3" r="1.9" fill="#2b2b2b"/><circle cx="5.1" cy="-3.7" r=".6" fill="#fff"/>'
    )
    return (
        f'<g transform="translate({x} {y})"><path d="{coat.ear}" fill="{coat.dark}"/>'
        f'<circle r="13" fill="{coat.fur}"/><path d="M3 2q0-12 2-14 4 2 4 12 8 0 8 5 0 6-9 6-6 0-5-9z" fill="{coat.light}"/>'
        f'{eye}<ellipse cx="15" cy="3" rx="2.6" ry="2.2" fill="#33302e" stroke="{coat.light}" stroke-width=".9"/>'
        f'<path d="M13 7q-2 3-5 2" stroke="#33302e" stroke-width="1.1" fill="none"/>{coat.whiskers}</g>'
    )


def _leg(coat: _Coat, x1: float, y1: float, x2: float, y2: float, *, far: bool = False) -> str:
    colour = coat.dark if far else coat.fur
    return (
        f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{colour}" stroke-width="7" stroke-linecap="round"/>'
        f'<circle cx="{x2}" cy="{y2}" r="3.4" fill="{coat.light}"/>'
    )


def _running(coat: _Coat) -> str:
    legs = (
        _leg(coat, 34, 56, 23, 67, far=True)
        + _leg(coat, 72, 56, 84, 66, far=True)
        + _leg(coat, 40, 58, 35, 70)
        + _leg(coat, 68, 58, 75, 70)
    )
    baton = (
        '<g transform="rotate(-14 104 40)"><rect x="97" y="36" width="19" height="5.5" rx="2.7" fill="#0f8b86"/></g>'
    )
    ground = '<path d="M14 78h26M50 78h46" stroke="#9aa3a5" stroke-width="1.6" stroke-linecap="round" opacity=".6"/>'
    return (
        f'{ground}<g class="bob"><path d="{coat.tail_running}" stroke="{coat.fur}" stroke-width="6" fill="none" '
        f'stroke-linecap="round"/>{legs}<rect x="20" y="36" width="62" height="24" rx="12" fill="{coat.fur}"/>'
        f'<path d="M44 60q16 4 32-3v-2q-16 4-32 1z" fill="{coat.light}"/>'
        f'<path d="M68 59q14-2 13-19l-8-3q-7 12-5 22z" fill="{coat.light}"/>{_head(coat, 84, 33)}{baton}</g>'
    )


def _sleeping(coat: _Coat) -> str:
    return (
        f'<ellipse cx="58" cy="76" rx="46" ry="4" fill="#9aa3a5" opacity=".25"/>'
        f'<g class="breathe"><path d="{coat.tail_still}" stroke="{coat.dark}" stroke-width="6" fill="none" '
        f'stroke-linecap="round" transform="translate(4 8)"/>'
        f'<path d="M20 75q-3-27 28-28 30 0 34 28z" fill="{coat.fur}"/>'
        f'<path d="M58 75q8-8 22 0z" fill="{coat.light}"/></g>{_head(coat, 82, 62, asleep=True)}'
        f'<path d="M70 75h16" stroke="{coat.light}" stroke-width="6" stroke-linecap="round"/>'
        '<g fill="#7d878a" font-family="sans-serif" font-weight="700"><text class="z" x="98" y="40" font-size="12">z</text>'
        '<text class="z z2" x="107" y="28" font-size="9">z</text></g>'
    )


def _sitting(coat: _Coat) -> str:
    crate = (
        '<rect x="24" y="60" width="66" height="21" rx="3" fill="#2c7a4b"/><path d="M24 67h66" stroke="#fff" opacity=".25"/>'
        '<path d="M50 71l5 5 10-10" stroke="#fff" stroke-width="3.4" fill="none" stroke-linecap="round" stroke-linejoin="round"/>'
    )
    return (
        f'{crate}<g><path d="{coat.tail_still}" stroke="{coat.dark}" stroke-width="6" fill="none" stroke-linecap="round" '
        f'transform="translate(14 -4)"/><path d="M34 60q-3-24 20-30l14 2q10 8 8 28z" fill="{coat.fur}"/>'
        f'<path d="M66 34q9 8 8 25h-8q-6-12 0-25z" fill="{coat.light}"/>{_leg(coat, 67, 46, 68, 57)}'
        f'<ellipse cx="42" cy="57" rx="8" ry="4" fill="{coat.light}"/>{_head(coat, 66, 26)}</g>'
    )
