#!/usr/bin/env bash
# Evolves a loss with one thing changed at a time and sets the runs side by side in runs/ablations/report.html.
# Interrupted, the same command goes on. Arguments go to every epg_tf.train.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/setup.sh
source .venv/bin/activate
export TF_CPP_MIN_LOG_LEVEL=3 # horovodrun imports TensorFlow too, and would let it speak
folder=runs/ablations

evolve() { # name, bindings
  local name=$1 bindings=()
  shift
  while [[ $# -gt 0 && $1 != -- ]]; do
    bindings+=(--gin_binding "$1")
    shift
  done
  shift
  horovodrun -np 2 python -m epg_tf.train --gin_file gin/ablations.gin "${bindings[@]}" --root_dir "$folder/$name" "$@"
}

evolve base -- "$@"
evolve no_confinement "LearnedLoss.mean_penalty = 0.0" "LearnedLoss.log_std_penalty = 0.0" -- "$@"
evolve no_log_std_penalty "LearnedLoss.log_std_penalty = 0.0" -- "$@"
evolve kappa_1 "LearnedLoss.mean_penalty = 1.0" -- "$@"
evolve kappa_8 "LearnedLoss.mean_penalty = 8.0" -- "$@"
evolve kappa_20 "LearnedLoss.mean_penalty = 20.0" -- "$@"
evolve tanh "InnerLoop.mean_activation = 'tanh'" -- "$@"
evolve whole_lifetimes "meta_train.window = None" -- "$@"
evolve centred_ranks "EvolutionStrategy.shaping = 'centred_ranks'" -- "$@"
evolve sigma_0.1 "EvolutionStrategy.noise_std = 0.1" -- "$@"
evolve sigma_0.03 "EvolutionStrategy.noise_std = 0.03" -- "$@"
evolve hidden_64 "LearnedLoss.hidden_size = 64" -- "$@"
evolve own_statistics "InnerLoop.observation_statistics = None" -- "$@"
evolve passes_4 "InnerLoop.num_passes = 4" -- "$@"
evolve passes_15 "InnerLoop.num_passes = 15" -- "$@"
evolve context "LearnedLoss.context_size = 32" -- "$@"
evolve actions "LearnedLoss.inputs = ('observation', 'action', 'policy')" -- "$@"
evolve leaky_relu "LearnedLoss.activation = 'leaky_relu'" -- "$@"
evolve no_momentum "EvolutionStrategy.beta_1 = 0.0" -- "$@"
python -m epg_tf.report --root_dir "$folder"
