"""The emulator as a program: its options, and its numbers at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import requests
from drive_emulator.log import table
from drive_emulator.temper import TEMPERS

TESTS = Path(__file__).resolve().parent.parent


def test_help_names_every_option_and_temper():
    """A person finds out without reading the source."""
    shown = subprocess.run(
        [sys.executable, "-m", "drive_emulator", "--help"], cwd=TESTS, capture_output=True, text=True, check=True
    ).stdout
    for word in ("--temper", "--creates-per-s", "--latency-s", "--link-mbit-per-s", "--log", *TEMPERS):
        assert word in shown


def test_it_prints_its_numbers_at_the_end():
    """One answered and one refused call: both are in the table, which ends a run whose standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "drive_emulator", "--log", "--temper", "strict"],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    assert requests.get(f"{url}drive/v2/about", timeout=10).status_code == 401
    assert requests.get(f"{url}nothing", timeout=10).status_code == 404
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    lines = [line.split() for line in log.splitlines()]
    assert ["about.get", "1", "5"] in lines
    assert ["answered", "401", "1"] in lines
    assert ["requests", "2"] in lines


def test_the_table_adds_up():
    """Units by call are the total's."""
    numbers = {
        "requests": 3,
        "bytes_in": 7,
        "bytes_out": 9,
        "units": 205,
        "by_op": {"files.list": 2, "files.get": 1},
        "by_status": {"200": 2, "0": 1},
    }
    assert table(numbers).splitlines()[1:5] == [
        f"{'files.get':24}{1:>9}{5:>9}",
        f"{'files.list':24}{2:>9}{200:>9}",
        f"{'no answer':24}{1:>9}",
        f"{'answered 200':24}{2:>9}",
    ]
