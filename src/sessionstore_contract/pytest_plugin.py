"""The plugin that pytest loads at every start: options, and the folder that a run shares.

It imports next to nothing: most runs that load it do not use it.
"""

from __future__ import annotations

from typing import Any

import pytest

FOLDER = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sessionstore", "the contract of session stores")
    group.addoption("--sessionstore-seed", type=int, metavar="N", help="try the same values again")
    group.addoption(
        "--sessionstore-effort",
        choices=("quick", "normal", "thorough"),
        default="normal",
        help="how much a clause tries",
    )
    group.addoption(
        "--sessionstore-postgres",
        default="auto",
        metavar="auto|embedded|DSN",
        help="auto: the DSN in SESSIONSTORE_POSTGRES_DSN, else an embedded server",
    )
    group.addoption(
        "--sessionstore-strict", action="store_true", help="SHOULD clauses decide as well"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give all xdist workers one folder: they share what is started for the run."""
    node.workerinput["sessionstore_folder"] = run_folder(node.config)


def run_folder(config: pytest.Config) -> str:
    """Answer the folder that the processes of this run share; it goes with the run."""
    given: str | None = getattr(config, "workerinput", {}).get("sessionstore_folder")
    if given is not None:
        return given
    if FOLDER not in config.stash:
        config.stash[FOLDER] = _new_folder(config)
    return config.stash[FOLDER]


def _new_folder(config: pytest.Config) -> str:
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    folder: str = tempfile.mkdtemp(prefix="sessionstore-run-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder
