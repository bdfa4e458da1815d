"""The pictures in the documents: `make pictures` takes them of a run on the reference backends.

    python -m tests.report.pictures REPORT.json ... FOLDER

One more backend is in that run, so that there is something to be seen: `MYSTORE`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from sessionstore_contract import Backend
from sessionstore_contract.report.assembly import assemble
from sessionstore_contract.report.page import page
from tests.full_defects import MergesNestedObjects

from .browser import launched
from .findings import read_run

CLAUSE = "cost.merge-is-shallow"
MYSTORE = Backend("mystore", open=MergesNestedObjects, storage="file")


def main(paths: list[str]) -> None:
    """Take the matrix in light, and a violated cell on a telephone in the dark."""
    *reports, folder = map(Path, paths)
    with tempfile.TemporaryDirectory() as temporary, launched() as browser:
        file = Path(temporary) / "index.html"
        file.write_text(page(assemble(map(read_run, reports))), encoding="utf-8")
        matrix = _tab(browser, file, "light", 1200, 980)
        matrix.get_by_label("Area").select_option("cost")
        matrix.screenshot(path=folder / "matrix.png")
        cell = _tab(browser, file, "dark", 430, 860)
        cell.locator(f"#matrix tr:has-text('{CLAUSE}') button.violated").first.click()
        cell.evaluate("document.activeElement.blur()")
        cell.screenshot(path=folder / "cell.png")


def _tab(browser: Any, file: Path, scheme: str, width: int, height: int) -> Any:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    tab = context.new_page()
    tab.goto(file.as_uri())
    return tab


if __name__ == "__main__":
    main(sys.argv[1:])
