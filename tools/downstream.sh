#!/usr/bin/env bash
# Try the contract on stores of others, in an environment of its own, with the kit from its wheel.
set -euo pipefail
cd "$(dirname "$0")/.."

place=$PWD/build/downstream
export PIP_DISABLE_PIP_VERSION_CHECK=1
rm -rf "$place/wheel"
.venv/bin/python -m hatchling build -t wheel -d "$place/wheel" >/dev/null
wheel=$(echo "$place"/wheel/*.whl)
[ -x "$place/env/bin/python" ] || .venv/bin/python -m venv --without-pip "$place/env"
pip=(.venv/bin/python -m pip --python "$place/env" install --quiet)
# The package with what it asks for, then the kit beside it. Not by our constraints: what it brings
# is its own.
"${pip[@]}" \
    "$(.venv/bin/python -c 'import sys; sys.path.insert(0, "downstream"); import findings; print(findings.package())')" \
    "sessionstore-contract[all] @ file://$wheel"
"${pip[@]}" --force-reinstall --no-deps "$wheel"
# From another folder, so that the kit is the installed one.
cd "$place"
env/bin/python ../../downstream/run.py "$place/reports"
