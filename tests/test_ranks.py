"""How workers are shared out; what travels between real ranks is test_train's."""

import numpy as np
import pytest

from epg_tf.ranks import Ranks


@pytest.fixture(scope="module")
def alone():
    return Ranks()


def ranks(size):
    """Ranks as they would find themselves in a run of this size, without one."""
    made = []
    for rank in range(size):
        one = Ranks.__new__(Ranks)
        one.rank = one.local_rank = rank
        one.size = one.local_size = size
        made.append(one)
    return made


@pytest.mark.parametrize("num_workers", [1, 2, 6, 7, 31, 32])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 32])
def test_shares_follow_one_another_and_differ_by_one_at_most(num_workers, size):
    if size > num_workers:
        for rank in ranks(size):
            with pytest.raises(ValueError) as error:
                rank.share(num_workers, "num_explorers")
            assert str(error.value) == (
                f"`num_explorers` (={num_workers}) must be at least the number of ranks (={size})."
            )
        return
    shares = [rank.share(num_workers) for rank in ranks(size)]
    assert [worker for share in shares for worker in share] == list(range(num_workers))
    lengths = {len(share) for share in shares}
    assert max(lengths) - min(lengths) <= 1


def test_a_pair_may_be_split_over_ranks():
    assert [list(rank.share(6)) for rank in ranks(4)] == [[0, 1], [2, 3], [4], [5]]
    assert [list(rank.share(4)) for rank in ranks(3)] == [[0, 1], [2], [3]]


def test_without_a_launcher_there_is_one_rank(alone):
    assert (alone.rank, alone.size, alone.local_size, alone.is_first) == (0, 1, 1, True)
    assert alone.share(5) == range(5)
    np.testing.assert_array_equal(alone.allgather(np.arange(3.0)), np.arange(3.0))
    assert alone.broadcast({"any": "thing"}) == {"any": "thing"}
    assert alone.gather("sentence") == ["sentence"]


def test_ranks_share_the_cores_of_their_host(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    assert [ranks(size)[0].threads() for size in (1, 2, 3, 8, 32)] == [8, 4, 2, 0, 0]
