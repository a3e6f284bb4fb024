"""From episodes to a learning curve."""

import csv

import numpy as np
import pytest

from epg_tf.agent.experience import Experience
from epg_tf.evaluation.results_folder import rows_of
from epg_tf.files import write_csv
from epg_tf.inner_loop.episodes import EpisodeReturns, learning_curves


def experience(reward, ended):
    """Steps of several workers of which only reward and end matter here."""
    nothing = np.zeros((*np.shape(reward), 1))
    reward, ended = np.asarray(reward, float), np.asarray(ended, bool)
    return Experience(nothing, nothing, reward, ended, ended, nothing)


def test_a_value_is_the_mean_of_the_last_three_episodes_so_far():
    episodes = EpisodeReturns(2)
    # Six updates of two steps. The first agent's episodes end with its steps 3, 4, 6, 7 and 12.
    reward = [[1, 1, 1, 5, 2, 2, 9, 1, 1, 1, 1, 1], [1] * 12]
    ended = np.isin(np.arange(1, 13), [3, 4, 6, 7, 12])
    for k in range(6):
        steps = slice(2 * k, 2 * k + 2)
        none = np.zeros(2)
        episodes.add(experience([row[steps] for row in reward], [ended[steps], none]))
    assert episodes.completed == [[3.0, 5.0, 4.0, 9.0, 5.0], []]
    curves = learning_curves(episodes, num_updates=6, steps_per_update=2)
    # Before any episode is over its first, then the mean of 3, 5; of 3, 5, 4; of 5, 4, 9 twice; ...
    np.testing.assert_allclose(curves[0], [3.0, 4.0, 4.0, 6.0, 6.0, 6.0])
    np.testing.assert_array_equal(curves[1], [12.0] * 6)  # the running episode's


@pytest.mark.filterwarnings("error")
def test_a_return_that_is_not_finite_stays_one_for_three_episodes():
    episodes = EpisodeReturns(1)
    rewards = [1.0, np.nan, 3.0, 4.0, 5.0, -np.inf]
    for reward in rewards:
        episodes.add(experience([[reward]], [[True]]))
    curves = learning_curves(episodes, num_updates=6, steps_per_update=1)
    np.testing.assert_array_equal(curves, [[1.0, np.nan, np.nan, np.nan, 4.0, -np.inf]])


def test_rows_hold_every_number_to_the_bit(tmp_path):
    curves = {"ppo": np.random.default_rng(0).normal(size=(3, 2, 4))}
    curves["ppo"][1, 1, 2] = np.nan
    rows = rows_of(curves, [70, 71, 72], range(2), range(1, 5))
    write_csv(tmp_path / "curves.csv", ("method", "task", "seed", "update", "return"), rows)
    with open(tmp_path / "curves.csv") as file:
        found = list(csv.DictReader(file))
    last = {"method": "ppo", "task": "72", "seed": "1", "update": "4", "return": ""}
    assert found[-1] | {"return": ""} == last
    read = np.array([float(row["return"]) for row in found]).reshape(3, 2, 4)
    np.testing.assert_array_equal(read, curves["ppo"])
