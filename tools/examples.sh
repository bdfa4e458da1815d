#!/usr/bin/env bash
# Try the contract on the stores under examples/, as their authors would: each in an environment of
# its own, with the kit installed from the wheel, and away from this source tree.
#
#   tools/examples.sh [NAME ...]
#
# A server that the machine lacks is said and counted; with REQUIRE_ALL=1 it is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
wheels=$root/build/wheel
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PATH=$PATH:/usr/sbin # where Debian has mariadbd
failed=() missing=()

has() {
    for program in "${@:2}"; do
        command -v "$program" >/dev/null || {
            echo "examples: $1: NOT TRIED: no $program on PATH"
            missing+=("$1")
            return 1
        }
    done
}

try() {
    local name=$1 selected=("${@:2}") place=$root/build/examples/$1 pip
    rm -rf "$place/project"
    mkdir -p "$place"
    cp -R "examples/$name" "$place/project"
    [ -x "$place/env/bin/python" ] || .venv/bin/python -m venv --without-pip "$place/env"
    # With the pip that is here. The version stays when the kit changes: its wheel is put in by force.
    pip=(.venv/bin/python -m pip --python "$place/env" install --quiet --no-compile)
    "${pip[@]}" --constraint constraints.txt --constraint examples/constraints.txt \
        --find-links "$wheels" "$place/project" --group "$place/project/pyproject.toml:test"
    "${pip[@]}" --force-reinstall --no-deps "$wheel"
    echo "examples: $name"
    (cd "$place/project" &&
        "$place/env/bin/python" -m pytest -q -n 2 -p no:cacheprovider "${selected[@]}") ||
        failed+=("$name")
}

rm -rf "$wheels"
.venv/bin/python -m hatchling build -t wheel -d "$wheels" >/dev/null
wheel=$(echo "$wheels"/*.whl)

names=("$@")
[ ${#names[@]} -gt 0 ] || names=(json-files redis sqlalchemy)
for name in "${names[@]}"; do
    case $name in
    json-files) try json-files ;;
    redis) if has redis redis-server; then try redis; fi ;;
    sqlalchemy)
        if has "sqlalchemy on MariaDB" mariadbd mariadb-install-db my_print_defaults; then
            try sqlalchemy
        else
            try sqlalchemy -k 'not mariadb'
        fi
        ;;
    *) echo "examples: there is no $name" >&2 && exit 2 ;;
    esac
done

told() { # COUNT WHAT NAMES: how many, and which
    echo "$1 $2${3:+ ($3)}"
}
IFS=,
echo "examples: $(told ${#failed[@]} failed "${failed[*]}"), $(told ${#missing[@]} 'not tried' "${missing[*]}")"
[ ${#failed[@]} -eq 0 ] || exit 1
[ ${#missing[@]} -eq 0 ] || [ "${REQUIRE_ALL:-0}" = 0 ] || exit 1
