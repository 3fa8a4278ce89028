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
# What is needed once and not kept.
aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT
echo "Installing the pinned packages into $VENV ($WHAT): about two minutes the first time"
if [[ -f $WHAT ]]; then
    install -r "$WHAT"
    install --no-deps --no-build-isolation --editable .
else
    # On Linux pip's own choice of torch brings the libraries of CUDA, 4 GB; uv knows where the builds for
    # the processor alone are. UV_TORCH_BACKEND=auto takes the one for the GPU that is there.
    chosen=$(install --dry-run --no-deps --report - torch)
    if [[ $OSTYPE == linux* && $chosen == *'"name": "torch"'* && $chosen != *'"version": "'[0-9.]*+* ]]; then
        install --target "$aside" uv
        UV_TORCH_BACKEND=${UV_TORCH_BACKEND:-cpu} "$aside/bin/uv" pip install --quiet \
            --python "$VENV/bin/python" --link-mode copy --constraint constraints.txt torch ||
            echo "Builds of torch for the processor alone were not reached: pip takes its own choice." >&2
    fi
    install setuptools # which builds the editable package without fetching a second one
    install --no-build-isolation --editable ".[$WHAT]"
fi
# Wheels hold what only a debugger reads: 166 MB of POT 0.9.7, 35 MB of Arrow, 30 MB of others. A file
# that another environment shares is let alone, and so are torch and the libraries patched into wheels.
if [[ $OSTYPE == linux* ]] && command -v strip >/dev/null; then
    find "$VENV/lib" -type f -links 1 -name '*.so' -not -path '*/torch/*' -exec strip --strip-debug {} +
    find "$VENV/lib" -type f -links 1 -path '*/pyarrow/lib*.so.*' -exec strip --strip-unneeded {} +
fi

# The engine, so that no job waits for it. Its compiler takes 400 MB: unless it is installed, it is put
# aside and removed. The environment of the documentation has no torch and runs nothing.
"$VENV/bin/python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))' ||
    exit 0
build() {
    "$VENV/bin/python" src/zeroloss/network/engine/library.py
}
if ! build 2>/dev/null; then
    export PYTHONPATH=$aside
    if install --target "$aside" ziglang && build; then
        echo "Engine compiled"
    else
        echo "The engine could not be compiled: torch takes its place, several times slower." >&2
    fi
fi
