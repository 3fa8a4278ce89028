#!/usr/bin/env bash
# Makes or updates a virtual environment from the lock.
#   make-venv.sh PYTHON VENV [REQUIREMENTS]     e.g. python3.11 .venv
set -euo pipefail

readonly PYTHON=$1 VENV=$2 REQUIREMENTS=${3:-requirements.in}

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
echo "Installing the pinned packages into $VENV: about two minutes the first time"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
    -r "$REQUIREMENTS" -c constraints.txt
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --no-build-isolation --editable .
# The compiled engine, so that no job has to wait for it; without it torch does the same, slowly. The
# environment of the documentation has no torch and runs nothing.
"$VENV/bin/python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))' ||
    exit 0
"$VENV/bin/python" -c 'from zeroloss.network.engine import why_not; print(why_not() or "Engine compiled")'
