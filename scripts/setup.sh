#!/bin/sh
# Prepare .venv with the locked dependencies and driftline itself; does nothing when it is already so.
# PYTHON names the interpreter to use; without it, the newest tested one that is installed.
set -eu
cd "$(dirname "$0")/.."

suitable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    suitable "$PYTHON" || {
        echo "PYTHON=$PYTHON does not run as Python 3.11 or later: name one that does, e.g. make PYTHON=python3.13" >&2
        exit 1
    }
else
    for candidate in python3.13 python3.12 python3.11 python3; do
        if suitable "$candidate"; then
            PYTHON=$candidate
            break
        fi
    done
    [ -n "${PYTHON:-}" ] || {
        echo "Python 3.11 or later is not found: sudo apt-get install python3 python3-venv (or PYTHON=/path/to/python3)" >&2
        exit 1
    }
fi
exec "$PYTHON" scripts/setup.py "$@"
