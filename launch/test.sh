#!/usr/bin/env bash
# Sets up where needed and runs the tests, a file on each of up to two cores; arguments go to pytest: ./launch/test.sh -k golden
# ./launch/test.sh --slow runs those that take minutes each, and no others. -n 0 runs tests in one process, as -s needs it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/setup.sh
options=(--numprocesses logical --maxprocesses 2 --dist loadfile)
if [[ "${1:-}" == --slow ]]; then
  shift
  options+=(-m slow)
fi
exec .venv/bin/python -m pytest "${options[@]}" "$@"
