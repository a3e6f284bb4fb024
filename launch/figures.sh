#!/usr/bin/env bash
# Draws the figures of the paper from the evolved losses that ship, into runs/figures:
#   launch/figures.sh [RANKS]
# Figures 4 and 5 have our PPO and TF-Agents' beside the loss; figure 9 has the loss's inputs at one step only where the loss has no
# temporal context. Interrupted, the same command goes on. All of it takes some 40 minutes on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ranks=${1:-2}
launch/setup.sh
source .venv/bin/activate
out=runs/figures

compare() { # folder, flags
  python -m epg_tf.evaluate --np "$ranks" --root_dir "$out/$1" --num_tasks 32 --num_seeds 4 \
    --methods evolved,phi_zero,ppo,tf_agents_ppo,no_action --ppo_learning_rate 1e-3 "${@:2}"
}

# 3: Hoppers and Reachers with random bodies; 8: where forward-backward Hoppers go while they explore
for loss in hopper_evolved reacher dir_hopper_evolved; do
  python -m epg_tf.render --loss "losses/$loss" --root_dir "$out/3_and_8_$loss"
done
compare 4_hopper --loss losses/hopper_evolved --num_updates 128
compare 5_reacher --loss losses/reacher --num_updates 512
compare 7_dir_hopper --loss losses/dir_hopper_evolved --num_updates 128 --give_reward
# Section 4.3: the loss's gradient against PPO's; 6: how far each update moves the policy; 9: which inputs the loss looks at
for loss in hopper_evolved reacher; do
  python -m epg_tf.analyze --loss "losses/$loss" --root_dir "$out/6_and_9_$loss"
done
