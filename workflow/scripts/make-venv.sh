#!/usr/bin/env bash
# Makes or updates a virtual environment from the lock.
#   make-venv.sh PYTHON VENV WHAT     e.g. python3.11 .venv report
# WHAT is a file of requirements, or extras of the package: report to run everything, dev to test it.
set -euo pipefail

readonly PYTHON=$1 VENV=$2 WHAT=$3

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "zeroloss needs Python 3.11 or later, got '${PYTHON:-nothing}'; install it, or name one:" \
        "make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
    echo "Making $VENV with $("$PYTHON" --version)"
    if ! "$PYTHON" -m venv --clear "$VENV"; then
        echo "$PYTHON has no working venv; on Debian: apt-get install python3-venv" >&2
        exit 1
    fi
fi
# Most modules are never imported: those that are, are compiled then.
install() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt "$@"
}
echo "Installing the pinned packages into $VENV ($WHAT): about two minutes the first time"
if [[ -f $WHAT ]]; then
    install -r "$WHAT"
    install --no-deps --no-build-isolation --editable .
else
    install setuptools # which builds the editable package without fetching a second one
    install --no-build-isolation --editable ".[$WHAT]"
fi
# POT 0.9.7 comes with 166 MB of debugging symbols.
if [[ $OSTYPE == linux* ]] && command -v strip >/dev/null; then
    find "$VENV" -path '*/ot/bsp/*.so' -exec strip --strip-debug {} +
fi

# The engine, so that no job waits for it. Its compiler takes 400 MB: unless it is installed, it is put
# aside and removed. The environment of the documentation has no torch and runs nothing.
"$VENV/bin/python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))' ||
    exit 0
build() {
    "$VENV/bin/python" -c 'from zeroloss.network.engine.library import build_all; build_all()'
}
if ! build 2>/dev/null; then
    aside=$(mktemp -d)
    trap 'rm -rf "$aside"' EXIT
    export PYTHONPATH=$aside
    if install --target "$aside" ziglang && build; then
        echo "Engine compiled"
    else
        echo "The engine could not be compiled: torch takes its place, several times slower." >&2
    fi
fi
