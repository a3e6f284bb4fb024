"""The parameters of a loss as arrays by name, for epg_tf and any other framework.

`loss.npz` holds plain numbers, and reading it executes nothing. A SavedModel is a program, which
TensorFlow executes.
"""

from __future__ import annotations

import pathlib
import zipfile

import numpy as np

from epg_tf.evolved_loss.folder import ARRAYS_FILE
from epg_tf.files import crc32_of
from epg_tf.loss.learned_loss import LossNetwork


def named_arrays(network: LossNetwork) -> dict[str, np.ndarray]:
    """Returns the weights of a single worker's loss, float32.

    Args:
        network: The loss of one worker.

    Returns:
        `NAME.kernel` and `NAME.bias` of each layer in `LossNetwork.layers_by_name`, in the order of
        phi. A kernel is [inputs, units], a convolution's [width, inputs, units], a bias [units].
    """
    arrays = {}
    for name, layer in network.layers_by_name.items():
        arrays[f"{name}.kernel"] = layer.kernel.numpy()[0]
        arrays[f"{name}.bias"] = layer.bias.numpy()[0, 0]
    return arrays


def read_phi(folder: pathlib.Path, phi_crc32: int | None) -> np.ndarray:
    """Reads the parameters in `loss.npz` as one vector.

    Args:
        folder: The folder of an exported loss.
        phi_crc32: The checksum of the parameters in `loss.json`; None to skip its check.

    Returns:
        phi [P] float32.

    Raises:
        ValueError: If the file is damaged, or has another checksum.
    """
    file = folder / ARRAYS_FILE
    try:
        with open(file, "rb") as content, np.load(content, allow_pickle=False) as arrays:
            phi = np.concatenate([arrays[name].ravel() for name in arrays.files])
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise ValueError(
            f"`{ARRAYS_FILE}` (={file}) must be as epg_tf wrote it; it is damaged."
        ) from error
    if phi_crc32 is not None and crc32_of(phi) != phi_crc32:
        raise ValueError(
            f"`{ARRAYS_FILE}` (={file}) must have the checksum that loss.json names "
            f"({phi_crc32}), and has {crc32_of(phi)}: it is damaged, or another loss's."
        )
    return phi
