#!/bin/sh
# Lock the Python dependencies: exact versions and hashes for Python 3.11 and later, no URLs, no index names.
#   dev.txt     everything: what make demo, make test and make bench install
#   run.txt     all extras that a running driftline uses, without the tools of development
#   client.txt  the bare install: the tiny client
#   build.txt   setuptools, which builds driftline and the dependencies that come as source
#   spark.txt   the bare install and Spark, for the job of deploy/examples/spark; an environment of its own
#   beside.txt  client.txt with openai-agents, the owner of the top-level name `agents` (scripts/wheel_check.py)
# Usage: scripts/lock.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
[ -x "$uv" ] || uv=$(command -v uv) || {
    echo "uv is not found, and it makes the locks: run .venv/bin/pip install uv" >&2
    exit 1
}

lock() { # lock FILE ARGUMENTS...: keep what is locked unless --upgrade is asked for
    out=requirements/$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --output-file "$out" "$@"
    echo "$out: $(grep -c '==' "$out") versions"
}

lock dev.txt pyproject.toml --all-extras "$@"
lock run.txt pyproject.toml --extra streams --extra serving --extra control --extra local --extra demo \
    --constraints requirements/dev.txt "$@"
lock client.txt pyproject.toml --constraints requirements/dev.txt "$@"
lock build.txt requirements/build.in --constraints requirements/dev.txt "$@"
lock beside.txt requirements/beside.in pyproject.toml --constraints requirements/dev.txt "$@"
lock spark.txt requirements/spark.in pyproject.toml --constraints requirements/client.txt "$@"
