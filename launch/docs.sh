#!/usr/bin/env bash
# Makes the site of docs/ in runs/site, and fails where a link leads nowhere. MkDocs has a virtual environment of its own,
# .venv_docs; the reference is written by the project's. Arguments go to mkdocs build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/setup.sh
wanted=$(sha256sum launch/docs.txt | cut -d ' ' -f 1)
if [[ "$(cat .venv_docs/epg_tf_installed 2>/dev/null || true)" != "$wanted" ]]; then
  echo "docs: installing launch/docs.txt (half a minute)"
  .venv/bin/python -m venv --clear .venv_docs
  .venv_docs/bin/python -m pip --disable-pip-version-check --quiet install -r launch/docs.txt
  echo "$wanted" >.venv_docs/epg_tf_installed
fi
export NO_MKDOCS_2_WARNING=1 # the theme's, of what may come after it
exec .venv_docs/bin/mkdocs build --strict --quiet "$@"
