#!/usr/bin/env bash
# Evolves a loss with one thing changed at a time, and with other seeds, and sets the runs side by side: half an hour on two cores.
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
evolve seed_1 "meta_train.seed = 1" -- "$@"
evolve seed_2 "meta_train.seed = 2" -- "$@"
evolve guidance "meta_train.guidance = @Linear()" "Linear.num_epochs = 20" -- "$@"
evolve no_memory "LearnedLoss.inputs = ('observation', 'action', 'termination', 'policy')" -- "$@"
evolve no_temporal_context "LearnedLoss.context_size = 0" -- "$@"
evolve smaller_steps "InnerLoop.learning_rate = 3e-3" -- "$@"
evolve unpaired "EvolutionStrategy.sampling = 'independent'" -- "$@"
evolve no_rank_shaping "EvolutionStrategy.shaping = 'none'" -- "$@"
# As many environment steps as the others, in lifetimes of one length.
evolve constant_lifetime "meta_train.num_updates = None" "meta_train.num_epochs = 37" "outer/Linear.num_epochs = 37" -- "$@"
python -m epg_tf.report --root_dir "$folder"
