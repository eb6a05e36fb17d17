"""`batonpass app`: the Streamlit app on this computer, for this computer only."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from batonpass.core.errors import UsageError
from batonpass.core.settings import read_settings
from batonpass.sync.commands.opening import add_store
from batonpass.sync.commands.printing import show

PIP_LINE = 'python -m pip install "streamlit>=1.67,<2" "scipy>=1.14"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--store --port --no-browser."""
    add_store(parser)
    parser.add_argument("--port", type=int, default=8501, help="on 127.0.0.1 (default: 8501)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")


def run(args: argparse.Namespace) -> int:
    """Become Streamlit (on Windows: start it and wait)."""
    script = find_app()
    show(f"the app: http://127.0.0.1:{args.port} (on this computer only; Ctrl-C ends it)")
    command = [sys.executable, "-m", "streamlit", "run", script.name, *_options(args), *theme_options(script)]
    environment = {**os.environ, **({"BATONPASS_STORE": absolute(args.store)} if args.store else {})}
    if os.name == "posix":
        sys.stdout.flush()
        os.chdir(script.parent)  # where its theme lies
        os.execve(sys.executable, command, environment)  # noqa: S606  # our own interpreter and arguments
    return subprocess.run(command, cwd=script.parent, env=environment, check=False).returncode  # noqa: S603  # as above


def find_app() -> Path:
    """The app's script, without importing it. UsageError when it or Streamlit is not installed."""
    spec = importlib.util.find_spec("batonpass.streamlit_app")
    places = list(spec.submodule_search_locations or ()) if spec else []
    script = Path(places[0]) / "app.py" if places else None
    if script is None or not script.is_file():
        raise UsageError("this installation has no app in it", hint="install the whole package: pip install batonpass")
    if importlib.util.find_spec("streamlit") is None:
        raise UsageError("the app needs Streamlit, which is not installed here", hint=PIP_LINE)
    return script


def absolute(store: str) -> str:
    """A folder's path that holds from any folder; a URL stays as it is."""
    return store if "://" in store else str(Path(store).expanduser().absolute())


def theme_options(script: Path) -> list[str]:
    """What makes both palettes of the app's configuration the one that was chosen in its Settings; nothing where the system decides.

    Streamlit has no option that forces one of two palettes, and none that is read after its start.
    """
    other = {"light": "dark", "dark": "light"}
    try:
        chosen = json.loads((read_settings().home / "app.json").read_bytes()).get("theme")
        palette = tomllib.loads((script.parent / ".streamlit" / "config.toml").read_text("utf-8"))["theme"][chosen]
    except (OSError, ValueError, KeyError, AttributeError, TypeError):  # nothing chosen, or nothing that can be read
        return []
    if chosen not in other:
        return []
    return [
        f"--theme.{other[chosen]}.{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in palette.items()
    ]


def _options(args: argparse.Namespace) -> list[str]:
    return [
        "--server.address=127.0.0.1",
        f"--server.port={args.port}",
        f"--server.headless={'true' if args.no_browser else 'false'}",
        "--browser.gatherUsageStats=false",
        "--logger.hideWelcomeMessage=true",  # with it goes Streamlit's own offer, on our pages, to install things for coding agents
        "--server.showEmailPrompt=false",  # the very first start of Streamlit on a computer asks for one otherwise
    ]
