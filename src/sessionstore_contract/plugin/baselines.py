"""Which baseline a contract test is judged by: one given, its own, or that of the project."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ..baseline import NOTHING, Baseline, load

GIVEN = pytest.StashKey["Baseline | None"]()
OF_THE_PROJECT = pytest.StashKey[Baseline]()


def configured(config: pytest.Config) -> tuple[Baseline | None, Baseline]:
    """Answer the baseline of the command line, if one is given, and that of the project.

    Raises:
        BaselineError: one of them can't be used.
    """
    if GIVEN not in config.stash:
        given = config.getoption("sessionstore_baseline", None)
        # An empty name is none at all: what is admitted is seen for once.
        config.stash[GIVEN] = None if given is None else _of(given, config.invocation_params.dir)
        ini = config.getini("sessionstore_baseline") if _has_plugin(config) else ""
        home = config.inipath.parent if config.inipath else config.rootpath
        config.stash[OF_THE_PROJECT] = _of(ini, home)
    return config.stash[GIVEN], config.stash[OF_THE_PROJECT]


def in_force(config: pytest.Config, own: Baseline | None) -> Baseline:
    """Answer the baseline by which a test is judged that has this one of its own."""
    given, of_the_project = configured(config)
    if given is not None:
        return given
    return of_the_project if own is None else own


def beside_the_caller(baseline: str | Path | None) -> Baseline | None:
    """Read the baseline that a call of contract_tests names, beside the file of that call.

    Raises:
        BaselineError: it can't be used.
    """
    if baseline is None:
        return None
    caller = sys._getframe(2).f_code.co_filename  # noqa: SLF001 - the standard way to the caller
    return load(Path(caller).parent / baseline)


def _of(name: str, home: Path) -> Baseline:
    return load(home / name) if name else NOTHING


def _has_plugin(config: pytest.Config) -> bool:
    return hasattr(config.option, "sessionstore_baseline")
