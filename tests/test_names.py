"""Finding a Python object by its name."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import Backend, names

if TYPE_CHECKING:
    from types import ModuleType


class Outer:
    """Something to be found."""

    class Inner:
        """Something further in."""

    @classmethod
    def make(cls) -> Outer:
        return cls()

    def method(self) -> None:
        pass

    @property
    def unreadable(self) -> None:
        raise RuntimeError("not\nnow")


class Heir(Outer):
    """Inherits its class method."""


OBJECT = Outer()


class Factory:
    """Opens when it is called."""

    def __call__(self) -> Outer:
        return Outer()


FACTORY = Factory()
PARTIAL = partial(Outer)
LAMBDA = lambda: Outer()  # noqa: E731, PLW0108 - it is about what has no name of its own
BACKEND = Backend("outer", open=lambda: Outer(), storage="none")  # noqa: PLW0108


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def _load(path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_an_object_is_found_by_its_name() -> None:
    """`module:attribute` leads to the object, also through dots."""
    assert names.find(f"{__name__}:Outer") is Outer
    assert names.find(f"{__name__}:Outer.Inner") is Outer.Inner


def test_an_unknown_module_is_told_in_one_line() -> None:
    """The cause of a failed import is in the message."""
    with pytest.raises(names.NotFoundError) as caught:
        names.find("no_such_module:Store")
    assert str(caught.value) == (
        "module 'no_such_module' can't be imported: "
        "ModuleNotFoundError: No module named 'no_such_module': "
        "install its project (pip install -e .), or name its folder in PYTHONPATH"
    )


def test_a_package_in_a_folder_of_sources_is_seen_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a project that was not installed has it."""
    (folder / "src" / "my_package").mkdir(parents=True)
    monkeypatch.chdir(folder)
    with pytest.raises(names.NotFoundError, match=r"or set PYTHONPATH=src$"):
        names.find("my_package.stores:Store")


@pytest.mark.parametrize("name", ["./chats:Store", "chats.py:Store", "tests/chats.py:Store"])
def test_a_path_is_told_as_what_it_names(name: str) -> None:
    """A file is no module, and its name as one is known."""
    with pytest.raises(names.NotFoundError) as caught:
        names.find(name)
    assert str(caught.value).startswith(f"{name!r} is not of the form module:attribute; in the")
    assert str(caught.value).endswith("it is chats:Store")


def test_what_an_author_hands_over_wrongly_is_told_where_they_do(folder: Path) -> None:
    """It is the kit that raises, and the author's line that is wrong."""
    (folder / "wrong.py").write_text(
        "from sessionstore_contract import Backend\nMINE = Backend('mine', open=None)\n"
    )
    with pytest.raises(names.NotFoundError, match=r"can't be called \(.*wrong.py, line 2\)$"):
        names.find("wrong:MINE")


