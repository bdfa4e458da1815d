"""Try what is built as a stranger has it: installed in clean environments, without the sources.

    python -m tools.package [PART ...]    parts: distributions, whole, typing, extras; all of them

Each line says what was tried. Exit code 1 when something was not as it must be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tools.package_uses import EXTRA_USES, MODULES, USES, Use

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "package"
LISTING = "import importlib.util as i, sys; print([n for n in sys.argv[1:] if i.find_spec(n)])"
HIDDEN = {"PYTHONPATH", "VIRTUAL_ENV", "SESSIONSTORE_POSTGRES_DSN"}


def main() -> int:
    parts: dict[str, Callable[[Path], list[str]]] = {
        "distributions": _distributions,
        "whole": _whole,
        "typing": _typing,
        "extras": _extras,
    }
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PART")
    asked = parser.parse_args().parts or list(parts)
    shutil.rmtree(FOLDER, ignore_errors=True)
    wheel = _build(ROOT, FOLDER / "dist", "wheel")
    wrong = [one for name in asked for one in parts[name](wheel)]
    for one in wrong:
        print(f"package: WRONG: {one}")
    print(f"package: {len(asked)} parts tried, {len(wrong)} things wrong")
    return int(bool(wrong))


def _distributions(wheel: Path) -> list[str]:
    """The source distribution builds the same wheel, and holds what the tests need."""
    source = _build(ROOT, FOLDER / "dist", "sdist")
    with tarfile.open(source) as packed:
        # The documented way for Pythons that know no filters yet, such as 3.11.2 of Debian.
        packed.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        packed.extractall(FOLDER / "source")
    (unpacked,) = (FOLDER / "source").iterdir()
    again = _build(unpacked, FOLDER / "again", "wheel")
    print(f"package: {source.name} builds {again.name}")
    wrong = [] if _contents(again) == _contents(wheel) else ["the wheels differ"]
    needed = ("tests", "conftest.py", "constraints.txt", "Makefile", "tools/setup.sh", "LICENSE")
    return wrong + [f"{name} is not in it" for name in needed if not (unpacked / name).exists()]


def _whole(wheel: Path) -> list[str]:
    python = _environment("all", f"{wheel}[all]", "pytest-xdist", "mypy")
    wrong = []
    with tempfile.TemporaryDirectory(prefix="sessionstore-package-") as empty:
        for use in USES:
            wrong += _used(use, python, Path(empty), "all")
    return wrong


def _typing(wheel: Path) -> list[str]:
    """A user's types are seen, right ones and wrong ones."""
    python = FOLDER / "environments" / "all" / "bin" / "python"
    if not python.exists():
        python = _environment("all", f"{wheel}[all]", "pytest-xdist", "mypy")
    from tools.package_uses import RIGHT_TYPES, WRONG_TYPES  # noqa: PLC0415 - texts of this part

    wrong = []
    with tempfile.TemporaryDirectory(prefix="sessionstore-package-") as empty:
        for use in (RIGHT_TYPES, WRONG_TYPES):
            wrong += _used(use, python, Path(empty), "all")
    return wrong


def _extras(wheel: Path) -> list[str]:
    """With one extra alone, what it is for works, and the rest says what to install."""
    with ThreadPoolExecutor(2) as two:
        return [one for wrong in two.map(partial(_extra, wheel), MODULES) for one in wrong]


def _extra(wheel: Path, extra: str) -> list[str]:
    python = _environment(extra, f"{wheel}[{extra}]" if extra != "bare" else str(wheel))
    every = sorted({one for names in MODULES.values() for one in names})
    found = subprocess.run(
        [str(python), "-c", LISTING, *every], capture_output=True, text=True, check=True
    )
    wrong = []
    if found.stdout.strip() != str(sorted(MODULES[extra])):
        wrong.append(f"[{extra}] brings {found.stdout.strip()}, not {sorted(MODULES[extra])}")
    with tempfile.TemporaryDirectory(prefix="sessionstore-package-") as empty:
        for use in EXTRA_USES:
            wrong += _used(use, python, Path(empty), extra)
    return wrong


def _used(use: Use, python: Path, folder: Path, extra: str) -> list[str]:
    for name, text in use.files.items():
        (folder / name).write_text(text)
    code, line = use.expected(extra)
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    command = [str(python.with_name(use.program)), *use.arguments]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    said = ended.stdout + ended.stderr
    words = f"[{extra}] {use.program} {' '.join(use.arguments)}"
    print(f"package: {words}: {ended.returncode}", flush=True)
    if "Traceback" in said or ended.returncode != code or line not in said:
        return [f"{words} ended with {ended.returncode}, not {code} and {line!r}:\n{said[-2000:]}"]
    return []


def _environment(name: str, *wanted: str) -> Path:
    folder = FOLDER / "environments" / name
    # With the pip that is here, and what is never imported is not compiled: a quarter of the time.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "--disable-pip-version-check"]
    constraints = str(ROOT / "constraints.txt")
    options = ["-qq", "--no-compile", "--constraint", constraints]
    subprocess.run([*pip, "install", *options, *wanted], check=True)
    return folder / "bin" / "python"


def _build(sources: Path, target: Path, kind: str) -> Path:
    command: Sequence[str] = [sys.executable, "-m", "hatchling", "build", "-t", kind]
    subprocess.run([*command, "-d", str(target)], cwd=sources, check=True, capture_output=True)
    (built,) = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def _contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if not name.endswith("RECORD")]
        return {name: packed.read(name) for name in names}


if __name__ == "__main__":
    raise SystemExit(main())
