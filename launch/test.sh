#!/usr/bin/env bash
# Sets up where needed and runs the tests; arguments go to pytest: ./launch/test.sh -k golden
# ./launch/test.sh --slow runs those that take minutes each, and no others, a file on each core.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/setup.sh
if [[ "${1:-}" == --slow ]]; then
  shift
  set -- -m slow --numprocesses logical --dist loadfile "$@"
fi
exec .venv/bin/python -m pytest "$@"
