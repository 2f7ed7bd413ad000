#!/usr/bin/env bash
# The tests in two halves side by side: those that wait for a real Kafka and ClickHouse, and those that compute.
# With arguments for pytest: one run of what they choose.
set -uo pipefail
cd "$(dirname "$0")/.."

CHOSEN=(-m "not chaos and not slow")

if [ "$#" -gt 0 ]; then
    exec .venv/bin/pytest "${CHOSEN[@]}" "$@"
fi

log=$(mktemp)
nice -n 5 .venv/bin/pytest "${CHOSEN[@]}" tests/unit tests/contract tests/golden tests/property >"$log" 2>&1 &
half=$!
trap 'kill "$half" 2>/dev/null; rm -f "$log"' EXIT
code=0
.venv/bin/pytest "${CHOSEN[@]}" tests/integration tests/chaos || code=$?
wait "$half" || code=$?
cat "$log"
exit "$code"
