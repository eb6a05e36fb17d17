"""The agent's wheel: complete, installable by pip without an index, and the same from wherever it is built."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import batonpass
from batonpass.core.errors import StoreError
from batonpass.core.files import hash_bytes
from batonpass.sync.agent import build_wheel, find_agent, put_agent
from batonpass.sync.stores.memory import MemoryStore

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD_AGAIN = "import sys; from batonpass.sync.agent import build_wheel; sys.stdout.buffer.write(build_wheel().data)"


def names(data: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="session")
def by_setuptools(tmp_path_factory) -> Path:
    """The wheel that the real build backend makes of this checkout."""
    folder = tmp_path_factory.mktemp("setuptools")
    for part in ("core", "sync", "src", "streamlit_app"):
        shutil.copytree(CHECKOUT / part, folder / "source" / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "LICENSE", "README.md"):
        (folder / "source" / part).write_bytes((CHECKOUT / part).read_bytes() if (CHECKOUT / part).is_file() else b"")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", folder, folder / "source"], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """A folder into which pip has installed our wheel, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = build_wheel()
    (folder / wheel.name).write_bytes(wheel.data)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*command, "--target", folder / "site", folder / wheel.name], check=True, capture_output=True)
    return folder / "site"


def run_there(site: Path, *words: str) -> bytes:
    """A fresh process that has `site` and the third-party packages, but not this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, *words], env=environment, cwd=site, check=True, capture_output=True).stdout


def test_it_holds_what_the_build_backend_would_pack(by_setuptools):
    """File for file the same as setuptools makes, data files included: nothing forgotten, nothing too much."""
    ours = names(build_wheel().data)
    assert ours == names(by_setuptools.read_bytes())
    assert {"batonpass/core/gpu/catalogue.csv", "batonpass/core/py.typed", "batonpass/sync/stores/folder.py"} <= ours
    assert any(name.startswith("batonpass/core/snippets/templates/") for name in ours)


def test_nothing_at_top_level_but_the_package():
    """No `core` or `sync` that would collide in a notebook's site-packages."""
    with zipfile.ZipFile(io.BytesIO(build_wheel().data)) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"batonpass", f"batonpass-{batonpass.__version__}.dist-info"}


def test_it_says_of_itself_what_the_build_backend_says(by_setuptools):
    """Name, version, Python, every requirement with its extra, and the command are the same."""
    from importlib.metadata import PathDistribution

    ours = PathDistribution(
        zipfile.Path(io.BytesIO(build_wheel().data), f"batonpass-{batonpass.__version__}.dist-info/")
    )
    real = PathDistribution(zipfile.Path(by_setuptools, f"batonpass-{batonpass.__version__}.dist-info/"))

    def requirement_set(distribution):
        from packaging.requirements import Requirement

        return {str(Requirement(need)) for need in distribution.requires}

    assert requirement_set(ours) == requirement_set(real)
    for field in ("Name", "Version", "Requires-Python", "Summary"):
        assert ours.metadata[field] == real.metadata[field]
    assert {(e.name, e.value) for e in ours.entry_points} == {(e.name, e.value) for e in real.entry_points}


def test_equal_files_make_equal_bytes():
    """Built twice, it is one wheel: its sha256 can stand in a snippet."""
    assert build_wheel() == build_wheel()


def test_pip_installs_it_and_it_runs(installed):
    """Pip checks every hash of the record; then the package imports from there, sub-packages and data too."""
    code = "import batonpass, batonpass.core.gpu, batonpass.sync.stores.folder as f; print(batonpass.__version__, f.__file__)"
    out = run_there(installed, "-c", code).decode()
    assert out.startswith(batonpass.__version__)
    assert str(installed) in out
    assert {p.name for p in installed.iterdir()} - {"bin", "__pycache__"} == {
        "batonpass",
        f"batonpass-{batonpass.__version__}.dist-info",
    }


def test_the_installed_package_builds_the_same_wheel(installed):
    """What a notebook installed can itself be put on a store: byte for byte the same."""
    assert run_there(installed, "-c", BUILD_AGAIN) == build_wheel().data


def broken_by_record(data: bytes) -> list[str]:
    """The files that the wheel's own RECORD does not vouch for."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        record_name = next(name for name in archive.namelist() if name.endswith("/RECORD"))
        rows = dict(line.rsplit(",", 2)[:2] for line in archive.read(record_name).decode().splitlines())
        wrong = []
        for name in archive.namelist():
            digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=").decode()
            if rows.get(name) != ("" if name == record_name else f"sha256={digest}"):
                wrong.append(name)
        return wrong


def test_its_record_vouches_for_every_file():
    """Each file's sha256 stands in RECORD; a file edited afterwards does not match it any more."""
    wheel = build_wheel()
    assert broken_by_record(wheel.data) == []
    edited = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b"# edited" if name == "batonpass/core/codec.py" else b""))
    assert broken_by_record(edited.getvalue()) == ["batonpass/core/codec.py"]


def test_secrets_of_the_app_are_never_packed(tmp_path):
    """Streamlit keeps passwords in `.streamlit/secrets.toml` beside its settings: only the settings go."""
    from batonpass.sync.wheel import _files

    (tmp_path / ".streamlit").mkdir()
    for name in ("config.toml", "secrets.toml"):
        (tmp_path / ".streamlit" / name).touch()
    (tmp_path / "scratch.txt").touch()
    (tmp_path / "app.py").touch()
    assert [name for name, _ in _files(tmp_path)] == [".streamlit/config.toml", "app.py"]


def test_it_is_put_on_a_store_and_found_there(request):
    """`put_agent` proves the bytes; `find_agent` says their name and hash; before that there is none."""
    store = MemoryStore(request.node.name)
    assert find_agent(store) is None
    put = put_agent(store)
    assert find_agent(store) == put
    data = store.get(f"agent/{put.name}")
    assert put.sha256 == hash_bytes(data).sha256
    assert data == build_wheel().data
    assert put_agent(store) == put


def test_bytes_that_arrive_changed_are_told(request):
    """A store that holds something else afterwards is a StoreError, not a success."""

    class Corrupting(MemoryStore):
        def put(self, key, body, **options):
            return super().put(key, body[:-1] + b"?", **options)

    with pytest.raises(StoreError, match="not what was sent"):
        put_agent(Corrupting(request.node.name))


def test_the_newest_version_is_found(request):
    """By version number, not by the alphabet; other wheels and odd names are passed over."""
    store = MemoryStore(request.node.name)
    for version in ("0.9.0", "0.10.0rc1", "0.10.0", "0.2"):
        store.put(f"agent/batonpass-{version}-py3-none-any.whl", version.encode())
    store.put("agent/zzz-9.9-py3-none-any.whl", b"other")
    store.put("agent/batonpass-latest-py3-none-any.whl", b"odd")
    found = find_agent(store)
    assert found is not None
    assert found.name == "batonpass-0.10.0-py3-none-any.whl"
    assert found.sha256 == hash_bytes(b"0.10.0").sha256
