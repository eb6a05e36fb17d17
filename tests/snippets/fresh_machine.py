"""A machine on which Batonpass has never been: a Python of its own that has every dependency and not Batonpass, and real kernels on it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from batonpass.core.snippets import Cell, Snippet, to_notebook

STANDINS = Path(__file__).resolve().parent / "standins"
_OURS = ("batonpass", "__editable__")
_UNREACHABLE_INDEX = "http://127.0.0.1:9/simple"


@dataclass(frozen=True)
class Outcome:
    """What a notebook printed, and the error it stopped with ("" when it ran through)."""

    printed: str
    error: str


@dataclass
class FreshMachine:
    """`folder` holds everything of it: the Python, the home folder, the kernels' files."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dependencies = self.folder / "dependencies"
        dependencies.mkdir(parents=True)
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not entry.name.startswith(_OURS) and entry.suffix != ".pth":
                (dependencies / entry.name).symlink_to(entry)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.folder / "python"], check=True)
        (self.site_packages / "dependencies.pth").write_text(f"{dependencies}\n")
        spec = self.folder / "kernels" / "fresh"
        spec.mkdir(parents=True)
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "fresh", "language": "python"}))

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "python" / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        """Where pip installs to."""
        return next((self.folder / "python" / "lib").glob("python3.*")) / "site-packages"

    @property
    def has_batonpass(self) -> bool:
        """Whether pip has put it here."""
        return (self.site_packages / "batonpass").is_dir()

    def pip_install(self, wheel: Path) -> None:
        """Install a wheel, as a person would have done before."""
        command = [self.python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel]
        subprocess.run(command, check=True, capture_output=True)

    def run(self, snippet: Snippet, *, own_cell: str = "", last_cell: str = "", **environment: str) -> Outcome:
        """Execute the snippet's notebook file in a new kernel, with the person's own cell above the last one and a look after it."""
        book = nbformat.reads(to_notebook(snippet).decode(), as_version=4)
        if own_cell:
            book.cells.insert(-1, nbformat.v4.new_code_cell(own_cell))
        if last_cell:
            book.cells.append(nbformat.v4.new_code_cell(last_cell))
        return self._execute(book, environment)

    def run_cells(self, cells: Iterable[Cell], **environment: str) -> Outcome:
        """Execute some cells in a new kernel."""
        sources = (c.source for c in cells if c.kind == "code")
        return self._execute(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources]), environment
        )

    def _execute(self, book: nbformat.NotebookNode, environment: Mapping[str, str]) -> Outcome:
        kernels = KernelSpecManager(kernel_dirs=[str(self.folder / "kernels")], ensure_native_kernel=False)
        manager = AsyncKernelManager(kernel_name="fresh", kernel_spec_manager=kernels)
        error = ""
        try:
            NotebookClient(book, km=manager, timeout=120).execute(
                env={**self._base_environment(), **environment}, cwd=str(self.folder), cleanup_kc=True
            )
        except CellExecutionError as failure:
            error = f"{failure.ename}: {failure.evalue}"
        outputs = itertools.chain.from_iterable(c.get("outputs", []) for c in book.cells)
        return Outcome("".join(o.get("text", "") for o in outputs), error)

    def _base_environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
            "PYTHONPATH": str(STANDINS),
            "PIP_INDEX_URL": _UNREACHABLE_INDEX,
            "PIP_RETRIES": "0",
            "PIP_CONFIG_FILE": "/dev/null",
            "BATONPASS_HOME": str(self.folder / "home" / "batonpass"),
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }
