"""Data flows one way: a module imports only from its own row and the rows above it."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
KIT = "sessionstore_contract"
REFERENCE = "reference_backends"

ROWS = (
    "__init__ version seed stopping interface plain_values values names capabilities effort",
    (
        "drivers pace history interruption second_loop model fault power crowding permissions "
        "lock_holder foreign_locks"
    ),
    "expect differences linearizability workload timeline timeline_page program tables refusals",
    "clause built_upon old_layout subject",
    "contract wire turn",
    (
        "storage port address faults termination echo secret opening starting origin "
        "origin_process worker forgotten census lending forks row_rights"
    ),
    "backend defects",
    (
        "verdict harness abandoning trial lender drawing wire_trial turn_trial exits "
        "known_defects folding"
    ),
    (
        "baseline baseline_file report catalogue proof prover runs crew "
        "trial_worker trial_process conduct doctor"
    ),
    "bench wire_runs turn_runs parting serving pytest_plugin plugin",
    "commands cli pages entrance __main__",
)
"""The kit's modules and packages, from the plainest to the doors."""

ROW_OF = {name: number for number, names in enumerate(ROWS) for name in names.split()}


def modules(folder: Path) -> dict[str, Path]:
    """Every module below a folder by its dotted name."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = {**modules(ROOT / "src" / KIT), **modules(ROOT / REFERENCE)}


def imported(name: str) -> set[str]:
    """The modules that one imports when it runs, also inside functions."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in _running(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            home = ".".join([*above, node.module or ""] if node.level else [node.module or ""])
            for alias in node.names:
                member = f"{home.rstrip('.')}.{alias.name}"
                found.add(member if member in MODULES else home.rstrip("."))
    return found


def _running(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node that can run: what stands under `if TYPE_CHECKING` does not."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _running(node.orelse)
        else:
            yield node
            yield from _running(ast.iter_child_nodes(node))


def _part(name: str) -> str:
    """The module or package right inside the kit that a module belongs to."""
    return [*name.split("."), "__init__"][1]


def row(name: str) -> int:
    """The row of a module of the kit."""
    return ROW_OF[_part(name)]


def is_in(name: str, package: str) -> bool:
    return name.partition(".")[0] == package


def test_every_module_of_the_kit_is_in_a_row() -> None:
    """A new module is given its place before it is used."""
    names = {_part(name) for name in MODULES if is_in(name, KIT)}
    assert names - set(ROW_OF) == set()


def test_a_module_imports_only_from_its_own_row_and_those_above() -> None:
    """Nothing that is plain knows what is built on it."""
    wrong = [
        f"{name} (row {row(name) + 1}) imports {other} (row {row(other) + 1})"
        for name in MODULES
        if is_in(name, KIT)
        for other in imported(name)
        if is_in(other, KIT) and row(other) > row(name)
    ]
    assert wrong == []


def test_there_are_no_import_cycles() -> None:
    """Modules can be read one after the other."""
    graph = {name: imported(name) & set(MODULES) - {name} for name in MODULES}
    assert set(TopologicalSorter(graph).static_order()) >= set(MODULES)


def test_the_kit_never_imports_the_reference_backends() -> None:
    """They are found by entry point, as anybody's are."""
    wrong = [
        name
        for name in MODULES
        if is_in(name, KIT) and any(is_in(other, REFERENCE) for other in imported(name))
    ]
    assert wrong == []


def test_the_reference_backends_import_the_interface_alone() -> None:
    """What an author copies needs nothing else of the kit; only their `Backend` objects do."""
    for name in MODULES:
        if is_in(name, REFERENCE):
            of_the_kit = {other for other in imported(name) if is_in(other, KIT)}
            allowed = {f"{KIT}.interface"} | ({f"{KIT}.backend"} if name == REFERENCE else set())
            assert of_the_kit <= allowed, name


def test_imports_are_found() -> None:
    """The reading of imports sees relative ones, those in functions, and none for types alone."""
    assert f"{KIT}.values" in imported(f"{KIT}.history")
    assert f"{KIT}.catalogue" in imported(f"{KIT}.report.document")
    assert f"{KIT}.conduct" in imported(f"{KIT}.cli")
    assert f"{KIT}.contract.cost" in imported(f"{KIT}.contract")
    assert f"{KIT}.interface" not in imported(f"{KIT}.values")
