#!/usr/bin/env bash
# Makes .venv with everything the project needs, Horovod included; a second run takes seconds. Never needs root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "setup: $1" >&2
  exit 1
}

find_python() {
  local candidate
  for candidate in python3.11 python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.11.*/bin/python; do
    # Running it tells a working interpreter from a pyenv shim of a version that is not selected.
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' \
      2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.11 with venv was not found on PATH or in pyenv: install it, for instance with 'apt-get install python3.11 python3.11-venv' or 'pyenv install 3.11'."
}

# What was installed is remembered by content, so that an edited pin is installed and an unchanged one costs nothing.
wanted=$(cat requirements.txt launch/lock.txt launch/horovod.txt pyproject.toml | sha256sum | cut -d ' ' -f 1)
if [[ -x .venv/bin/python && "$(cat .venv/epg_tf_installed 2>/dev/null || true)" == "$wanted" ]]; then
  exit 0
fi

if [[ ! -x .venv/bin/python ]]; then
  python=$(find_python)
fi
command -v "${CXX:-g++}" >/dev/null || fail "a C++ compiler was not found, and Horovod is built from source: install it, for instance with 'apt-get install g++'."
command -v cmake >/dev/null || fail "cmake was not found, and Horovod is built with it: install it, for instance with 'apt-get install cmake' or 'pip install cmake'."
if [[ ! -x .venv/bin/python ]]; then
  echo "setup: making .venv with $("$python" --version)"
  "$python" -m venv .venv
fi

pip() {
  .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"
}

# What was edited, to TensorFlow's GPU build for instance, has no hashes in the lock.
unlocked=$(sed -nE 's/\[[^]]*\]//; /^[[:alnum:]]/p' requirements.txt | grep -vxFf <(sed 's/ .*//' launch/lock.txt) || true)
if [[ -z "$unlocked" ]]; then
  echo "setup: installing launch/lock.txt (about a minute)"
  pip install --require-hashes -r launch/lock.txt
else
  echo "setup: installing requirements.txt (about a minute), without hashes, since launch/lock.txt has no ${unlocked//$'\n'/, }"
  pip install -r requirements.txt
fi
# An installed GPU build of TensorFlow serves as well; Horovod links against whichever is there.
if ! .venv/bin/python -c 'import horovod.tensorflow' 2>/dev/null; then
  echo "setup: building Horovod (two to three minutes)"
  HOROVOD_WITH_TENSORFLOW=1 HOROVOD_WITH_GLOO=1 HOROVOD_WITHOUT_MPI=1 HOROVOD_WITHOUT_PYTORCH=1 HOROVOD_WITHOUT_MXNET=1 \
    pip install --require-hashes --no-build-isolation --no-cache-dir -r launch/horovod.txt
fi
pip install --no-deps --no-build-isolation --editable .
# horovodrun imports TensorFlow before anything of ours could keep its notices off the terminal.
# shellcheck disable=SC2016 # whoever activates it is to expand it
grep -q TF_CPP_MIN_LOG_LEVEL .venv/bin/activate ||
  echo 'export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-3}"' >>.venv/bin/activate
# Compiles ahead, and says so. Where that fails, the first command tries again and says why.
.venv/bin/python -c 'from epg_tf.native import trial; trial.descends_here()' || true
echo "$wanted" >.venv/epg_tf_installed
echo "setup: done"
