"""Start the PostgreSQL of the wheel `pgserver`, say its DSN, and stop it when standard input ends.

Run by the Python of a lane, which has the kit and the wheel installed, and not this folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

from sessionstore_contract.storage.database_server import DatabaseServer
from sessionstore_contract.storage.installation import private_folder, server_account


def main() -> None:
    found = importlib.util.find_spec("pgserver")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the wheel pgserver is not installed")
    programs = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    os.umask(0o077)
    account = server_account()
    folder = private_folder(account)
    server = DatabaseServer(programs, folder, account)
    try:
        server.start()
        print(json.dumps(server.dsn), flush=True)
        sys.stdin.read()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
