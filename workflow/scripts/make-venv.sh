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

# Most modules are never imported: those that are, are compiled below, which spares 0.2 GB.
install() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt "$@"
}
has() {
    "$VENV/bin/python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec(sys.argv[1]))' "$1"
}
# What is needed once and not kept.
aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT

# On Linux pip's own choice of torch brings the libraries of CUDA, 4 GB; uv knows where the builds for the
# processor alone are. UV_TORCH_BACKEND=auto takes the one for the GPU that is there.
install_torch() {
    local chosen
    chosen=$(install --dry-run --no-deps --report - torch | "$VENV/bin/python" -c \
        'import json, sys; print(*(one["metadata"]["version"] for one in json.load(sys.stdin)["install"]))')
    case $chosen in *+*) return ;; esac # a build for one device is what pip is set up to take
    install --target "$aside" uv &&
        UV_TORCH_BACKEND=${UV_TORCH_BACKEND:-cpu} "$aside/bin/uv" pip install --quiet \
            --python "$VENV/bin/python" --link-mode copy --constraint constraints.txt torch ||
        echo "Builds of torch for the processor alone were not reached: pip takes its own choice." >&2
}

echo "Installing the pinned packages into $VENV ($WHAT): about two minutes the first time"
if [[ -f $WHAT ]]; then
    install -r "$WHAT"
    install --no-deps --no-build-isolation --editable .
else
    if [[ $OSTYPE == linux* ]] && ! has torch; then install_torch; fi
    install setuptools # which builds the editable package without fetching a second one
    install --no-build-isolation --editable ".[$WHAT]"
    # torch brings its own tests, 0.1 GB that nothing here runs.
    rm -rf "$VENV"/lib/python3*/site-packages/torch/{test,bin/*[Tt]est*}
    # Whoever tells Python to write no bytecode would wait seconds in each job.
    PYTHONDONTWRITEBYTECODE='' "$VENV/bin/python" - << 'IMPORTED'
import importlib
import pkgutil

import zeroloss.studies

for name in ("seaborn", "sklearn.datasets", "snakemake.cli"):
    importlib.import_module(name)
for module in pkgutil.walk_packages(zeroloss.studies.__path__, "zeroloss.studies."):
    importlib.import_module(module.name)
IMPORTED
fi

# The engine, so that no job waits for it. Its compiler takes 400 MB: unless it is installed, it is put
# aside and removed. The environment of the documentation has no torch and runs nothing.
has torch || exit 0
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