@pytest.mark.parametrize("module", ["aiosqlite", "starlette.applications"])
def test_what_an_extra_brings_is_told_with_its_name(
    folder: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever installs the kit without extras, and imports what needs one, is told which."""
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    (folder / "wanting.py").write_text(f"import {module}")
    extra = names.EXTRAS[module.partition(".")[0]]
    with pytest.raises(names.NotFoundError) as caught:
        names.find("wanting:Store")
    assert str(caught.value).endswith(f": pip install 'sessionstore-contract[{extra}]'")


@pytest.mark.parametrize("name", ["", ":Store", ".relative:Store", "module:"])
def test_a_name_that_is_none_is_not_found(name: str) -> None:
    """What can't name a module is told as that, not as a traceback."""
    with pytest.raises(names.NotFoundError, match="is not of the form module:attribute"):
        names.find(name)


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise ValueError('two\\nlines')", "ValueError: two lines (broken.py, line 1)"),
        ("\nraise SystemExit(3)", "SystemExit: 3 (broken.py, line 2)"),
        ("raise ValueError('\\x1b[31mred')", r"ValueError: \x1b[31mred (broken.py, line 1)"),
        ("def (", "SyntaxError: invalid syntax (broken.py, line 1)"),
    ],
)
def test_a_module_that_raises_is_told_in_one_line(
    folder: Path, source: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever importing raises is told, and where, in one line that a terminal does not act on."""
    monkeypatch.chdir(folder)
    (folder / "broken.py").write_text(source)
    with pytest.raises(names.NotFoundError) as caught:
        names.find("broken:Store")
    assert str(caught.value) == f"module 'broken' can't be imported: {cause}"


def test_an_interrupt_is_not_an_answer(folder: Path) -> None:
    """Ctrl-C during an import stops the program."""
    (folder / "waits_long.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        names.find("waits_long:Store")


def test_a_mistyped_attribute_names_the_nearest() -> None:
    """The message helps on to the name that was meant."""
    with pytest.raises(names.NotFoundError, match=r"no attribute 'Outre'; did you mean Outer\?"):
        names.find(f"{__name__}:Outre")


def test_an_attribute_that_raises_is_not_found() -> None:
    """An attribute may run foreign code: what it raises is told in one line."""
    with pytest.raises(names.NotFoundError, match="can't be read: RuntimeError: not now"):
        names.find(f"{__name__}:OBJECT.unreadable")


@pytest.mark.parametrize(
    ("name", "known", "words"),
    [
        ("durabel", ["durable", "shared"], "; did you mean durable?"),
        ("share", ["shared", "shares"], "; did you mean shares or shared?"),
        ("xyz", ["durable", "shared"], "; there are durable, shared"),
        ("xyz", [], ""),
    ],
)
def test_the_nearest_names_are_worded(name: str, known: list[str], words: str) -> None:
    """Near names are suggested; else all are listed; of none nothing is said."""
    assert names.nearest(name, known) == words


@pytest.mark.parametrize("thing", [Outer, Outer.Inner, Outer.make, Outer.method, names.find])
def test_a_name_leads_back(thing: Any) -> None:
    """What has a name is found by it."""
    name = names.name_of(thing)
    assert name is not None
    assert names.find(name) == thing


@pytest.mark.parametrize(
    "thing",
    [lambda: None, partial(Outer), OBJECT, OBJECT.method, Heir.make, Path().exists, 1, None],
    ids=["lambda", "partial", "object", "bound method", "inherited", "foreign", "number", "none"],
)
def test_what_another_process_can_not_find_has_no_name(thing: Any) -> None:
    """A name is answered only when it leads back to this very object."""
    assert names.name_of(thing) is None


@pytest.mark.parametrize("thing", [FACTORY, PARTIAL, LAMBDA, BACKEND.open])
def test_what_does_not_know_its_name_is_found_in_its_module(thing: Any) -> None:
    """A store may be opened by anything that can be called, and so can that of a backend."""
    name = names.name_of(thing)
    assert name is not None
    assert name.startswith(f"{__name__}:")
    assert names.find(name) is thing


def test_a_local_function_has_no_name() -> None:
    """A closure exists in this process only."""

    def local() -> None:
        pass

    assert names.name_of(local) is None


def test_an_object_of_a_module_that_can_not_be_imported_is_found_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process reads the source when the module's name leads nowhere."""
    path = tmp_path / "file-with-dashes.py"
    path.write_text("class Store:\n    number = 7\n")
    store = _load(path, "nowhere_to_be_imported", monkeypatch).Store
    name = names.name_of(store)
    assert name == "nowhere_to_be_imported:Store"
    source = names.source_of(name)
    assert source == str(path)

    monkeypatch.delitem(sys.modules, "nowhere_to_be_imported")
    monkeypatch.delitem(sys.modules, "_contract_source", raising=False)
    assert names.find_elsewhere(name, source).number == 7


def test_an_object_of_the_main_module_is_found_in_its_file(tmp_path: Path) -> None:
    """`__main__` is another module in another process: the file decides."""
    path = tmp_path / "script.py"
    path.write_text("class Store:\n    number = 8\n")
    assert names.find_elsewhere("__main__:Store", str(path)).number == 8


def test_a_module_that_can_be_imported_is_not_read_a_second_way(folder: Path) -> None:
    """The failure of a module that exists is told, instead of trying its file."""
    (folder / "exists_and_fails.py").write_text("raise ValueError('as it is')")
    with pytest.raises(names.NotFoundError, match="ValueError: as it is"):
        names.find_elsewhere("exists_and_fails:Store", str(folder / "exists_and_fails.py"))


@pytest.mark.parametrize("source", [None, "/no/such/file.py"])
def test_nothing_is_found_without_a_source(source: str | None) -> None:
    """Neither a module nor a file is a plain answer."""
    with pytest.raises(names.NotFoundError):
        names.find_elsewhere("nowhere_at_all:Store", source)
