#!/usr/bin/env bash
# Compares the pinned versions with a data base of known vulnerabilities (pip-audit, OSV).
#   audit.sh PYTHON VENV
# Exit status: 0 none is known, or nobody could be reached, which is said; 1 some are known; 2 the
# audit itself failed.
set -euo pipefail

readonly PYTHON=$1 VENV=$2 REPORT=$2/report.json LOG=$2/audit.log

not_reached() {
    echo "audit: NOT DONE, $1 could not be reached: nothing is said about the pins." \
        "Run make audit again where there is a network." >&2
    exit 0
}

if ! [ -x "$VENV/bin/pip-audit" ]; then
    "$PYTHON" -m venv --clear "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        -r workflow/scripts/audit-requirements.txt || not_reached "the package index"
fi
rm -f "$REPORT"
"$VENV/bin/pip-audit" --requirement constraints.txt --no-deps --disable-pip \
    --vulnerability-service osv --timeout 20 --progress-spinner off \
    --format json --output "$REPORT" 2> "$LOG" || true
if ! [ -s "$REPORT" ]; then
    tail -n 3 "$LOG" >&2
    if grep -qiE 'connect|timed? ?out|resolve|unreachable|proxy|HTTPError|ServiceError' "$LOG"; then
        not_reached "the data base of vulnerabilities"
    fi
    echo "audit: pip-audit failed; remove $VENV and run make audit again" >&2
    exit 2
fi
"$VENV/bin/python" - "$REPORT" << 'SUMMARY'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as report:
    pins = json.load(report)["dependencies"]
skipped = [pin for pin in pins if "skip_reason" in pin]
known = [(pin, flaw) for pin in pins for flaw in pin.get("vulns", [])]
for pin, flaw in known:
    fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
    print(f"{pin['name']} {pin['version']}: {flaw['id']}, mended in {fixed}")
for pin in skipped:
    print(f"{pin['name']}: not looked up ({pin['skip_reason']})")
print(f"audit: {len(pins) - len(skipped)} pins looked up, {len(known)} known vulnerabilities")
sys.exit(1 if known else 0)
SUMMARY
