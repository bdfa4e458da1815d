"""What a contract test has found out: left for the summary and the report, then told to pytest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ..clause import Level
from ..pytest_plugin import FOUND, SKIPPED, TOLD, report_folder
from ..report.explanation import explain, headline
from ..values import printable
from ..verdict import Verdict
from .tried import packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _pytest.outcomes import Failed

    from ..clause import Clause
    from ..verdict import Finding
    from .tried import Tried
else:
    Failed = pytest.fail.Exception


class violated(Failed):  # noqa: N801 - pytest's summary shows the name
    """A failure without a traceback: the author's code is not in it."""

    __module__ = "builtins"


class stale(Failed):  # noqa: N801 - pytest's summary shows the name
    """A failure because the baseline admits what holds."""

    __module__ = "builtins"


class undecided(Failed):  # noqa: N801 - pytest's summary shows the name
    """A failure because nothing could be found out."""

    __module__ = "builtins"


def leave(request: pytest.FixtureRequest, finding: Finding, tried: Tried) -> None:
    """Leave what was found with the test, and let it pass, fail, or fail as expected."""
    node = request.node
    # The witness stays behind: it is in the failure's own text.
    node.stash[FOUND] = {"backend": printable(tried.name), **replace(finding, witness=()).packed()}
    if report_folder(request.config) is not None:
        node.stash[TOLD] = packed(finding, tried)
    node.user_properties += properties(finding.clause, tried.name, finding.verdict)
    _report_finding(finding, tried)


def properties(clause: Clause, name: str, verdict: Verdict) -> list[tuple[str, str]]:
    """Say what a JUnit file has of a test: which clause, of which backend, and its verdict."""
    return [
        ("clause", clause.id),
        ("level", str(clause.level)),
        ("backend", printable(name)),
        ("verdict", str(verdict)),
    ]


def with_inapplicable(
    test: Callable[..., None], name: str, clauses: Iterable[Clause]
) -> Callable[..., None]:
    """Let the test know what is to be said of clauses that it skips without being called."""
    test.__dict__[SKIPPED] = {
        one.id: properties(one, name, Verdict.NOT_APPLICABLE) for one in clauses
    }
    return test


def _report_finding(finding: Finding, tried: Tried) -> None:
    name = tried.name
    if finding.is_stale:
        raise stale(f"{finding.clause.id} holds for {name}\n\n{finding.reason}", pytrace=False)
    if finding.verdict is Verdict.HELD:
        return
    if finding.verdict is Verdict.NOT_APPLICABLE:
        pytest.skip(finding.reason or "")
    if finding.verdict is Verdict.ADMITTED:
        pytest.xfail(headline(finding))
    text = f"{explain(finding, name)}\n\nseed {tried.seed} (--sessionstore-seed)"
    if finding.clause.level is not Level.MUST and not tried.is_strict:
        pytest.xfail(text.partition("\n")[0])
    # Reached by SHOULD clauses too, under --runxfail.
    kind = violated if finding.verdict is Verdict.VIOLATED else undecided
    raise kind(text, pytrace=False)
