#!/usr/bin/env bash
# Evolves a loss with one thing changed at a time, teaches some, and sets the runs side by side.
# Interrupted, the same command goes on. Arguments go to every epg_tf.train.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/setup.sh
source .venv/bin/activate
export TF_CPP_MIN_LOG_LEVEL=3 # horovodrun imports TensorFlow too, and would let it speak
folder=runs/ablations

run() { # preset, name, bindings
  local preset=$1 name=$2 bindings=()
  shift 2
  while [[ $# -gt 0 && $1 != -- ]]; do
    bindings+=(--gin_binding "$1")
    shift
  done
  shift
  horovodrun -np 2 python -m epg_tf.train --gin_file "gin/$preset.gin" "${bindings[@]}" --root_dir "$folder/$name" "$@"
}
evolve() { run ablations "$@"; }
teach() { run ablations_taught "$@"; }

evolve base -- "$@"
evolve passes_1 "InnerLoop.num_passes = 1" -- "$@"
evolve passes_4 "InnerLoop.num_passes = 4" -- "$@"
evolve passes_40 "InnerLoop.num_passes = 40" -- "$@"
# As many environment steps as the others, in lifetimes of one length.
evolve lifetimes_of_16 "meta_train.num_updates = None" "meta_train.num_epochs = 85" -- "$@"
evolve lifetimes_of_32 "meta_train.num_updates = None" "InnerLoop.num_updates = 32" "meta_train.num_epochs = 42" -- "$@"
evolve lifetimes_of_128 "meta_train.num_updates = None" "InnerLoop.num_updates = 128" "meta_train.num_epochs = 11" -- "$@"
evolve leaky_relu "LearnedLoss.activation = 'leaky_relu'" -- "$@"
evolve no_momentum "EvolutionStrategy.beta_1 = 0.0" -- "$@"
evolve larger_population "meta_train.num_workers = 64" "meta_train.num_epochs = 50" -- "$@"
evolve no_bounds "InnerLoop.log_std_bounds = None" -- "$@"
evolve temporal_context "LearnedLoss.context_size = 16" "InnerLoop.backend = 'tensorflow'" -- "$@"

teach taught_1 "meta_train.num_epochs = 1" -- "$@"
teach taught_3 "meta_train.num_epochs = 3" -- "$@"
teach taught_10 -- "$@"
teach taught_10_keeping_1 "PolicyGradientTeacher.num_kept_epochs = 1" -- "$@"
teach taught_then_evolved "meta_train.num_epochs = 60" -- "$@"
python -m epg_tf.report --root_dir "$folder"
