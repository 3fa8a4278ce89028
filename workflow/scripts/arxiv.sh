#!/usr/bin/env bash
# Packs the paper of a run so that it compiles alone: what TeX read of it, in one folder, and the
# supplement and the page of evidence as ancillary files.
#   arxiv.sh RESULTS OUT.tar.gz     e.g. results/full results/full/arxiv.tar.gz
# Same run, same bytes.
set -euo pipefail

readonly RESULTS=$1 OUT=$2
readonly BUILD=$RESULTS/tex/build

if [[ ! -e $BUILD/main.fls ]]; then
    echo "$BUILD/main.fls, where latexmk lists what it read, is missing; build the paper with latexmk" >&2
    exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

while read -r file; do
    file=${file#"$PWD/"}
    name=$file
    for place in paper "$RESULTS/tex" "$RESULTS/figures" benchmarks/results; do
        name=${name#"$place/"}
    done
    case $file in
        /* | "$BUILD"/*) continue ;;  # of the TeX that is installed; made on the way
    esac
    mkdir -p "$folder/$(dirname "$name")"
    cp "$file" "$folder/$name"
done < <(sed -n 's/^INPUT //p' "$BUILD/main.fls" | sed 's#^\./##' | sort -u)
cp "$BUILD/main.bbl" "$folder"
[[ ! -e $BUILD/supplement.aux ]] || cp "$BUILD/supplement.aux" "$folder" # labels that the paper refers to
for beside in supplement.pdf evidence.html; do
    [[ ! -e $RESULTS/$beside ]] || { mkdir -p "$folder/anc" && cp "$RESULTS/$beside" "$folder/anc"; }
done
tar --sort=name --mtime=@1640995200 --owner=0 --group=0 --numeric-owner -C "$folder" -cf - . | gzip -n > "$OUT.part"
mv "$OUT.part" "$OUT"
echo "$OUT"
