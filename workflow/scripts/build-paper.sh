#!/usr/bin/env bash
# Typesets paper/main.tex, and paper/supplement.tex where there is one, with the generated files of one mode.
#   build-paper.sh RESULTS OUT.pdf [SUPPLEMENT.pdf]     e.g. results/full results/full/paper.pdf
# Same input, same bytes: the dates in the PDF are fixed, its identifier does not know where it was
# made, and no auxiliary file of an earlier run is reused. OUT.pdf appears whole or not at all.
set -euo pipefail

readonly RESULTS=$1 OUT=$2 SUPPLEMENT=${3:-}
readonly BUILD=$RESULTS/tex/build
readonly SCRIPTS=$(dirname "$0")

bash "$SCRIPTS/find-tex.sh" check

export SOURCE_DATE_EPOCH=1640995200 FORCE_SOURCE_DATE=1
# The macros of the numbers lie with this repository's paper, for any paper that has none of its own.
readonly MACROS=$SCRIPTS/../../paper
export TEXINPUTS="paper:$RESULTS/tex:$RESULTS/figures:benchmarks/results:$MACROS:$BUILD:" BIBINPUTS="paper:" BSTINPUTS="paper:"
# Long lines in the log, so that a message about a missing key is shown whole.
export max_print_line=1000

typeset() {
    local document=$1
    if command -v latexmk >/dev/null; then
        latexmk -norc -pdf -silent -g -interaction=nonstopmode -halt-on-error \
            -usepretex='\pdftrailerid{zeroloss}' -outdir="$BUILD" "paper/$document.tex"
    else
        tectonic --keep-logs --keep-intermediates --outdir "$BUILD" -Z search-path=paper \
            -Z search-path="$RESULTS/tex" -Z search-path="$RESULTS/figures" -Z search-path="$BUILD" \
            -Z search-path=benchmarks/results -Z search-path="$MACROS" "paper/$document.tex"
    fi || {
        echo "LaTeX stopped; the errors of $BUILD/$document.log:"
        grep -A 8 '^!' "$BUILD/$document.log" || tail -n 40 "$BUILD/$document.log"
        exit 1
    }
}

rm -rf "$BUILD"
mkdir -p "$BUILD"
# Each reads the labels of the other: whichever is first has none to read, and is typeset once more.
documents=(main ${SUPPLEMENT:+supplement main})
for document in "${documents[@]}"; do
    typeset "$document"
done
for document in main ${SUPPLEMENT:+supplement}; do
    if grep -E '(Citation|Reference) .* undefined' "$BUILD/$document.log"; then
        echo "The citations or references above are undefined; define them in paper/."
        exit 1
    fi
done
# Of papers with our macros: what each figure and table holds.
cat "$BUILD"/*.floats > "$RESULTS/floats.txt" 2>/dev/null || true
[[ -z $SUPPLEMENT ]] || mv "$BUILD/supplement.pdf" "$SUPPLEMENT"
mv "$BUILD/main.pdf" "$OUT"
