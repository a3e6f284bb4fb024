"""Machine code of our own: right, compiled once, and no obstacle where it cannot be."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from epg_tf.agent.driver import LifetimeDriver
from epg_tf.inner_loop import lifetime
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.native import arithmetic, compiler, trial
from epg_tf.seeds import held_out_seed
from epg_tf.tasks.reacher import RandomReacher

SHAPES = [(1, 1, 1), (4, 9, 16), (5, 3, 17), (32, 64, 64), (33, 11, 65), (128, 2, 31)]


@pytest.mark.parametrize("shape", SHAPES)
def test_products_are_numpys(shape):
    rows, count, width = shape
    rng = np.random.default_rng(0)
    a = rng.normal(size=(rows, count)).astype(np.float32)
    b = rng.normal(size=(count, width)).astype(np.float32)
    c = rng.normal(size=(rows, width)).astype(np.float32)
    product, transposed, row = c.copy(), b.copy(), c[0].copy()
    arithmetic.add_products(a, b, product)
    arithmetic.add_transposed_product(a, c, transposed)
    arithmetic.add_product(a[0], b, row)
    np.testing.assert_allclose(product, c + a.astype(float) @ b, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(transposed, b + a.T.astype(float) @ c, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(row, c[0] + a[0].astype(float) @ b, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(arithmetic.transpose(b, np.empty(b.size, np.float32)), b.T)
    np.testing.assert_allclose(
        arithmetic.dot(b[0], c[0]), b[0].astype(float) @ c[0], rtol=1e-4, atol=1e-4
    )


def test_tanh_is_numpys_to_a_few_units_of_the_last_place():
    values = np.concatenate([np.linspace(-12, 12, 100_001), np.geomspace(1e-30, 1, 1001)])
    values = values.astype(np.float32)
    ours = values.copy()
    arithmetic.tanh_in_place(ours)
    exact = np.tanh(values.astype(np.float64))
    assert np.max(np.abs(ours - exact) / np.spacing(np.abs(exact).astype(np.float32))) < 6
    strange = np.array([np.nan, np.inf, -np.inf, 0.0], np.float32)
    arithmetic.tanh_in_place(strange)
    np.testing.assert_allclose(strange, [np.nan, 1.0, -1.0, 0.0], rtol=1e-6)


def test_of_processes_that_start_together_one_compiles(tmp_path):
    program = (
        "import numpy as np\n"
        "from epg_tf.native import arithmetic, compiler\n"
        "a = np.ones((4, 16), np.float32)\n"
        "compiler.prepare(arithmetic.add_products, (a, np.ones((16, 16), np.float32), a))\n"
        "stats = arithmetic.add_products.stats\n"
        "print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = sorted(process.communicate(timeout=120)[0].strip() for process in started)
    assert said == ["0 1", "1 0", "1 0", "1 0"]


def test_without_a_folder_for_it_code_is_compiled_anew():
    program = (
        "import numba\n"
        "caching, tried = numba.njit, []\n"
        "def njit(*arguments, cache=False, **options):\n"
        "    if cache:\n"
        "        tried.append(1)\n"
        "        raise RuntimeError('cannot cache: no locator available')\n"
        "    return caching(*arguments, **options)\n"
        "numba.njit = njit\n"
        "from epg_tf.native import trial\n"
        "trial.compute_vectors()\n"
        "trial.compute_products()\n"
        "assert tried and trial.runs_here()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_code_of_other_sources_is_forgotten(tmp_path):
    (tmp_path / "compiled_from.txt").write_text("something else")
    for name in ("collect.nbi", "collect.1.nbc"):
        (tmp_path / name).touch()
    compiler._forget_what_is_old(tmp_path)
    assert [path.suffix for path in tmp_path.glob("*.nb?")] == []
    (tmp_path / "collect.nbi").touch()
    compiler._forget_what_is_old.cache_clear()
    compiler._forget_what_is_old(tmp_path)
    assert (tmp_path / "collect.nbi").exists()


@pytest.fixture(name="tried_anew")
def make_trial_new(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "cache_folder", lambda function: tmp_path)
    _forget()
    yield tmp_path
    _forget()


def _forget():
    for remembered in (trial.begin, trial._runs_here, trial._descends_here):
        remembered.cache_clear()


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("import os; os.abort()", "signal 6 ended the process that tried"),
        ("raise ValueError('LLVM ERROR')", "the process said: ValueError: LLVM ERROR"),
    ],
)
def test_where_it_does_not_run_numpy_and_tensorflow_do_its_work(
    tried_anew, monkeypatch, caplog, capsys, program, sentence
):
    monkeypatch.setattr(trial, "_TRIAL", program)
    caplog.set_level("WARNING", logger="absl")
    assert not trial.runs_here()
    assert capsys.readouterr().err == "epg_tf: compiling for this machine, once; half a minute.\n"
    assert sentence in caplog.text and "NumPy and TensorFlow do its work" in caplog.text
    monkeypatch.setattr(trial, "_TRIAL", "raise AssertionError")
    _forget()
    assert not trial.runs_here()
    # A crash is remembered; whatever else went wrong is tried again.
    remembered = [path.read_text() for path in tried_anew.glob("trial-*.txt")]
    assert len(remembered) == sentence.startswith("signal")
    assert all(sentence in text for text in remembered)

    assert not trial.descends_here()
    seeds = [held_out_seed(0, 0)]
    driver = make_driver(RandomReacher(), seeds, lifetime.ActingPolicy, 4)
    assert type(driver) is LifetimeDriver


def test_where_steps_are_collected_but_gradients_not_descended_tensorflow_does(
    tried_anew, monkeypatch, caplog
):
    monkeypatch.setattr(trial, "_TRIAL", "import os; print('It.', flush=True); os.abort()")
    caplog.set_level("WARNING", logger="absl")
    assert trial.runs_here() and not caplog.text
    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(trial.descends_here) for _ in range(4)]
        assert not any(future.result() for future in found)
    assert "signal 6 ended the process that tried" in caplog.text
    loss = LearnedLoss(inputs=("observation", "policy"), context_size=0)
    weights = []
    for backend in ("tensorflow", "numba"):
        settings = InnerLoop(num_updates=1, learned_loss=loss, backend=backend)
        workers = Workers(settings, RandomReacher(), 1)
        phi = workers.draw_phi(0)[np.newaxis]
        weights.append(workers.live(phi, [held_out_seed(0, 0)], 0.0).agents.theta)
    np.testing.assert_array_equal(*weights)
    _forget()
    assert not trial.runs_here()  # it is written down
    assert [path.name[:6] for path in tried_anew.glob("*.txt")] == ["trial-"]


def test_what_was_found_is_remembered(tried_anew, monkeypatch):
    assert trial.runs_here() and trial.descends_here()
    monkeypatch.setattr(trial, "_TRIAL", "raise AssertionError")
    _forget()
    assert trial.runs_here() and trial.descends_here()


def test_after_the_trial_nothing_is_left_to_compile(tmp_path):
    """Its arguments have the types of the real ones: whoever comes next finds the code."""
    program = (
        "from epg_tf.native import trial\n"
        "assert trial.runs_here() and trial.descends_here()\n"
        "import numpy as np\n"
        "from epg_tf.inner_loop.lifetime import Workers\n"
        "from epg_tf.seeds import held_out_seed\n"
        "from epg_tf.inner_loop.settings import InnerLoop\n"
        "from epg_tf.native import collect, descend\n"
        "from epg_tf.tasks.hopper import RandomHopper\n"
        "settings = InnerLoop(num_updates=1, backend='numba')\n"
        "for number in (1, 2):\n"
        "    workers = Workers(settings, RandomHopper(), number)\n"
        "    phi = np.tile(workers.draw_phi(0), (number, 1))\n"
        "    workers.live(phi, [held_out_seed(0, task) for task in range(number)], 0.0)\n"
        "for call in (collect.collect, descend.descend):\n"
        "    assert call.stats.cache_hits and not call.stats.cache_misses, call\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=300)
