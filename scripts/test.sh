#!/usr/bin/env bash
# The tests in four parts side by side: those that compute, and in three parts, each with a real Kafka and ClickHouse
# of its own, those that mostly wait. With arguments for pytest: one run of what they choose.
set -uo pipefail
cd "$(dirname "$0")/.."

CHOSEN=(-m "not chaos and not slow" --durations=15 --durations-min=5)
COMPUTE=(tests/unit tests/property)
# They wait more than they compute.
WAITING=(tests/unit/{demo,packages,rules})
# The demo and kills take longest; the third part is whatever is not named here. What needs no broker but stands in
# the second part is there because that one is done first.
ONE=(tests/integration/{alerts,cli,demo,replay,serving,tables})
TWO=(tests/integration/{accuracy,advice,archive,audit,board,challenger,control,deployed,docs,examples}
    tests/{contract,golden} tests/unit/emit)

if [ "$#" -gt 0 ]; then
    exec .venv/bin/pytest "${CHOSEN[@]}" "$@"
fi

logs=$(mktemp -d)
running=()
trap 'kill "${running[@]}" 2>/dev/null; rm -rf "$logs"' EXIT

beside() { # beside NAME COMMAND...: run it in the background, its words in a file
    local name=$1
    shift
    "$@" >"$logs/$name" 2>&1 &
    running+=($!)
}

beside compute nice -n 3 .venv/bin/pytest "${CHOSEN[@]}" "${COMPUTE[@]}" "${WAITING[@]/#/--ignore=}" \
    --ignore=tests/unit/emit
beside one .venv/bin/pytest "${CHOSEN[@]}" "${ONE[@]}"
beside two .venv/bin/pytest "${CHOSEN[@]}" "${TWO[@]}"
code=0
others=("${ONE[@]}" "${TWO[@]}")
.venv/bin/pytest "${CHOSEN[@]}" tests/integration tests/chaos "${WAITING[@]}" "${others[@]/#/--ignore=}" || code=$?
for job in "${running[@]}"; do
    wait "$job" || code=$?
done
cat "$logs"/*
exit "$code"
