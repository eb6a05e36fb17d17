"""On a computer where Streamlit has never run, each way of starting the app asks nothing and serves the page."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from house.checkout import CHECKOUT
from house.conftest import clean_environment


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serves(port: int, process: subprocess.Popen) -> bool:
    """Whether the app answers before it ends or a minute is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "batonpass", "app", "--store", "nowhere", "--port"),
        ("-m", "streamlit", "run", str(CHECKOUT / "streamlit_app/app.py"), "--server.port"),
    ],
    ids=["batonpass app", "streamlit run"],
)
def test_the_first_start_asks_for_nothing(words, tmp_path):
    port = free_port()
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "BROWSER": "true", "DISPLAY": ""}
    environment = clean_environment(PYTHONPATH=str(CHECKOUT / ".typelink"), **home)
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *words, str(port)],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",
        )
        try:
            served = serves(port, process)
        finally:
            process.terminate()
            process.wait(30)
    said = (tmp_path / "output").read_text(errors="replace")
    assert served, said
    assert "Email" not in said
