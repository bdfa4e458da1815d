"""What a report comes to, as a badge: an SVG, and the JSON that shields.io reads."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..values import printable
from ..verdict import FROM_WORST, Conclusion

if TYPE_CHECKING:
    from .assembly import Assembly

COLOURS = {
    Conclusion.CONFORMANT: "#1a7f37",
    Conclusion.ADMITTING: "#5d6d00",
    Conclusion.INCOMPLETE: "#6e6e6e",
    Conclusion.NONCONFORMANT: "#c1281c",
}
"""White stands out against each; the first words say the same."""

CHARACTER = 6.6
"""Pixels of a character at the badge's size, on the average; the text is fitted to it."""

SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" \
aria-label="{label}: {message}">
<title>{label}: {message}</title>
<clipPath id="round"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#round)">
<rect width="{left}" height="20" fill="#444c56"/>
<rect x="{left}" width="{right}" height="20" fill="{colour}"/>
</g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="6" y="14" textLength="{left_text}">{label}</text>
<text x="{right_from}" y="14" textLength="{right_text}">{message}</text>
</g>
</svg>
"""


@dataclass(frozen=True)
class Badge:
    """A label, what is said of it, and its colour."""

    label: str
    message: str
    colour: str

    def svg(self) -> str:
        """Draw it; it loads nothing, and its font is whatever there is."""
        texts = [round(len(one) * CHARACTER) for one in (self.label, self.message)]
        left, right = (length + 12 for length in texts)
        return SVG.format(
            width=left + right,
            left=left,
            right=right,
            left_text=texts[0],
            right_text=texts[1],
            right_from=left + 6,
            label=html.escape(self.label),
            message=html.escape(self.message),
            colour=self.colour,
        )

    def shields(self) -> str:
        """Word it as JSON for the endpoint badge of shields.io."""
        said = {
            "schemaVersion": 1,
            "label": self.label,
            "message": self.message,
            "color": self.colour,
        }
        return json.dumps(said) + "\n"


def badge(assembly: Assembly) -> Badge:
    """Answer the badge of some reports: that of the worst verdict in them."""
    label = printable(f"sessionstore {' and '.join(assembly.titles())}", limit=60)
    conclusions = [backend.conclusion for backend in assembly.backends]
    if not conclusions:
        return Badge(label, "nothing tried", COLOURS[Conclusion.INCOMPLETE])
    worst = next(one for one in FROM_WORST if one in conclusions)
    if len(conclusions) == 1:
        (backend,) = assembly.backends
        profile = printable(backend.subject.profile, limit=20)
        message = f"{worst.replace('-', ' ')}, {profile}"
    else:
        good = {Conclusion.CONFORMANT, Conclusion.ADMITTING}
        number = sum(one in good for one in conclusions)
        message = f"{number} of {len(conclusions)} conformant"
        if Conclusion.ADMITTING in conclusions:
            message += ", with admissions"
    return Badge(label, message, COLOURS[worst])
