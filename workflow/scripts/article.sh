#!/usr/bin/env bash
# The paper and its supplement as one web page by LaTeXML, which reads the same TeX; `zeroloss article` then puts
# the pictures in, and the evidence of each number.
#   article.sh RESULTS     e.g. results/full: RESULTS/tex/article/article.html, pictures and styles beside it
set -euo pipefail

readonly RESULTS=$1
readonly BUILD=$RESULTS/tex/article
readonly NEEDED_FOR="The article needs LaTeXML" # about 60 MB besides TeX
readonly PROGRAMS=(latexml latexmlpost pdftocairo) PACKAGES=(latexml poppler-utils)
# shellcheck source=workflow/scripts/programs.sh
source "${BASH_SOURCE[0]%/*}/programs.sh"
install_programs
check_programs

rm -rf "$BUILD"
mkdir -p "$BUILD"
# The supplement follows as the appendix, so that references lead from one to the other and back.
{
    sed '/^\\bibliographystyle/,$d' paper/main.tex
    echo '\appendix\setcounter{figure}{0}\setcounter{table}{0}'
    sed -n '/^\\renewcommand{\\the/p' paper/supplement.tex
    sed '1,/^\\maketitle/d; /\\tableofcontents/d' paper/supplement.tex
} >"$BUILD/article.tex"
# paper/zeroloss.sty.ltxml has what is used of these; without them expl3 need not be read.
for package in siunitx xfp xr-hyper; do
    echo '1;' >"$BUILD/$package.sty.ltxml"
done
for figure in "$RESULTS"/figures/*.pdf benchmarks/results/*.pdf; do
    name=$(basename "$figure" .pdf)
    ! grep -qrF "{$name.pdf}" paper/*.tex paper/sections benchmarks/results/*.tex || pdftocairo -svg "$figure" "$BUILD/$name.svg"
done
say() { # Run a step, its words in a log of its own, shown if it fails.
    "$@" --log="$BUILD/$1.log" >/dev/null 2>&1 || {
        grep -A 4 -E '^(Error|Fatal)' "$BUILD/$1.log" || tail -n 40 "$BUILD/$1.log"
        exit 1
    } >&2
}
say latexml --preload=zeroloss.sty --path="$BUILD" --path=paper --path="$RESULTS/tex" --path="$RESULTS/figures" \
    --path=benchmarks/results --destination="$BUILD/article.xml" "$BUILD/article.tex"
# LaTeXML would make rasters of PDF, and measure SVG with what may not read it.
sed 's/graphic="\([^"]*\)\.pdf"/graphic="\1.svg" imagesrc="\1.svg"/' "$BUILD/article.xml" >"$BUILD/drawn.xml"
say latexmlpost --format=html5 --pmml --nographicimages --timestamp=0 --path=paper \
    --destination="$BUILD/article.html" "$BUILD/drawn.xml"
