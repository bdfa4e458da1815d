"""A judged history as one HTML file that needs nothing else."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from .timeline import BREAKS, UNKNOWN, Bar, Picture, picture

if TYPE_CHECKING:
    from pathlib import Path

    from .linearizability import Judgement

EDGE = 64
"""Pixels from one begin or end to the next, at the least."""

STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --soft: #57606a;
  --line: #d0d7de; --bar: #ddebfd; --edge: #3f78c4; --open: #fff1cf; --open-edge: #9a6700;
  --break: #ffe1de; --break-edge: #c1281c; }
@media (prefers-color-scheme: dark) { :root { --page: #15191e; --text: #e6e9ed; --soft: #9aa5b0;
  --line: #363e47; --bar: #1c3353; --edge: #6ea4ee; --open: #3d3213; --open-edge: #dba83a;
  --break: #4d201c; --break-edge: #ff8379; } }
* { box-sizing: border-box; }
body { background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif;
  margin: 2rem auto; max-width: 76rem; padding: 0 1.5rem; }
h1 { font-size: 1.25rem; line-height: 1.35; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
p { color: var(--soft); margin: .3rem 0; }
.scroll { overflow-x: auto; }
.lane { display: flex; border-top: 1px solid var(--line); }
.lane:last-child { border-bottom: 1px solid var(--line); }
.name { flex: 0 0 3rem; font: 600 13px/2.9rem ui-monospace, monospace; color: var(--soft);
  position: sticky; left: 0; background: var(--page); z-index: 1; }
.track { position: relative; flex: 1 0 auto; height: 2.9rem; }
.bar { position: absolute; top: .4rem; height: 2.1rem; padding: 0 .4rem; border-radius: 4px;
  border: 1.5px solid var(--edge); background: var(--bar); font: 13px/1.95rem ui-monospace,
  monospace; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.bar b { margin-right: .4rem; }
.unknown { background: var(--open); border: 1.5px dashed var(--open-edge); border-right: none;
  border-radius: 4px 0 0 4px; }
.break { background: var(--break); border: 2.5px solid var(--break-edge); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0;
  border-bottom: 1px solid var(--line); font: 13px/1.5 ui-monospace, monospace; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.words { overflow-wrap: anywhere; width: 100%; }
tr.break td { background: var(--break); border-color: var(--break-edge); font-weight: 600; }
tr.break td:first-child { padding-left: .5rem; }
"""


def write_page(judgement: Judgement, folder: Path, name: str = "timeline") -> Path:
    """Write the page of a judgement into a folder, which is made, and answer its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.html"
    path.write_text(page(judgement), encoding="utf-8")
    return path


def page(judgement: Judgement) -> str:
    """Draw a judgement as an HTML page without scripts, which loads nothing from anywhere.

    What a store answered is text in it, escaped and cut.
    """
    drawn = picture(judgement)
    title = html.escape(judgement.headline())
    body = [f"<h1>{title}</h1>"]
    if drawn.bars:
        body += [_legend(drawn), _lanes(drawn), _table(drawn)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _legend(drawn: Picture) -> str:
    parts = ["Time goes from left to right. A line is an instance, or one of its calls at once."]
    if any(bar.is_break for bar in drawn.bars):
        parts.append(f"Thick border: {BREAKS}, however the others are placed.")
    if any(bar.is_unknown for bar in drawn.bars):
        parts.append(f"Dashed: {UNKNOWN.removeprefix('? ')}.")
    return "".join(f"<p>{html.escape(part)}</p>" for part in parts)


def _lanes(drawn: Picture) -> str:
    lanes = []
    for lane in drawn.lanes:
        bars = "".join(_bar(bar, drawn.edges) for bar in drawn.bars if bar.lane == lane)
        lanes.append(
            f'<div class="lane"><div class="name">{html.escape(lane)}</div>'
            f'<div class="track" style="min-width:{drawn.edges * EDGE}px">{bars}</div></div>'
        )
    return f'<h2>The operations</h2>\n<div class="scroll">{"".join(lanes)}</div>'


def _bar(bar: Bar, edges: int) -> str:
    last = edges if bar.last is None else bar.last
    left, width = 100 * bar.first / edges, 100 * max(last - bar.first, 0.5) / edges
    kinds = ["bar", *(["unknown"] if bar.is_unknown else []), *(["break"] if bar.is_break else [])]
    words = html.escape(bar.words())
    return (
        f'<div class="{" ".join(kinds)}" style="left:{left:.2f}%;width:{width:.2f}%" '
        f'title="{words}"><b>{bar.number}</b>{words}</div>'
    )


def _table(drawn: Picture) -> str:
    rows = []
    in_order = sorted(drawn.bars, key=lambda bar: (bar.place is None, bar.place or 0, bar.number))
    for bar in in_order:
        place = "breaks" if bar.is_break else "" if bar.place is None else f"{bar.place}."
        cells = (place, str(bar.number), bar.lane)
        rows.append(
            ('<tr class="break">' if bar.is_break else "<tr>")
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            + f'<td class="words">{html.escape(bar.words())}</td></tr>'
        )
    return (
        f"<h2>{html.escape(drawn.order_title.capitalize())}</h2>\n<table>"
        "<tr><th>place</th><th>no.</th><th>line</th><th>call and answer</th></tr>"
        f"{''.join(rows)}</table>"
    )
