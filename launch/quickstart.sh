#!/usr/bin/env bash
# Sets up where needed, has a loss taught on random Reachers and compares it with PPO on arms that nobody trained on: four
# minutes on two cores. Interrupted, the same command goes on. Arguments go to epg_tf.train.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/setup.sh
source .venv/bin/activate
export TF_CPP_MIN_LOG_LEVEL=3 # horovodrun imports TensorFlow too, and would let it speak
run=runs/quickstart
horovodrun -np 2 python -m epg_tf.train --gin_file gin/quickstart.gin --root_dir "$run" "$@"
# The loss at the start is the random one. PPO makes as many passes as the loss's agents, with the steps that suit it.
horovodrun -np 2 python -m epg_tf.evaluate --loss "$run" --root_dir "$run/evaluation" --num_tasks 32 --num_seeds 1 \
  --num_updates 128 --methods evolved,random_loss,ppo,no_action --ppo_learning_rate 1e-3
echo "The learning curves: $run/evaluation/curves.png"
