#!/usr/bin/env bash
# Finds the TeX that the paper needs: TeX Live with latexmk, or else tectonic (conda users).
#   find-tex.sh check    say what is missing and how to get it; exit 1 if anything is
#   find-tex.sh install  the same, but on Debian or Ubuntu as root install it first; always exit 0,
#                        because everything but the PDF can be built without TeX
set -euo pipefail

# What paper/ uses, as kpsewhich names it; a test keeps the list complete.
readonly FILES=(article.cls fontenc.sty inputenc.sty lmodern.sty geometry.sty microtype.sty
    amsmath.sty amssymb.sty amsthm.sty mathtools.sty bm.sty graphicx.sty booktabs.sty longtable.sty
    array.sty caption.sty float.sty siunitx.sty xfp.sty fancyhdr.sty xcolor.sty natbib.sty
    hyperref.sty xr-hyper.sty cleveref.sty)
readonly DEBIAN_PACKAGES=(texlive-latex-recommended texlive-latex-extra texlive-science
    texlive-publishers lmodern latexmk poppler-utils)

missing_from_tex() {
    local program file
    # Tectonic fetches the packages it needs by itself.
    command -v latexmk >/dev/null || ! command -v tectonic >/dev/null || return 0
    for program in latexmk pdflatex bibtex kpsewhich; do
        command -v "$program" >/dev/null || echo "$program"
    done
    command -v kpsewhich >/dev/null || return 0
    # One call when all is there, as nearly always; one for each file to name what is not.
    kpsewhich "${FILES[@]}" >/dev/null && return 0
    for file in "${FILES[@]}"; do
        kpsewhich "$file" >/dev/null || echo "$file"
    done
}

is_debian() {
    [[ -e /etc/debian_version ]] && command -v apt-get >/dev/null
}

say_how_to_install() {
    echo "The PDF needs TeX; not found: $1"
    echo "Everything else is built without it. To get it:"
    if is_debian; then
        echo "  sudo apt-get install --no-install-recommends ${DEBIAN_PACKAGES[*]}"
    else
        echo "  Debian, Ubuntu: apt-get install --no-install-recommends ${DEBIAN_PACKAGES[*]}"
        echo "  Fedora:         dnf install latexmk texlive-collection-latexextra" \
            "texlive-collection-publishers texlive-collection-mathscience texlive-lm"
        echo "  Arch:           pacman -S texlive-latexextra texlive-publishers texlive-mathscience" \
            "texlive-binextra"
        echo "  macOS:          brew install --cask mactex-no-gui"
        echo "  any TeX Live:   tlmgr install latexmk lm microtype mathtools booktabs caption float" \
            "siunitx fancyhdr xcolor natbib cleveref"
    fi
    echo "and run the same command again: only the PDF is left to do."
}

install_on_debian() {
    echo "Installing TeX, about 550 MB: ${DEBIAN_PACKAGES[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update && apt-get -q install -y --no-install-recommends "${DEBIAN_PACKAGES[@]}"
}

main() {
    local what=${1:-check} missing
    missing=$(missing_from_tex | tr '\n' ' ')
    [[ -z $missing ]] && return 0
    if [[ $what == install ]] && is_debian && [[ $(id -u) == 0 ]]; then
        install_on_debian >&2 || echo "apt-get could not install TeX." >&2
        missing=$(missing_from_tex | tr '\n' ' ')
        [[ -z $missing ]] && return 0
    fi
    say_how_to_install "$missing" >&2
    [[ $what == install ]]
}

main "$@"
