#!/usr/bin/env bash
# Finds the headless browser that the test of the web article needs: Chromium and its driver.
#   find-chromium.sh check    say what is missing and how to get it; exit 1 if anything is
#   find-chromium.sh install  the same, but on Debian or Ubuntu as root install it first; exit 0
set -euo pipefail

readonly NEEDED_FOR="The test of the article needs a browser"
readonly PROGRAMS=(chromium chromedriver) PACKAGES=(chromium chromium-driver) # about 300 MB
# shellcheck source=workflow/scripts/programs.sh
source "${BASH_SOURCE[0]%/*}/programs.sh"

case ${1:-check} in
    check) check_programs ;;
    install) install_programs ;;
    *)
        echo "find-chromium.sh knows check and install, got $1" >&2
        exit 2
        ;;
esac
