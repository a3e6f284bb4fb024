"""Evolved Policy Gradients in TensorFlow (Houthooft et al. 2018, arXiv 1802.04821): the map.

| Symbol, equation, line of Algorithm 1            | Where it lives                                |
|--------------------------------------------------|-----------------------------------------------|
| lines 2-3, 13-14: the outer loop                 | `outer_loop.meta_train`                       |
| line 4: epsilon_i, phi + sigma epsilon_i         | `evolution.sampling`, `EvolutionStrategy.ask` |
| line 5: M_i ~ p(M)                               | `tasks.family`; `tasks.reacher`, `.hopper`    |
| lines 6-12: one lifetime of K updates            | `inner_loop.Workers.live`                     |
| lines 7-11: M steps with resets                  | `agent.driver`, `tasks.simulator`             |
| line 9: a_t ~ pi_theta(. given s_t)              | `agent.acting`                                |
| line 12, Eqs. 4 and 6: the update of theta       | `inner_update.Learner`                        |
| line 13, footnote 1: R_i                         | `agent.episodes`                              |
| line 14, Eq. 5: the update of phi                | `EvolutionStrategy.tell`, `evolution.shaping` |
| L_phi, Fig. 2, section 4.1                       | `loss.learned_loss`                           |
| L_pg, Eq. 1 and PPO; alpha in Eq. 6              | `loss.guidance`; `schedules`                  |
| theta: policy, memory (section 3.3), value       | `agent.networks`                              |
| buffer of N steps; normalisation (section 4.1)   | `agent.experience`; `agent.normaliser`        |
| n workers on so many ranks and threads           | `evolution.ranks`; `worker_groups`            |
| the guide teaches phi first (ours)               | `teaching`                                    |
| Figs. 4, 5, 7: learning curves on held-out tasks | `evaluate`; `evaluation.comparison`           |
| opponents off the shelf: TF-Agents' PPO and SAC  | `evaluation.tf_agents_ppo`, `.tf_agents_sac`  |
| section 4.3, Figs. 6, 9: what a loss does        | `analyze`; `evaluation.analysis`              |
| Figs. 3, 8: bodies, exploration; films           | `render`; `evaluation.show`; `rendering`      |
| a loss to take away, and a page about it         | `export`; `report`                            |
| the experiments' settings                        | `gin/`, read by `config`                      |
"""

import gym_notices.notices

# TF-Agents imports the old gym, which then asks every user to upgrade what is not theirs.
gym_notices.notices.notices.clear()
