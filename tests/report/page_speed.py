"""What a page of fifty backends costs a browser to open: figures, no verdict.

    python -m tests.report.page_speed [TIMES]

The seconds are those of the processor, of the quietest of several times, as the browser counts them
itself; the last is the clock's, from the address to the first picture with the matrix in it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from sessionstore_contract.report.assembly import assemble
from sessionstore_contract.report.page import page

from .browser import launched
from .test_page_in_a_browser import fifty

FIGURES = {
    "whole": "TaskDuration",
    "script": "ScriptDuration",
    "style": "RecalcStyleDuration",
    "layout": "LayoutDuration",
}
DRAWN = """new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
  () => done(performance.now()))))"""


def opened(browser: Any, address: str) -> dict[str, float]:
    """Open the page once, and answer what it cost."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    counting = context.new_cdp_session(tab)
    counting.send("Performance.enable", {"timeDomain": "threadTicks"})
    tab.goto(address)
    clock = tab.evaluate(DRAWN) / 1000
    said = counting.send("Performance.getMetrics")["metrics"]
    counted = {one["name"]: one["value"] for one in said}
    context.close()
    return {**{name: counted[each] for name, each in FIGURES.items()}, "clock": clock}


def main(times: int = 9) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        file = Path(folder) / "index.html"
        file.write_text(page(assemble(fifty())), encoding="utf-8")
        size = file.stat().st_size
        found = [opened(browser, file.as_uri()) for _ in range(times)]
    print(f"{size / 1000:.0f} kB, quietest of {times}")  # noqa: T201
    for name in found[0]:
        print(f"{name:8} {min(one[name] for one in found):.3f} s")  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
