#!/usr/bin/env bash
# Says where the paper is, or why there is none.
#   say-paper.sh results/full/paper.pdf
set -euo pipefail

if [[ -e $1 ]]; then
    echo "Paper: $1"
else
    echo "No PDF was made: $1"
    bash "$(dirname "$0")/find-tex.sh" check || true
fi
