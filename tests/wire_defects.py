"""Writes `wire_defects.json`: what each broken platform is told. `make docs` runs it."""

from __future__ import annotations

import json
from typing import Any

from sessionstore_contract.known_defects import WIRE_FILE
from sessionstore_contract.wire import CLAUSES, housekeeping

from .known_defects import document, record


def measured() -> list[dict[str, Any]]:
    """Try the contract on every broken platform."""
    from .test_mutants import the_defect
    from .test_wire_mutants import MUTANTS, findings_of

    housekeeping.GAPS = (0.02,)  # type: ignore[assignment]  # the long one is for coarse clocks
    return [
        record(
            f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}",
            the_defect(kind).caught_by,
            findings_of(kind),
        )
        for kind in MUTANTS
    ]


def main() -> None:
    """Write the file."""
    text = json.dumps(document(measured(), CLAUSES), indent=1, ensure_ascii=True)
    WIRE_FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
