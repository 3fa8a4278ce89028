#!/usr/bin/env bash
# Typesets paper/main.tex with the generated files of one mode.
#   build-paper.sh RESULTS OUT.pdf     e.g. results/full results/full/paper.pdf
# Same input, same bytes: the dates in the PDF are fixed, its identifier does not know where it was
# made, and no auxiliary file of an earlier run is reused. OUT.pdf appears whole or not at all.
set -euo pipefail

readonly RESULTS=$1 OUT=$2
readonly BUILD=$RESULTS/tex/build
readonly SCRIPTS=$(dirname "$0")

bash "$SCRIPTS/find-tex.sh" check

export SOURCE_DATE_EPOCH=1640995200 FORCE_SOURCE_DATE=1
# The macros of the numbers lie with this repository's paper, for any paper that has none of its own.
readonly MACROS=$SCRIPTS/../../paper
export TEXINPUTS="paper:$RESULTS/tex:$RESULTS/figures:benchmarks/results:$MACROS:" BIBINPUTS="paper:" BSTINPUTS="paper:"
# Long lines in the log, so that a message about a missing key is shown whole.
export max_print_line=1000

typeset() {
    if command -v latexmk >/dev/null; then
        latexmk -norc -pdf -silent -interaction=nonstopmode -halt-on-error \
            -usepretex='\pdftrailerid{zeroloss}' -outdir="$BUILD" paper/main.tex
    else
        tectonic --keep-logs --outdir "$BUILD" -Z search-path=paper \
            -Z search-path="$RESULTS/tex" -Z search-path="$RESULTS/figures" \
            -Z search-path=benchmarks/results -Z search-path="$MACROS" paper/main.tex
    fi
}

rm -rf "$BUILD"
mkdir -p "$BUILD"
if ! typeset; then
    echo "LaTeX stopped; the errors of $BUILD/main.log:"
    grep -A 8 '^!' "$BUILD/main.log" || tail -n 40 "$BUILD/main.log"
    exit 1
fi
if grep -E '(Citation|Reference) .* undefined' "$BUILD/main.log"; then
    echo "The citations or references above are undefined; define them in paper/."
    exit 1
fi
mv "$BUILD/main.pdf" "$OUT"
