"""A picture of figures against a size, both on logarithmic scales, as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 80, 190, 50, 60
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8f5fa8", "#a8791b", "#4a4a4a")
DASHES = ("", "6 4", "2 3")


@dataclass(frozen=True)
class Line:
    """One line of the picture: its name, and its points in order of their size."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int = 0
    dash: int = 0


def svg(title: str, across: str, up: str, lines: Sequence[Line]) -> str:
    """Draw the lines; what is not above nought has no place on such a scale and is left out."""
    drawn = [
        Line(one.name, [point for point in one.points if min(point) > 0], one.colour, one.dash)
        for one in lines
    ]
    points = [point for one in drawn for point in one.points] or [(1.0, 1.0)]
    x, x_marks = _scale([point[0] for point in points], LEFT, WIDTH - RIGHT)
    y, y_marks = _scale([point[1] for point in points], HEIGHT - BOTTOM, TOP)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"'
    turned = f"translate(18 {HEIGHT / 2}) rotate(-90)"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="15">{escape(title)}</text>',
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, across, "middle"),
        f'<text transform="{turned}" text-anchor="middle">{escape(up)}</text>',
    ]
    for mark in x_marks:
        parts += [
            _stroke([(x(mark), TOP), (x(mark), HEIGHT - BOTTOM)], "#dddddd"),
            _text(x(mark), HEIGHT - BOTTOM + 18, f"{mark:,g}", "middle"),
        ]
    for mark in y_marks:
        parts += [
            _stroke([(LEFT, y(mark)), (WIDTH - RIGHT, y(mark))], "#dddddd"),
            _text(LEFT - 8, y(mark) + 4, f"{mark:,g}", "end"),
        ]
    for number, one in enumerate(drawn):
        parts += _line(one, [(x(a), y(b)) for a, b in one.points], TOP + 10 + 18 * number)
    return "\n".join([*parts, "</svg>", ""])


def _line(line: Line, places: Sequence[tuple[float, float]], legend: float) -> Iterator[str]:
    colour = COLOURS[line.colour % len(COLOURS)]
    dash = DASHES[line.dash % len(DASHES)]
    begin = WIDTH - RIGHT + 16
    yield _stroke(places, colour, width=2, dash=dash)
    for across, up in places:
        yield f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3" fill="{colour}"/>'
    yield _stroke([(begin, legend), (begin + 24, legend)], colour, width=2, dash=dash)
    yield _text(begin + 30, legend + 4, line.name, "start")


def _scale(
    values: Sequence[float], begin: float, end: float
) -> tuple[Callable[[float], float], list[float]]:
    """Answer where a value is between two places, and the powers of ten to be marked."""
    low = math.floor(math.log10(min(values)))
    high = max(low + 1, math.ceil(math.log10(max(values))))

    def place(value: float) -> float:
        return begin + (end - begin) * (math.log10(value) - low) / (high - low)

    return place, [10.0**power for power in range(low, high + 1)]


def _stroke(
    places: Sequence[tuple[float, float]], colour: str, *, width: int = 1, dash: str = ""
) -> str:
    points = " ".join(f"{across:.1f},{up:.1f}" for across, up in places)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"'
        f"{dashed}/>"
    )


def _text(across: float, up: float, text: str, anchor: str) -> str:
    return f'<text x="{across:.1f}" y="{up:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
