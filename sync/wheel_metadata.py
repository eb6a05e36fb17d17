"""What a wheel says about itself in its `.dist-info` folder, taken from a checkout's pyproject.toml or from an install."""

from __future__ import annotations

import importlib.metadata
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WHEEL = "Wheel-Version: 1.0\nGenerator: batonpass\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True, slots=True)
class Metadata:
    """`files`: name inside `.dist-info` -> text."""

    version: str
    files: dict[str, str]


def metadata_of_checkout(project_file: Path, name: str) -> Metadata | None:
    """From pyproject.toml; None when it is another project's."""
    with project_file.open("rb") as file:
        project: dict[str, Any] = tomllib.load(file).get("project", {})
    if project.get("name") != name:
        return None
    files = {"METADATA": _core_metadata(project), "WHEEL": _WHEEL, "entry_points.txt": _entry_points(project)}
    licence = project_file.with_name("LICENSE")
    if licence.is_file():
        files["LICENSE"] = licence.read_text(encoding="utf-8")
    return Metadata(str(project["version"]), files)


def metadata_of_install(distribution: importlib.metadata.Distribution) -> Metadata:
    """What pip wrote beside the installed package, without its own notes (installer, direct URL, record)."""
    files = {"WHEEL": _WHEEL}
    for name in ("METADATA", "entry_points.txt", "LICENSE", "licenses/LICENSE"):
        text = distribution.read_text(name)
        if text is not None:
            files[name] = text
    return Metadata(distribution.version, files)


def _core_metadata(project: dict[str, Any]) -> str:
    """The core metadata specification, version 2.1, which every pip in use reads."""
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project.get('description', '')}",
        f"License: {project.get('license', '')}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {need}" for need in project.get("dependencies", [])),
    ]
    for extra, needs in project.get("optional-dependencies", {}).items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {_within_extra(need, extra)}" for need in needs]
    return "\n".join([*lines, ""])


def _within_extra(need: str, extra: str) -> str:
    requirement, semicolon, marker = need.partition(";")
    own = f"({marker.strip()}) and " if semicolon else ""
    return f'{requirement.strip()}; {own}extra == "{extra}"'


def _entry_points(project: dict[str, Any]) -> str:
    scripts = project.get("scripts", {})
    return "\n".join(["[console_scripts]", *(f"{name} = {target}" for name, target in scripts.items()), ""])
