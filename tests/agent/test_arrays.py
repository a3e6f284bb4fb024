"""Names of arrays: what was named is found again, number by number and field by field."""

import dataclasses

import numpy as np

from epg_tf.agent.arrays import below, in_order, named, record


@dataclasses.dataclass(frozen=True)
class Search:
    epoch: int
    phi: np.ndarray
    scale: float = 0.5


def test_what_was_named_is_found_again():
    weights, search = [np.full(2, n) for n in range(12)], Search(3, np.arange(4.0))
    arrays = named(weights=weights, search=search, weights_of_others=[np.zeros(1)])
    assert {"weights_000", "weights_011", "search_epoch", "search_phi"} < arrays.keys()
    restored = record(Search, arrays, "search_")
    assert (type(restored.epoch), restored.epoch, restored.scale) == (int, 3, 0.5)
    assert restored.phi is search.phi
    assert below(arrays, "search_").keys() == {"epoch", "phi", "scale"}
    assert [array[0] for array in in_order(below(arrays, "weights_"), "of_others")] == [0]


def test_lists_keep_their_order_beyond_ten():
    arrays = named(adam=[np.array(n) for n in range(12)])
    assert [int(array) for array in in_order(arrays, "adam")] == list(range(12))
