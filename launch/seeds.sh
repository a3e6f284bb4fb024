#!/usr/bin/env bash
# Evolves a preset's loss from several seeds, evaluates each on the same held-out tasks, and prints a table with the median,
# the range and the success rate:
#   launch/seeds.sh PRESET [SEEDS [RANKS]] [-- FLAGS OF epg_tf.evaluate]
# The runs are in runs/seeds/PRESET. Interrupted, the same command goes on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ $# -eq 0 ]]; then
  echo "seeds: usage: launch/seeds.sh PRESET [SEEDS [RANKS]] [-- FLAGS OF epg_tf.evaluate]" >&2
  exit 2
fi
preset=$1 seeds=8 ranks=2
shift
if [[ $# -gt 0 && $1 != -- ]]; then seeds=$1 && shift; fi
if [[ $# -gt 0 && $1 != -- ]]; then ranks=$1 && shift; fi
if [[ $# -gt 0 ]]; then shift; fi
launch/setup.sh
source .venv/bin/activate
folder=runs/seeds/$preset
for ((seed = 0; seed < seeds; seed++)); do
  run=$folder/seed_$seed
  python -m epg_tf.train --np "$ranks" --gin_file "gin/$preset.gin" --gin_binding "meta_train.seed = $seed" --root_dir "$run"
  # The tasks and agents of the evaluation are the same, whatever seed evolved the loss.
  python -m epg_tf.evaluate --np "$ranks" --loss "$run" --root_dir "$run/evaluation" \
    --gin_binding "meta_train.seed = 0" --num_tasks 32 --num_seeds 4 --num_updates 128 --methods evolved "$@"
done
python -m epg_tf.report --root_dir "$folder"
