"""The house stands: imports go one way, and each third-party library has one home."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from house.checkout import CHECKOUT, FOLDERS, imports_of, python_files

MAY_IMPORT = {
    "core": {"core"},
    "sync": {"core", "sync"},
    "front": {"core", "sync", "front"},
    "app": {"core", "sync", "app"},
}
"""Layer -> the layers it may import. The front door and the app do not know each other."""

HOMES = {
    "torch": ("core/training/", "src/batonpass/demo/", "src/batonpass/callbacks/"),
    "safetensors": ("core/training/",),
    "xxhash": ("core/training/",),
    "zstandard": ("core/shuffle.py",),
    "numpy": ("core/metrics/", "core/training/", "core/shuffle.py", "streamlit_app/"),
    "pyarrow": ("core/metrics/",),
    "cattrs": ("core/codec.py",),
    "platformdirs": ("core/settings.py",),
    "psutil": ("core/training/", "sync/"),
    "filelock": ("sync/",),
    "apscheduler": ("sync/",),
    "pynvml": ("sync/gpu.py",),
    "requests": (
        "sync/drive/",
        "sync/sign_in",
        "sync/login.py",
        "sync/doctor",
        "sync/stores/gdrive.py",
        "sync/webhook.py",
    ),
    "pydrive2": ("sync/drive/", "sync/stores/gdrive.py"),
    "googleapiclient": ("sync/drive/", "sync/stores/gdrive.py"),
    "httplib2": ("sync/drive/",),
    "google_auth_httplib2": ("sync/drive/",),
    "google": ("sync/drive/", "sync/sign_in", "sync/login.py", "sync/doctor", "sync/stores/gdrive.py"),
    "google_auth_oauthlib": ("sync/login.py",),
    "streamlit": ("streamlit_app/",),
    "scipy": ("streamlit_app/",),
    "pandas": ("streamlit_app/",),
    "sklearn": ("src/batonpass/demo/",),
    "IPython": ("src/batonpass/",),
    "transformers": ("src/batonpass/callbacks/",),
    "lightning": ("src/batonpass/callbacks/",),
    "pytorch_lightning": ("src/batonpass/callbacks/",),
    "keras": ("src/batonpass/callbacks/",),
}
"""Third-party library -> where it may be imported, as the beginning of a path."""


def layer_of(module: str) -> str:
    parts = module.split(".")
    second = parts[1] if len(parts) > 1 else ""
    return {"core": "core", "sync": "sync", "streamlit_app": "app"}.get(second, "front")


def violations(path: str, source: str) -> list[str]:
    """What a file of the package imports and must not, each with file and line."""
    folder = next(folder for folder in FOLDERS if path.startswith(f"{folder}/"))
    layer = layer_of(FOLDERS[folder])
    found = []
    for imported, line in imports_of(source):
        top = imported.split(".", maxsplit=1)[0]
        if top == "":
            found.append(f"{path}:{line}: relative import of {imported!r}")
        elif top in ("core", "sync", "streamlit_app"):
            found.append(f"{path}:{line}: imports {top} and not batonpass.{top}")
        elif top == "batonpass":
            if layer_of(imported) not in MAY_IMPORT[layer]:
                found.append(f"{path}:{line}: {layer} imports {imported}")
        elif top not in sys.stdlib_module_names and not path.startswith(HOMES.get(top, ("nowhere",))):
            home = " or ".join(HOMES[top]) if top in HOMES else "no home; give it one in tests/house/test_layers.py"
            found.append(f"{path}:{line}: imports {imported}, which lives in {home}")
    return found


def test_every_file_imports_only_downwards_and_each_library_only_at_its_home():
    found = [each for path in python_files() for each in violations(path.as_posix(), (CHECKOUT / path).read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source", "said"),
    [
        ("core/lineage.py", "from batonpass.sync.reading import read_run", "core imports batonpass.sync.reading"),
        (
            "core/lineage.py",
            "def f():\n    from batonpass import sync",
            "core/lineage.py:2: core imports batonpass.sync",
        ),
        ("sync/mirror.py", "from batonpass import __version__", "sync imports batonpass.__version__"),
        ("sync/mirror.py", "import batonpass.run", "sync imports batonpass.run"),
        ("streamlit_app/app.py", "from batonpass.run import Run", "app imports batonpass.run"),
        ("src/batonpass/run.py", "import batonpass.streamlit_app.app", "front imports batonpass.streamlit_app.app"),
        ("sync/mirror.py", "import torch", "which lives in core/training/"),
        ("core/metrics/log.py", "def f():\n    import torch.nn as nn", "core/metrics/log.py:2: imports torch.nn"),
        ("core/codec.py", 'importlib.import_module("pyarrow.parquet")', "which lives in core/metrics/"),
        ("core/codec.py", "if TYPE_CHECKING:\n    import streamlit", "which lives in streamlit_app/"),
        ("sync/mirror.py", "from google.auth import default", "which lives in sync/drive/"),
        ("core/codec.py", "import leftpad", "no home"),
        ("core/codec.py", "from .errors import FormatError", "relative import"),
        ("sync/mirror.py", "from core.codec import encode", "imports core and not batonpass.core"),
    ],
)
def test_a_planted_import_is_found_with_its_file(path, source, said):
    assert said in "\n".join(violations(path, source))


def test_nothing_beside_the_apps_entry_hides_a_library():
    """`streamlit run` puts the folder of its script first on the import path: a module called `statistics` there would be everybody's."""
    known = sys.stdlib_module_names | {name for name in HOMES if "." not in name}
    beside = {path.stem for path in (CHECKOUT / "streamlit_app").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not beside & known


def test_core_uses_no_network_module_of_the_standard_library():
    network = {"socket", "ssl", "http", "urllib", "smtplib", "ftplib", "asyncio", "socketserver", "xmlrpc"}
    found = [
        f"{path}:{line}: {imported}"
        for path in python_files()
        if path.parts[0] == "core"
        for imported, line in imports_of((CHECKOUT / path).read_text())
        if imported.split(".")[0] in network and imported != "urllib.parse"
    ]
    assert not found, "\n".join(found)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of `folder`'s pyproject.toml on the package that its .typelink shows."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", "pyproject.toml"]
    environment = {**os.environ, "PYTHONPATH": str(folder / ".typelink"), "PYTHONSAFEPATH": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def lean_copy(tmp_path: Path) -> Path:
    """The package's sources and contracts in a folder of their own, to plant something in."""
    (tmp_path / "pyproject.toml").write_bytes((CHECKOUT / "pyproject.toml").read_bytes())
    for path in python_files():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((CHECKOUT / path).read_bytes())
    links = tmp_path / ".typelink" / "batonpass"
    links.mkdir(parents=True)
    for link in filter(Path.is_symlink, (CHECKOUT / ".typelink" / "batonpass").iterdir()):
        (links / link.name).symlink_to(link.readlink())
    return tmp_path


def test_the_contracts_hold():
    result = lint_imports(CHECKOUT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("core/naming.py", "import batonpass.sync.reading", "batonpass.core is not allowed to import batonpass.sync"),
        ("core/naming.py", "import requests", "batonpass.core is not allowed to import requests"),
        ("sync/reading.py", "import batonpass.words", "batonpass.sync is not allowed to import batonpass.words"),
    ],
)
def test_the_contracts_notice_a_planted_import(lean_copy, file, line, contract):
    with (lean_copy / file).open("a") as source:
        source.write(f"\n{line}\n")
    result = lint_imports(lean_copy)
    assert result.returncode != 0
    assert contract in result.stdout


def test_the_contract_on_layers_names_every_module_of_the_front_door():
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    top = next(c for c in contracts if c["type"] == "layers")["layers"][0]
    there = {
        p.stem for p in (CHECKOUT / "src/batonpass").iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()
    }
    assert {name.strip() for name in top.split(":")} == {f"batonpass.{stem}" for stem in there - {"__init__"}} | {
        "batonpass.streamlit_app"
    }
