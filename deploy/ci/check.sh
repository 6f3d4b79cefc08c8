#!/bin/bash
# The one list of checks, the same on a desk and in CI: format, build without warnings and with the
# import graph held, tests. The test runner's closing lines are the last lines printed.
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

step() { printf '\n== %s\n' "$*"; }

step "format"
swift format lint --strict --parallel --recursive Package.swift Sources Tests

step "build"
# -warnings-as-errors would fail on packages that are not ours, so our own warnings are looked for.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! swift build --build-tests --explicit-target-dependency-import-check error >"$log" 2>&1; then
    grep -E "error:|warning:" "$log" | sort -u || true
    tail -n 30 "$log"
    exit 1
fi
if grep -E "^$(pwd -P)/(Sources|Tests|Package\.swift).*warning:" "$log" | sort -u | grep .; then
    printf 'warnings are errors here\n'
    exit 1
fi
tail -n 1 "$log"

step "test"
# One test at a time: several of them run a Redis or a mock Kafka cluster of their own.
status=0
swift test --skip-build --no-parallel --disable-xctest 2>&1 | tee "$log" || status=$?
if [ "$status" -ne 0 ]; then
    # Whoever is shown the end of the output only must see there what failed.
    printf '\n== what failed\n'
    grep -E "recorded an issue|^✘ |Fatal error|^error:" -A 3 "$log" | head -n 200 || true
    printf '\n'
    grep -E "Test run with" "$log" | tail -n 1 || true
    exit "$status"
fi
