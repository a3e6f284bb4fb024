#!/usr/bin/env bash
# Sets up where needed and runs the tests; arguments go to pytest: ./launch/test.sh -k golden
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/setup.sh
exec .venv/bin/python -m pytest "$@"
