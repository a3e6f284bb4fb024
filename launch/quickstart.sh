#!/usr/bin/env bash
# Sets up where needed and evolves a loss on random Reachers, in minutes on two cores; arguments go to epg_tf.train.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/setup.sh
source .venv/bin/activate
export TF_CPP_MIN_LOG_LEVEL=3 # horovodrun imports TensorFlow too, and would let it speak
exec horovodrun -np 2 python -m epg_tf.train --gin_file gin/quickstart.gin --root_dir runs/quickstart "$@"
