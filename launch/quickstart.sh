#!/usr/bin/env bash
# Sets up where needed, evolves a loss on random half-cheetahs and compares it with PPO on bodies that nobody trained on: five
# minutes on two cores. Interrupted, the same command goes on. Arguments go to epg_tf.train.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/setup.sh
source .venv/bin/activate
run=runs/quickstart
python -m epg_tf.train --np 2 --gin_file gin/quickstart.gin --root_dir "$run" "$@"
# PPO makes as many passes as the loss's agents, with the steps that suit it.
python -m epg_tf.evaluate --np 2 --loss "$run" --root_dir "$run/evaluation" --num_tasks 32 --num_seeds 1 \
  --num_updates 128 --methods evolved,phi_zero,ppo,no_action --ppo_learning_rate 1e-3
film="The film: $run/videos"
python -m epg_tf.render --loss "$run" --root_dir "$run/videos" || film="There is no film: the sentence above says what it needs."
echo "The loss: $run/export/latest"
echo "The learning curves: $run/evaluation/curves.png"
echo "$film"
echo "Next: source .venv/bin/activate && python -m epg_tf.report --root_dir $run"
