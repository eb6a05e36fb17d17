"""Would installing Batonpass on Colab change anything that is preinstalled there? Asks pip for a plan; installs nothing. Needs a network.

    python bench/colab_install.py                      # or: make check-colab
    python bench/colab_install.py "pydrive2==1.21.3"   # the same question about other requirements: this one would change some

Exit code 0: only new packages would be added. 1: a preinstalled one would change, or there is no plan beside the preinstalled ones.
pip judges environment markers (`; python_version < ...`) by the Python it runs under, so 3.13 gives the exact answer; the script says
so when it runs under another one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
IMAGE = HERE / "colab-2026-08.txt"
PYTHON = "3.13"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


class NoPlanError(Exception):
    """pip finds no way to install beside what is there; the message is pip's own."""


def canonical(name: str) -> str:
    """A distribution's name as an index compares it: "PyDrive2" and "pydrive2" are one."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(path: Path) -> dict[str, str]:
    """Name -> version of each `name==version` line."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return {canonical(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def base_requirements() -> list[str]:
    """What the notebook agent depends on, as pyproject.toml says it."""
    dependencies: list[str] = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    return dependencies


def plan(requirements: list[str], constraints: Path) -> dict[str, str]:
    """Name -> version of everything that pip would have installed in an empty environment on that image. NoPlanError with pip's words."""
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-"]
        command += ["--ignore-installed", "--only-binary=:all:", "--target", target]
        command += ["--python-version", PYTHON, "--implementation", "cp"]
        command += [word for platform in PLATFORMS for word in ("--platform", platform)]
        command += ["--constraint", str(constraints)]
        done = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPlanError("\n".join(line for line in done.stderr.splitlines() if not line.startswith("WARNING")))
    return {
        canonical(item["metadata"]["name"]): item["metadata"]["version"] for item in json.loads(done.stdout)["install"]
    }


def compare(preinstalled: dict[str, str], planned: dict[str, str]) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """(what is new, what would change as (version there, version planned))."""
    new = {name: version for name, version in planned.items() if name not in preinstalled}
    changed = {n: (preinstalled[n], v) for n, v in planned.items() if n in preinstalled and preinstalled[n] != v}
    return new, changed


def main(asked: list[str]) -> int:
    """Print what is new and what would change; returns the exit code."""
    preinstalled = read_pins(IMAGE)
    if f"{sys.version_info[0]}.{sys.version_info[1]}" != PYTHON:
        print(f"(markers are judged for Python {sys.version_info[0]}.{sys.version_info[1]}, not {PYTHON})")
    try:
        planned = plan(asked or base_requirements(), IMAGE)
    except NoPlanError as error:
        print(f"pip finds no plan that leaves the preinstalled packages alone:\n{error}")
        return 1
    new, changed = compare(preinstalled, planned)
    print(
        f"Colab's image of August 2026: {len(planned)} packages are needed, {len(planned) - len(new)} of them are there"
    )
    print("new:     " + (", ".join(f"{name} {version}" for name, version in sorted(new.items())) or "none"))
    print("changed: " + (", ".join(f"{n} {was} -> {now}" for n, (was, now) in sorted(changed.items())) or "none"))
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
