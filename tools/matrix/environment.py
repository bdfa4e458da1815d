"""The environment of a lane: a Python of its version, the kit from its wheel, packages as said."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.matrix.lanes import Lane

ROOT = Path(__file__).parents[2]
SUBSTITUTE = (
    "import sys, pysqlite3, pysqlite3.dbapi2; sys.modules['sqlite3'] = pysqlite3; "
    "sys.modules['sqlite3.dbapi2'] = pysqlite3.dbapi2\n"
)
"""A line that every interpreter of an environment runs at its start."""


class LackingError(Exception):
    """The machine lacks what the lane needs; the message says what."""


def build_wheel(folder: Path) -> Path:
    """Build the kit's wheel into the folder, with the environment this runs in."""
    shutil.rmtree(folder, ignore_errors=True)
    _pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


def prepare(lane: Lane, wheel: Path, folder: Path) -> Path:
    """Answer the Python of the lane's environment; what is there already serves again.

    Raises:
        LackingError: there is no such Python here, or no package for it.
    """
    interpreter = find_python(lane.python)
    pins = _pins(lane)
    wanted = "\n".join([interpreter, lane.extras, *pins, *lane.adding, lane.sqlite])
    mark = folder / "lane-is-made-of"
    python = folder / "bin" / "python"
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    if not mark.exists() or mark.read_text() != digest or lane.packages == "newest":
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
        pinned = folder / "constraints.txt"
        pinned.write_text("\n".join(pins) + "\n")
        for wanted_here in (f"{wheel}[{lane.extras}]", *lane.adding):
            arguments = ("--constraint", str(pinned), wanted_here, "pytest-xdist")
            try:
                _pip(str(python), "install", *arguments)
            except subprocess.CalledProcessError as error:
                if wanted_here not in lane.adding:
                    raise
                reason = f"{wanted_here} can't be installed for Python {lane.python}"
                raise LackingError(reason) from error
        if lane.sqlite == "wheel":
            (site,) = folder.glob("lib/python*/site-packages")
            (site / "newest_sqlite.pth").write_text(SUBSTITUTE)
        mark.write_text(digest)
    else:
        _pip(str(python), "install", "--no-deps", "--force-reinstall", str(wheel))
    return python


def find_python(version: str) -> str:
    """Find an interpreter of this version: on PATH, or among those of pyenv.

    Raises:
        LackingError: there is none.
    """
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}") or "", sys.executable]
    candidates += [str(path) for path in sorted(versions.glob(f"{version}.*/bin/python"))]
    for candidate in candidates:
        if candidate and _version(candidate) == version:
            return candidate
    raise LackingError(f"there is no Python {version} here")


def _version(python: str) -> str:
    said = "import sys; print('%d.%d' % sys.version_info[:2])"
    ended = subprocess.run([python, "-c", said], capture_output=True, text=True, check=False)
    return ended.stdout.strip()


def _pins(lane: Lane) -> list[str]:
    if lane.packages == "oldest":
        return oldest((ROOT / "pyproject.toml").read_text())
    if lane.packages == "newest":
        return []
    own = {_name(pin) for pin in lane.pins}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if _name(line) not in own] + list(lane.pins)


def oldest(pyproject: str) -> list[str]:
    """Answer the lower bound of each dependency as the one version that is allowed."""
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(one for name in extras for one in extras[name])]
    bounds = [re.fullmatch(r"([\w-]+)>=([\d.]+)(;.*)?", one) for one in wanted]
    return sorted({f"{bound[1]}=={bound[2]}" for bound in bounds if bound})


def _name(requirement: str) -> str:
    return re.split(r"[=<>~!\[ ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _pip(python: str, command: str, *arguments: str) -> None:
    subprocess.run(
        [python, "-m", "pip", command, "-qq", "--disable-pip-version-check", *arguments],
        check=True,
        cwd=ROOT,
    )
