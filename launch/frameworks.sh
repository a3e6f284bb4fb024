#!/usr/bin/env bash
# Makes .venv_frameworks, with PyTorch and JAX for examples/evolved_loss_in_*.py and their tests; a second run takes none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
wanted=$(sha256sum launch/frameworks.txt | cut -d ' ' -f 1)
if [[ "$(cat .venv_frameworks/epg_tf_installed 2>/dev/null || true)" != "$wanted" ]]; then
  echo "frameworks: installing launch/frameworks.txt (half a minute)"
  .venv/bin/python -m venv --clear .venv_frameworks
  .venv_frameworks/bin/python -m pip --disable-pip-version-check --quiet install -r launch/frameworks.txt
  echo "$wanted" >.venv_frameworks/epg_tf_installed
fi
