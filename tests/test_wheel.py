"""What is in the wheel: the kit, the reference backends, and what describes them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {"sessionstore_contract": ROOT / "src", "reference_backends": ROOT}
SUFFIXES = {".c", ".py", ".json", ".typed", ".html", ".css", ".js", ".svg"}
"""What a package of the kit may be made of."""

EXTRAS = {"sqlite", "postgres", "containers", "platform", "asyncio", "fast", "all"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the sources as they are."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.iterdir()
    return zipfile.ZipFile(path)


def sources() -> set[str]:
    return {
        str(path.relative_to(parent))
        for package, parent in SOURCES.items()
        for path in (parent / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def described(wheel: zipfile.ZipFile, name: str) -> str:
    (found,) = (one for one in wheel.namelist() if one.endswith(f".dist-info/{name}"))
    return wheel.read(found).decode()


def test_it_holds_the_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """No test, no tool, nothing that an editor or a run has left."""
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == sources()
    assert {Path(name).suffix for name in held} <= SUFFIXES


def test_what_describes_it_is_what_belongs_there(wheel: zipfile.ZipFile) -> None:
    """Metadata, the entry points, the licence."""
    about = {name.partition(".dist-info/")[2] for name in wheel.namelist()} - {""}
    assert about == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_it_holds_what_the_commands_read(wheel: zipfile.ZipFile) -> None:
    """`explain` shows failures, and a user's type checker is told that there are types."""
    kit = "sessionstore_contract/"
    needed = {"known_defects.json", "wire_defects.json", "turn/failures.json", "py.typed"}
    assert {kit + name for name in needed} | {"reference_backends/py.typed"} <= set(
        wheel.namelist()
    )


def test_its_metadata_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    """Pytest's list of plugins goes by the classifier, pip by the rest."""
    metadata = message_from_string(described(wheel, "METADATA"))
    assert "Framework :: Pytest" in metadata.get_all("Classifier", [])
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS


def test_it_registers_command_plugin_and_backends(wheel: zipfile.ZipFile) -> None:
    """Each of these is found by its entry point and by nothing else."""
    points = described(wheel, "entry_points.txt").splitlines()
    assert "[pytest11]" in points
    assert "sessionstore-contract = sessionstore_contract.pytest_plugin" in points
    assert "sessionstore-contract = sessionstore_contract.entrance:main" in points
    backends = {f"{name} = reference_backends:{name.upper()}" for name in ("null", "memory")}
    backends |= {f"{name} = reference_backends:{name.upper()}" for name in ("sqlite", "http")}
    assert backends | {"postgres = reference_backends:POSTGRES"} <= set(points)
