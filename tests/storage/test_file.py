"""Places that are files."""

from __future__ import annotations

from pathlib import Path

from sessionstore_contract import permissions
from sessionstore_contract.storage.file import FileStorage


def test_places_are_in_the_folder_that_was_named(tmp_path: Path) -> None:
    """If it is there; else among the temporary files, as on another machine."""
    with FileStorage(tmp_path).fresh() as place:
        assert Path(place).parent.parent == tmp_path
    assert not list(tmp_path.iterdir())
    with FileStorage(tmp_path / "elsewhere").fresh() as place:
        assert Path(place).parent.is_dir()


def test_a_place_goes_though_nobody_may_write_there() -> None:
    """As a clause leaves it that was given up while its store had lost its rights."""
    with permissions.obeyed():
        with FileStorage().fresh() as place:
            folder = Path(place).parent
            (folder / "aside").mkdir()
            (folder / "aside" / "sessions.db").write_bytes(b"x")
            (folder / "aside").chmod(0)
            folder.chmod(0o555)
        assert not folder.exists()
