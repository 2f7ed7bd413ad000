#!/bin/sh
# Run pytest from .venv with caches of its own inside the checkout: scripts/pytest.sh [pytest's arguments]
set -eu
cd "$(dirname "$0")/.."
NUMBA_CACHE_DIR=${NUMBA_CACHE_DIR:-$PWD/.driftline/numba}
export NUMBA_CACHE_DIR
mkdir -p "$NUMBA_CACHE_DIR"
exec .venv/bin/pytest "$@"
