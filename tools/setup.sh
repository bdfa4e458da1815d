#!/bin/sh
# Make the virtual environment that everything runs in, whatever Python the machine offers.
#
#   tools/setup.sh FOLDER
#
# Needs Python 3.11 or newer and nothing else: no active environment, no pip that may install into
# the system's Python, and no ensurepip where the distribution has split it off. PYTHON names an
# interpreter to be preferred.
set -eu

folder=$1

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python3.15 python; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "setup: no Python 3.11 or newer on PATH: install one, or name it in PYTHON" >&2
    exit 1
}

python=$(find_python)
rm -rf "$folder"
if ! "$python" -m venv "$folder" >/dev/null 2>&1; then
    # Debian ships venv without ensurepip; its pip can install into another environment.
    rm -rf "$folder"
    "$python" -m venv --without-pip "$folder"
    "$python" -m pip --python "$folder/bin/python" install --quiet pip || {
        echo "setup: $python has neither ensurepip nor pip: install python3-venv" >&2
        exit 1
    }
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$folder/bin/python" -m pip install --quiet --upgrade --constraint constraints.txt pip
"$folder/bin/python" -m pip install --quiet --constraint constraints.txt --group dev --editable '.[all]'
