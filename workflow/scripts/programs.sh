# Sourced by scripts that need programs of the system. They set, as arrays where several:
#   NEEDED_FOR="The Slurm test needs Slurm"  PROGRAMS=(sbatch squeue)  PACKAGES=(slurm-wlm)
# shellcheck shell=bash disable=SC2153

missing_programs() {
    local program
    for program in "${PROGRAMS[@]}"; do
        command -v "$program" >/dev/null || echo "$program"
    done
}

# Say what is missing and how to get it; fail if anything is.
check_programs() {
    local absent
    absent=$(missing_programs | tr '\n' ' ')
    [[ -z $absent ]] && return 0
    echo "$NEEDED_FOR; not found: $absent" >&2
    echo "  Debian, Ubuntu: apt-get install --no-install-recommends ${PACKAGES[*]}" >&2
    return 1
}

# The same, but on Debian or Ubuntu as root install it first; succeed either way.
install_programs() {
    if [[ -n $(missing_programs) && -e /etc/debian_version && $(id -u) == 0 ]]; then
        echo "Installing ${PACKAGES[*]}"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get -qq update &&
            apt-get -qq install --no-install-recommends "${PACKAGES[@]}"; } >/dev/null ||
            echo "apt-get could not install ${PACKAGES[*]}" >&2
    fi
    check_programs || true
}
