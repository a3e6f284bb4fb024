"""Evolved Policy Gradients in TensorFlow (Houthooft et al. 2018, arXiv 1802.04821): a map.

| Symbol, equation, line of Algorithm 1            | Module                                     |
|--------------------------------------------------|--------------------------------------------|
| lines 2-3, 13-14: the outer loop                 | `outer_loop.meta_train`                    |
| line 4: epsilon_i, phi + sigma epsilon_i         | `seeds`; `outer_loop.strategy`, `ask`      |
| line 5: M_i ~ p(M)                               | `tasks.family`; `tasks.reacher`, `.hopper` |
| p(M) from any MJCF file; other robots            | `tasks.bodies`                             |
| p(M) from any gymnasium environment              | `tasks.environments`                       |
| lines 6-12: one lifetime of K updates            | `inner_loop.lifetime.Workers.live`         |
| lines 7-11: M steps with resets                  | `agent.driver`, `tasks.simulator`          |
| line 9: a_t ~ pi_theta(. given s_t)              | `agent.acting`                             |
| line 12, Eq. 4: the update of theta              | `inner_loop.learner`; `native.descend`     |
| Eq. 6: the loss that theta descends              | `inner_loop.objective`                     |
| line 13, footnote 1: R_i                         | `inner_loop.episodes`                      |
| line 14, Eq. 5: the update of phi                | `outer_loop.strategy`, `tell`; `.shaping`  |
| L_phi, Fig. 2, section 4.1                       | `loss.learned_loss`                        |
| L_pg, Eq. 1 and PPO; alpha in Eq. 6              | `loss.guidance`; `schedules`               |
| theta: policy, memory (section 3.3), value       | `agent.networks`                           |
| buffer of N steps; normalisation (section 4.1)   | `agent.experience`; `agent.normaliser`     |
| n workers on ranks and threads                   | `ranks`; `inner_loop.groups`               |
| teaching phi before evolution (ours)             | `teaching`; `outer_loop.taught_epochs`     |
| a run on disk, written and read                  | `train`; `run`                             |
| interrupted epochs                               | `inner_loop.lifetime_state`                |
| Figs. 4, 5, 7: learning curves on held-out tasks | `evaluate`; `evaluation.learning_curves`   |
| tasks outside the training distribution          | `evaluate --shift`; `evaluation.shift`     |
| rivals off the shelf: TF-Agents' PPO and SAC     | `rivals`                                   |
| meta-trained rivals: RL², E-RL²                  | `train_rival`; `rivals.rl2`                |
| MAML, ES-MAML                                    | `rivals.maml`, `.es_maml`                  |
| the loss's teacher, and a clone of it            | `rivals.teacher`, `.cloned`                |
| section 4.3, Figs. 6, 9: analysis of a loss      | `analyze`; `evaluation.analysis`           |
| Figs. 3, 8: bodies, exploration; films           | `render`; `evaluation.films`; `rendering`  |
| exported losses and HTML reports                 | `export`; `evolved_loss`; `report`         |
| losses by name                                   | `load_loss`; `losses`                      |
| a loss in TF-Agents                              | `EvolvedLossAgent`; `drop_in`              |
| the experiments' settings                        | `gin/`, read by `config`                   |
"""

from __future__ import annotations

import importlib.metadata
import warnings
from typing import TYPE_CHECKING, Any

import gym_notices.notices

import epg_tf.tasks  # noqa: F401 so that gymnasium.make("epg_tf:epg/RandomReacher-v0") works

if TYPE_CHECKING:
    from epg_tf.drop_in.agent import EvolvedLossAgent as EvolvedLossAgent
    from epg_tf.drop_in.environment import GymnasiumEnvironment as GymnasiumEnvironment
    from epg_tf.evolved_loss.use import load_loss as load_loss

# TF-Agents imports the old gym, which then asks users to upgrade a package that is not theirs.
gym_notices.notices.notices.clear()
# TF-Agents compares literals with `is`, and Python warns when it first compiles that.
warnings.filterwarnings("ignore", category=SyntaxWarning, module=r".*\btf_agents\b")

_PUBLIC = {  # name -> module
    "EvolvedLossAgent": "drop_in.agent",
    "GymnasiumEnvironment": "drop_in.environment",
    "load_loss": "evolved_loss.use",
}


def __getattr__(name: str) -> Any:
    """Imports a public name on its first use, because importing TensorFlow takes seconds."""
    if name == "__version__":
        return importlib.metadata.version("epg_tf")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'epg_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(f"epg_tf.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
