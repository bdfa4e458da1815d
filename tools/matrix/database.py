"""What a lane passes as `--postgres`, and the server in the wheel `pgserver`, which is older."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools.matrix.environment import LackingError

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = """
import sys
from sessionstore_contract.storage.database_container import engine_version
from docker import from_env
print(engine_version(), file=sys.stderr)
from_env().images.get(sys.argv[1])
"""

FETCHING = "SESSIONSTORE_FETCH_IMAGES"
"""Set where images may be fetched: by itself a lane takes those that are there."""


@contextmanager
def served(said: str, python: Path) -> Iterator[str]:
    """Answer what is said to `--postgres`; a server that this starts ends at the end.

    Raises:
        LackingError: there is no such server to be had here.
    """
    if said.startswith("container:"):
        _require_image(said.partition(":")[2], python)
    if said != "wheel":
        yield said
        return
    with subprocess.Popen(
        [str(python), str(Path(__file__).with_name("older_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        assert serving.stdin is not None
        line = serving.stdout.readline()
        try:
            if not line:
                raise LackingError("the server in the wheel pgserver does not start")
            yield json.loads(line)
        finally:
            serving.stdin.close()


def _require_image(image: str, python: Path) -> None:
    if os.environ.get(FETCHING):
        return
    asked = subprocess.run(
        [str(python), "-c", IMAGES, image], capture_output=True, text=True, check=False
    )
    if "ImageNotFound" in asked.stderr:
        raise LackingError(f"there is no image {image} here; {FETCHING}=1 lets it be fetched")
    if asked.returncode:
        raise LackingError("no container engine answers")
