#!/usr/bin/env bash
# Try the contract on stores of others, in an environment of its own, with the kit from its wheel.
set -euo pipefail
cd "$(dirname "$0")/.."

place=$PWD/build/downstream
export PIP_DISABLE_PIP_VERSION_CHECK=1
rm -rf "$place/wheel"
.venv/bin/python -m pip wheel --quiet --no-deps --wheel-dir "$place/wheel" .
wheel=$(echo "$place"/wheel/*.whl)
[ -x "$place/env/bin/python" ] || .venv/bin/python -m venv "$place/env"
# The package with what it asks for, then the kit beside it. Not by our constraints: what it brings
# is its own.
"$place/env/bin/python" -m pip install --quiet \
    "$(.venv/bin/python -c 'import sys; sys.path.insert(0, "downstream"); import findings; print(findings.package())')" \
    "sessionstore-contract[all] @ file://$wheel"
"$place/env/bin/python" -m pip install --quiet --force-reinstall --no-deps "$wheel"
# From another folder, so that the kit is the installed one.
cd "$place"
env/bin/python ../../downstream/run.py "$place/reports"
