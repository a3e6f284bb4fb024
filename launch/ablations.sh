#!/usr/bin/env bash
# Evolves a preset's loss with one thing changed at a time, each from several seeds:
#   launch/ablations.sh [PRESET [SEEDS [RANKS]]] [-- FLAGS OF epg_tf.train]
# The runs are in runs/ablations/PRESET, side by side in its report.html. Interrupted, the same command goes on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=evolved/ablations seeds=3 ranks=2
if [[ $# -gt 0 && $1 != -- ]]; then preset=$1 && shift; fi
if [[ $# -gt 0 && $1 != -- ]]; then seeds=$1 && shift; fi
if [[ $# -gt 0 && $1 != -- ]]; then ranks=$1 && shift; fi
if [[ $# -gt 0 ]]; then shift; fi
train=("$@")
launch/setup.sh
source .venv/bin/activate
folder=runs/ablations/$preset

evolve() { # name, bindings
  local name=$1 bindings=() seed
  shift
  for binding in "$@"; do bindings+=(--gin_binding "$binding"); done
  for ((seed = 0; seed < seeds; seed++)); do
    python -m epg_tf.train --np "$ranks" --gin_file "gin/$preset.gin" "${bindings[@]}" \
      --gin_binding "meta_train.seed = $seed" --root_dir "$folder/${name}_seed_$seed" "${train[@]}"
  done
}

evolve base
evolve no_confinement "LearnedLoss.mean_penalty = 0.0" "LearnedLoss.log_std_penalty = 0.0"
evolve no_bilinear "LearnedLoss.bilinear = False"
evolve no_log_std_penalty "LearnedLoss.log_std_penalty = 0.0"
evolve kappa_1 "LearnedLoss.mean_penalty = 1.0"
evolve kappa_8 "LearnedLoss.mean_penalty = 8.0"
evolve kappa_20 "LearnedLoss.mean_penalty = 20.0"
evolve tanh "InnerLoop.mean_activation = 'tanh'"
evolve unbounded "InnerLoop.mean_activation = None"
evolve own_statistics "InnerLoop.observation_statistics = None"
python -m epg_tf.report --root_dir "$folder"
