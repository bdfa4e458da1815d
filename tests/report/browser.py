"""A real browser for the tests of the page, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "SESSIONSTORE_BROWSER"
"""The environment variable that names a Chromium; where it is set there must be one."""
NAMES = ("chromium", "chromium-browser", "google-chrome")

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing(what: str) -> None:
    """Skip, and say what to do; fail where a browser was promised."""
    told = f"THE PAGE IS NOT TRIED IN A BROWSER: {what}"
    if os.environ.get(VARIABLE):
        pytest.fail(f"{told}, and {VARIABLE} is set", pytrace=False)
    pytest.skip(told)


@contextmanager
def launched() -> Iterator[Any]:
    """Start a browser of the machine's."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright is not installed: `make browser` installs it")
    path = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None or shutil.which(path) is None:
        missing(f"there is no {path or ' or '.join(NAMES)}: on Debian, `apt install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
