"""A store with one run, and the command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from published import Published, publish


@pytest.fixture
def run_of_two(tmp_path: Path) -> Published:
    """The run "cats-v2" with checkpoints at steps 100 and 200."""
    return publish(tmp_path / "drive", tmp_path / "home")


@pytest.fixture
def batonpass(tmp_path: Path):
    """Runs a command as a user does; returns the finished process."""

    def call(
        *words: object, stdin: str = "", env: dict[str, str] | None = None, file_limit: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`file_limit`: no file may grow beyond so many bytes, as if the disk were full."""

        def limit():
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "batonpass", *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
            check=False,
            preexec_fn=limit if file_limit else None,
        )

    return call
