#!/usr/bin/env bash
# What changed since a commit: the text of the paper, marked (latexdiff), and what moved in published/.
#   diff.sh REV RESULTS     e.g. diff.sh HEAD~3 results/full: results/full/diff.pdf and diff.md
# Both texts are typeset with the numbers, tables and figures of RESULTS, which has built its paper: numbers that moved
# are in diff.md.
set -euo pipefail

readonly REV=$1 RESULTS=$2
readonly NEEDED_FOR="The marked text needs latexdiff" PROGRAMS=(latexdiff latexmk) PACKAGES=(latexdiff latexmk)
readonly SCRIPTS=${BASH_SOURCE[0]%/*}
# shellcheck source=workflow/scripts/programs.sh
source "$SCRIPTS/programs.sh"

python3 "$SCRIPTS/moved.py" "$REV" >"$RESULTS/diff.md.part"
mv "$RESULTS/diff.md.part" "$RESULTS/diff.md"
echo "$RESULTS/diff.md: $(tail -n 1 "$RESULTS/diff.md")"
check_programs

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git archive "$REV" paper | tar -x -C "$folder"
latexdiff --type=CFONT --flatten "$folder/paper/main.tex" paper/main.tex >"$folder/diff.tex"
export TEXINPUTS="paper:$RESULTS/tex:$RESULTS/figures:benchmarks/results:$RESULTS/tex/build:" BIBINPUTS="$PWD/paper:" BSTINPUTS="$PWD/paper:"
# Marked text may hold what TeX complains of and passes over: the PDF counts.
latexmk -norc -pdf -f -silent -interaction=nonstopmode -outdir="$folder/build" "$folder/diff.tex" \
    >"$folder/log" 2>&1 || true
if [[ ! -e $folder/build/diff.pdf ]]; then
    cp "$folder/diff.tex" "$RESULTS/diff.tex"
    echo "LaTeX made nothing of the marked text, $RESULTS/diff.tex:" >&2
    tail -n 20 "$folder/log" >&2
    exit 1
fi
mv "$folder/build/diff.pdf" "$RESULTS/diff.pdf"
echo "$RESULTS/diff.pdf"
