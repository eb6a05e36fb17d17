"""The package installs whole, in each of the three ways it can be used, and costs nothing to import."""

from __future__ import annotations

import email
import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from house.checkout import CHECKOUT, FOLDERS, python_files
from house.conftest import copy_checkout, run

PYPROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
LINKS = CHECKOUT / ".typelink" / "batonpass"
HEAVY = ("torch", "pyarrow", "numpy", "googleapiclient", "apscheduler", "streamlit", "scipy", "pandas", "requests")
"""What neither `import batonpass` nor the doors behind it may load."""
LOADED_ON_USE = (
    "batonpass.callbacks",
    "batonpass.core.metrics.downsample",
    "batonpass.core.metrics.resume_check",
    "batonpass.core.metrics.smoothing",
    "batonpass.core.metrics.stitch",
    "batonpass.core.metrics.table",
    "batonpass.core.training",
    "batonpass.demo",
    "batonpass.following",
    "batonpass.resuming",
    "batonpass.putting_back",
    "batonpass.run",
    "batonpass.streamlit_app",
    "batonpass.sync.doctor",
    "batonpass.sync.drive",
    "batonpass.sync.lanes",
    "batonpass.sync.sign_in",
    "batonpass.sync.stores.gdrive",
)
"""Modules (with all below them) that may load something heavy: they are imported only when what they do is asked for."""


def module_of(path: Path) -> str:
    folder = next(folder for folder in FOLDERS if path.is_relative_to(folder))
    inside = path.relative_to(folder).with_suffix("").as_posix().replace("/", ".")
    return f"{FOLDERS[folder]}.{inside}".removesuffix(".__init__")


MODULES = [module_of(path) for path in python_files()]


def test_the_package_list_equals_the_folders_that_hold_an_init_file():
    there = {module_of(path) for path in python_files() if path.name == "__init__.py"}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == there


def test_every_python_file_lies_in_a_package():
    orphans = [path for path in python_files() if not (CHECKOUT / path.parent / "__init__.py").is_file()]
    assert not orphans


def test_each_link_for_the_tools_leads_somewhere_and_none_is_missing():
    front = {p.name for p in (CHECKOUT / "src/batonpass").iterdir() if p.name != "__pycache__"}
    links = {link.name: link for link in LINKS.iterdir() if link.name != "__pycache__"}
    assert set(links) == front | {"core", "sync", "streamlit_app"}
    for name, link in links.items():
        wanted = CHECKOUT / ("src/batonpass" if name in front else "") / name
        assert link.is_symlink(), f"{name} is a copy, not a link"
        assert link.resolve() == wanted.resolve()


def test_the_version_stands_once_in_words_and_once_in_code():
    import batonpass

    assert batonpass.__version__ == PYPROJECT["project"]["version"]
    changes = (CHECKOUT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(batonpass.__version__)}\]", changes, re.MULTILINE)


def test_the_base_install_needs_neither_torch_nor_streamlit():
    base = {re.split(r"[<>=\[ ]", each)[0].lower() for each in PYPROJECT["project"]["dependencies"]}
    assert not base & {"torch", "streamlit", "scipy", "scikit-learn", "pandas", "google-auth-oauthlib"}


def test_the_wheel_says_the_same_of_what_it_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    base = [each for each in metadata.get_all("Requires-Dist") if "extra ==" not in each]
    assert len(base) == len(PYPROJECT["project"]["dependencies"])
    assert not [each for each in base if re.match(r"torch|streamlit|scipy", each)]


def test_the_wheel_holds_every_file_of_the_package_and_nothing_at_its_top_but_batonpass(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.split("/")[0] for name in names} == {"batonpass", wheel.name.rsplit("-py3", 1)[0] + ".dist-info"}
    for folder, package in FOLDERS.items():
        for file in (CHECKOUT / folder).rglob("*"):
            inside = file.relative_to(CHECKOUT / folder)
            if file.is_file() and "__pycache__" not in inside.parts and not inside.parts[0].endswith(".egg-info"):
                assert f"{package.replace('.', '/')}/{inside.as_posix()}" in names


@pytest.mark.parametrize(
    "file",
    ["core/py.typed", "core/gpu/catalogue.csv", "core/snippets/templates/torch.py.txt", "streamlit_app/py.typed"],
)
def test_the_installed_package_has_its_data(installed, file):
    assert (installed / "batonpass" / file).is_file()


def test_nothing_called_core_or_sync_is_installed(installed):
    assert {p.name for p in installed.iterdir() if p.suffix != ".dist-info"} <= {"batonpass", "bin"}


def test_importing_the_installed_package_loads_nothing_heavy(installed, tmp_path):
    code = f"import sys, batonpass; print(batonpass.__file__); print([m for m in {HEAVY} if m in sys.modules])"
    where, heavy = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).splitlines()
    assert Path(where).is_relative_to(installed)
    assert heavy == "[]"


def test_no_module_loads_a_heavy_library_before_it_is_asked_to(installed, tmp_path):
    light = [m for m in MODULES if not any(m == each or m.startswith(f"{each}.") for each in LOADED_ON_USE)]
    code = f"""
import importlib, json, sys
found = {{}}
for name in {light}:
    before = set(sys.modules)
    importlib.import_module(name)
    loaded = [m for m in {HEAVY} if m in sys.modules and m not in before]
    if loaded:
        found[name] = loaded
print(json.dumps(found))
"""
    assert json.loads(run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed))) == {}


def test_a_module_that_loads_torch_is_noticed(installed, tmp_path):
    code = "import sys, batonpass.core.training.rng; print('torch' in sys.modules)"
    assert run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).strip() == "True"


@pytest.mark.parametrize("bare", ["core", "sync", "streamlit_app"])
def test_a_bare_import_from_the_clones_root_says_the_right_name(bare, tmp_path):
    root = copy_checkout(tmp_path)
    code = f"try:\n    import {bare}\nexcept ImportError as error:\n    print(error)"
    assert f"import batonpass.{bare}" in run(sys.executable, "-c", code, cwd=root)


USE = """
import batonpass, batonpass.core.naming, batonpass.sync.reading, batonpass.streamlit_app
from importlib.resources import files
assert files("batonpass.core.gpu").joinpath("catalogue.csv").is_file()
assert files("batonpass.core.snippets").joinpath("templates/torch.py.txt").is_file()
print(batonpass.core.naming.__file__)
"""


def test_it_works_installed_also_from_a_folder_that_holds_the_sources(installed, tmp_path):
    root = copy_checkout(tmp_path)
    used = run(sys.executable, "-c", USE, cwd=root, PYTHONPATH=str(installed)).strip()
    assert Path(used).is_relative_to(installed)


def test_it_works_as_an_editable_install(tmp_path):
    root = copy_checkout(tmp_path)
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(dependencies))  # theirs, without what is editable there
    install = ("install", "--ignore-installed", "--no-deps", "--no-build-isolation", "-e", root)
    run(python, "-m", "pip", *install, cwd=tmp_path)
    for folder in (root, tmp_path.parent):
        used = run(python, "-c", USE, cwd=folder).strip()
        assert Path(used).resolve() == (root / "core/naming.py").resolve()


def test_it_works_uninstalled_through_the_links(tmp_path):
    used = run(sys.executable, "-c", USE, cwd=tmp_path, PYTHONPATH=str(LINKS.parent)).strip()
    assert Path(used).resolve() == (CHECKOUT / "core/naming.py").resolve()


def test_no_install_depends_on_the_links(installed, wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if "typelink" in name]
    assert not list(installed.rglob("*typelink*"))
