#!/usr/bin/env bash
# Finds the headless browser that the test of the HTML report needs: Chromium and its driver.
#   find-chromium.sh check    say what is missing and how to get it; exit 1 if anything is
#   find-chromium.sh install  the same, but on Debian or Ubuntu as root install it first; exit 0
set -euo pipefail

missing() {
    local program
    for program in chromium chromedriver; do
        command -v "$program" >/dev/null || echo "$program"
    done
}

check() {
    local absent
    absent=$(missing | tr '\n' ' ')
    [[ -z $absent ]] && return 0
    echo "The test of the report needs a browser; not found: $absent" >&2
    echo "  Debian: apt-get install --no-install-recommends chromium chromium-driver" >&2
    return 1
}

install() {
    if [[ -n $(missing) && -e /etc/debian_version && $(id -u) == 0 ]]; then
        echo "Installing Chromium, about 300 MB"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get -qq update &&
            apt-get -qq install --no-install-recommends chromium chromium-driver; } >/dev/null ||
            echo "apt-get could not install chromium" >&2
    fi
    check || true
}

case ${1:-check} in
    check) check ;;
    install) install ;;
    *)
        echo "find-chromium.sh knows check and install, got $1" >&2
        exit 2
        ;;
esac
