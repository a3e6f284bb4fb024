"""The report of a run: what is on the page, how browsers take it, what is refused."""

import dataclasses
import html.parser
import io
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from epg_tf import command_line, config, report
from epg_tf.evaluation import plot_style
from epg_tf.evaluation.analysis import summary as analysis_summary
from epg_tf.evaluation.analysis.analysis import Analysis, Findings
from epg_tf.evaluation.analysis.sensitivity import Sensitivity
from epg_tf.evaluation.films.encode import Film
from epg_tf.evaluation.learning_curves import summary
from epg_tf.evaluation.learning_curves.comparison import Comparison
from epg_tf.evaluation.learning_curves.training import Runs
from epg_tf.evaluation.report import media
from epg_tf.evaluation.report.page import make_page
from epg_tf.evaluation.report.plot_meta_training import plot_meta_training
from epg_tf.evolved_loss import provenance
from epg_tf.evolved_loss.description import describe
from epg_tf.evolved_loss.load import load
from epg_tf.files import flatten, plain
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.outer_loop.checkpoint import Checkpoint, CheckpointFolder
from epg_tf.run.records import read_run
from epg_tf.statistics import Bootstrap
from epg_tf.text import interval

PROJECT = pathlib.Path(__file__).parent.parent
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
TINY = {
    "InnerLoop.num_updates": 4,
    "InnerLoop.steps_per_update": 32,
    "InnerLoop.buffer_size": 32,
    "InnerLoop.num_minibatches": 1,
    "InnerLoop.hidden_sizes": (4,),
    "meta_train.num_epochs": 9,
    "meta_train.num_workers": 2,
}
METRICS = [  # epoch, mean return, guidance
    (1, -50_000.0, 1.0),
    (2, -20.0, 0.5),
    (3, -700.0, 0.0),
    (4, -90.5, 0.0),
    (5, None, 0.0),
    (6, -120.25, 0.0),
]
PICTURES = {  # each of a width of its own, by which a browser can tell that it has loaded it
    "evaluation/curves.png": 211,
    "videos/bodies.png": 212,
    "videos/exploration.png": 213,
    "analysis/gradient_correlation.png": 214,
    "analysis/policy_change.png": 215,
    "analysis/sensitivity.png": 216,
}
VOID = {"meta", "img", "br", "hr", "link", "input"}


def write_json(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def make_run(folder):
    """What a run leaves behind, of a loss that nobody evolved."""
    folder.mkdir()
    settings = config.read(
        ["tests/data/paper_reacher.gin"], [f"{k} = {v}" for k, v in TINY.items()]
    )
    (folder / "operative_config.gin").write_text(config.complete_config())
    write_json(folder / "config.json", plain(flatten(settings, free=True)))
    phi = Workers(settings.inner_loop, settings.family, 1).draw_phi(7)
    state = dataclasses.replace(settings.strategy.init(phi), epoch=6)
    CheckpointFolder(folder / "checkpoints").save(
        Checkpoint(state, phi + 1.0, -90.5, 0.0, 1536, {}, best_epoch=3)
    )
    lines = [
        {
            "epoch": epoch,
            "env_steps": 256 * epoch,
            "seconds": 0.5,
            **dict.fromkeys(("return_mean", "return_median", "return_min", "return_max"), mean),
            "return_std": 3.0,
            "guidance": guidance,
            "phi_norm": 8.0,
            "gradient_norm": 1.0,
            "diverged_workers": int(mean is None),
            "env_steps_per_second": 512.0,
            "physics_seconds": 0.2,
            "update_seconds": 0.2,
        }
        for epoch, mean, guidance in METRICS
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + '{"epoch": 7, "env_')
    return folder


def add_parts(root):
    """What the other commands add, in their own words but with numbers that nobody measured."""
    rng = np.random.default_rng(0)
    loss = load(str(root))
    comparison = Comparison(loss, ("evolved", "ppo"), 3, 2, 4)
    levels = {"evolved": -80.0, "ppo": -95.0}
    runs = {
        method: Runs(level + rng.uniform(size=(3, 2, 4)), np.zeros((3, 2), bool))
        for method, level in levels.items()
    }
    scores = summary.summarise(comparison, runs, Bootstrap.draw(3, 2), ["evaluate"])
    write_json(root / "evaluation" / "summary.json", scores)
    write_json(root / "evaluation" / "evaluate.json", summary.fingerprint(comparison))

    analysis = Analysis(loss, 3)
    kinds = len(analysis.inputs)
    norms = {phase: Sensitivity(*rng.uniform(size=(2, 3, kinds, 32))) for phase in analysis.phases}
    of = dict(
        zip(("evolved", "random_loss", "ppo_halves"), rng.uniform(size=(3, 3, 4)), strict=True)
    )
    losses = ("evolved", "random_loss")
    found = Findings(
        of,
        {loss: of[loss] for loss in losses},
        dict.fromkeys(losses, norms),
        dict.fromkeys(losses, np.zeros(3, bool)),
    )
    findings = analysis_summary.summarise(analysis, found, [])
    write_json(root / "analysis" / "summary.json", findings)

    stages = {
        name: {"num_updates": k, "env_steps": 32 * k, "returns": [[-9.0 - k], [-11.0, -13.0]]}
        for name, k in (("before", 0), ("during", 2), ("after", 4))
    }
    film = {"reward": "no reward", "task_seeds": [1, 2], "stages": stages}
    write_json(root / "videos" / "summary.json", film)
    with Film(root / "videos" / "learning", 0.1) as writer:
        for shade in range(6):
            writer.append(np.full((64, 96, 3), 40 * shade, np.uint8))
        writer.finish()

    settings = loss.settings
    description = describe(settings.inner_loop, settings.family, loss.phi)
    known = {"provenance": provenance.provenance(loss), "scores": None}
    write_json(root / "loss" / "loss.json", description | known)
    for name, width in PICTURES.items():
        Image.new("RGB", (width, 20), (200, 30, 30)).save(root / name)
    held_out = {"epoch": 6, "first": [-9000.0, -8000.0], "last": [-80.0, -81.0]}
    write_json(root / "held_out.json", held_out)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with all parts, whose name has to be escaped and quoted."""
    root = make_run(tmp_path_factory.mktemp("report") / "a <img src=x> run & more")
    add_parts(root)
    return root


@pytest.fixture(scope="module")
def page(run):
    return Page.of(run)


@pytest.fixture
def bare_run(run, tmp_path):
    """The run before any other command has added to it."""
    root = tmp_path / "bare"
    names = shutil.ignore_patterns("evaluation", "analysis", "videos", "loss", "held_out.json")
    shutil.copytree(run, root, ignore=names)
    return root


class Page(html.parser.HTMLParser):
    """A page taken apart; tags that are not closed in order are an error."""

    def __init__(self, source):
        super().__init__()
        self.source = source
        self.tags, self.open, self.words, self.tables = [], [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    @classmethod
    def of(cls, root):
        return cls(make_page(root).html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data.replace("\N{NO-BREAK SPACE}", " ")

    @property
    def text(self):
        return " ".join(" ".join(self.words).split()).replace("\N{NO-BREAK SPACE}", " ")

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def rows(self, *head):
        """The rows of the table whose head starts with these words, by their first cell."""
        found = [table for table in self.tables if tuple(table[0][: len(head)]) == head]
        assert len(found) == 1, head
        return {row[0]: row[1:] for row in found[0][1:]}


# What is on it.


def test_it_has_every_part(page):
    assert [a["id"] for a in page.all("section")] == [
        *("evaluation", "videos", "loss", "evolution", "analysis", "trained", "config"),
        "provenance",
    ]
    sources = [a["src"] for a in page.all("img")]
    assert len(sources) == len(PICTURES) + 1  # and that of the evolution
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    (film,) = page.all("video")
    assert film["src"].startswith("data:video/mp4;base64,")
    assert "has not been made yet" not in page.text
    assert "Made with the loss of epoch 6, the latest." in page.text
    assert len(page.source.encode()) < 15e6


def test_it_says_what_was_trained(page):
    assert "6 of 9 epochs" in page.text
    assert "sees no reward" in page.text
    assert "RandomReacher.link_length (0.5, 1.5)" in page.text
    assert "updates, K 4" in page.text
    assert "guidance over epochs, α Linear(start=1.0, end=0.0, num_epochs=500)" in page.text
    assert page.rows("quantity", "unit")["length of each link"][0] == "nominal length, 0.1 m"
    inputs = page.rows("input", "shape")
    assert list(inputs) == [
        *("observation", "action", "termination", "memory", "policy_mean", "policy_log_std"),
    ]
    assert inputs["observation"][:3] == ["32 × 10", "yes", "no"]


def test_it_says_how_the_loss_evolved(page):
    rows = page.rows("", "epoch")
    assert {name: row[0] for name, row in rows.items()} == {"first": "1", "best": "4", "last": "6"}
    assert rows["first"][1:3] == ["256", "−50,000"]
    assert rows["best"][2] == "−90.50"
    assert "that was not finite: 1." in page.text
    assert page.rows("agents with", "median")["the loss of epoch 6"][0] == "−80.50"


def test_its_scores_are_those_of_the_evaluation(run, page):
    scores = json.loads((run / "evaluation" / "summary.json").read_text())
    rows = page.rows("method", "final return")
    assert list(rows) == ["evolved loss, no reward", "PPO"]
    for method, row in zip(("evolved", "ppo"), rows.values(), strict=True):
        numbers = [scores[method][f"final_{name}"] for name in ("iqm", "low", "high")]
        assert row[0].replace("\N{NO-BREAK SPACE}", " ") == interval(*numbers).replace("-", "−")
    assert rows["evolved loss, no reward"][2:] == ["1.00", "1"]
    assert page.rows("agents", "updates made")["after learning"] == [
        "4",
        "−13.00",
        "−12.00",
        "−12.50",
    ]
    assert list(page.rows("gradient of", "correlation"))[-1].startswith("PPO with itself")


def test_everything_is_escaped(run, page):
    assert "<img src=x>" not in page.source
    assert f"{run.name}: a loss evolved on RandomReacher" in page.text
    (run_again,) = re.findall(r"python -m epg_tf\.train.*", page.text)
    assert shlex.split(run_again)[4] == str(run / "operative_config.gin")


def test_the_same_folder_gives_the_same_page(run, page):
    assert make_page(run).html == page.source


def test_what_other_versions_made_is_shown(run, page):
    recorded = json.loads((run / "loss" / "loss.json").read_text())["provenance"]["versions"]
    versions = page.rows("package", "this page")
    assert versions["tensorflow"][-1] == recorded["tensorflow"]
    assert versions["python"][0] == recorded["python"]


# What is not there.


def test_what_is_missing_is_named_with_its_command(bare_run):
    page = Page.of(bare_run)
    lines = [words for words in page.words if words.startswith("python -m epg_tf.")]
    assert [shlex.split(line)[2:] for line in lines[:-1]] == [
        ["epg_tf.evaluate", "--loss", f"{bare_run}", "--root_dir", f"{bare_run}/evaluation"],
        ["epg_tf.render", "--loss", f"{bare_run}", "--root_dir", f"{bare_run}/videos"],
        ["epg_tf.export", "--loss", f"{bare_run}", "--root_dir", f"{bare_run}/loss"],
        ["epg_tf.analyze", "--loss", f"{bare_run}", "--root_dir", f"{bare_run}/analysis"],
    ]
    assert page.text.count("has not been made yet") == 4
    assert len(page.all("img")) == 1


def test_what_was_begun_goes_on_with_the_same_flags(bare_run):
    record = {"--loss": "other/run", "--methods": ["ppo", "evolved"], "--num_tasks": 3}
    record |= {"--give_reward": False, "crc32 of phi": 1, "InnerLoop.num_updates": 4}
    write_json(bare_run / "evaluation" / "evaluate.json", record)
    page = Page.of(bare_run)
    assert "was begun and is not complete" in page.text
    (line,) = [words for words in page.words if words.startswith("python -m epg_tf.evaluate")]
    assert line == (
        f"python -m epg_tf.evaluate --loss other/run --root_dir {bare_run}/evaluation "
        "--methods ppo,evolved --num_tasks 3"
    )


def test_a_loss_that_sees_the_reward_is_evaluated_with_it(bare_run):
    path = bare_run / "config.json"
    path.write_text(path.read_text().replace('"action", "termination"', '"action", "reward"'))
    page = Page.of(bare_run)
    assert "sees the reward" in page.text
    assert f"--root_dir {bare_run}/evaluation --give_reward" in page.text


@pytest.mark.parametrize("content", ['{"evolved": {', "[]", "{}", '{"provenance": {"labels": 3}}'])
def test_what_cannot_be_read_is_said(bare_run, content):
    (bare_run / "evaluation").mkdir()
    (bare_run / "evaluation" / "summary.json").write_text(content)
    assert "cannot be read" in Page.of(bare_run).text


def test_results_of_an_earlier_loss_are_told_from_the_latest(run, bare_run):
    shutil.copytree(run / "evaluation", bare_run / "evaluation")
    record = json.loads((run / "evaluation" / "evaluate.json").read_text())
    for crc32, words in (
        (list(read_run(bare_run).losses())[0], "Made with the best loss so far."),
        (5, "Made with a loss that the run has meanwhile gone on from"),
    ):
        write_json(bare_run / "evaluation" / "evaluate.json", record | {"crc32 of phi": crc32})
        assert words in Page.of(bare_run).text


def test_a_film_that_is_too_large_is_left_out_by_name(run, monkeypatch):
    monkeypatch.setattr(media, "_MOST_BYTES", 1500)
    page = Page.of(run)
    assert not page.all("video")
    assert "videos/learning.mp4 has 0.0 MB, which is too much for this page" in page.text


def test_a_picture_that_was_taken_away_is_named(run, bare_run):
    shutil.copytree(run / "analysis", bare_run / "analysis")
    (bare_run / "analysis" / "sensitivity.png").unlink()
    assert "analysis/sensitivity.png is not in the folder" in Page.of(bare_run).text


# The records that it is made of.


@pytest.mark.parametrize(
    "preset", ["hopper", "evolved/discrete_reacher", "dir_hopper", "paper/openai2018"]
)
def test_settings_as_names_and_values_say_what_gin_says(preset):
    settings = config.read([f"gin/{preset}.gin"], [])
    values = plain(flatten(settings, free=True))
    inner_loop = settings.inner_loop
    for field in dataclasses.fields(inner_loop):
        value = getattr(inner_loop, field.name)
        if not dataclasses.is_dataclass(value):
            assert values[f"InnerLoop.{field.name}"] == plain({"": value})[""]
    assert values["LearnedLoss.inputs"] == list(inner_loop.learned_loss.inputs)
    assert values["meta_train.family"] == type(settings.family).__name__
    assert values["meta_train.num_epochs"] == settings.num_epochs


@pytest.mark.parametrize(
    "means",
    [
        [np.nan],
        [-3.0],
        [np.nan] * 5,
        [0.0] * 4,
        [-60_000.0, -900.0, -70.0, -60.0, np.nan, np.nan],
        [-5.0, 0.0, 30.0, 200.0, 220.0],
    ],
)
def test_any_returns_can_be_drawn(means):
    means, epochs = np.array(means), np.arange(1.0, len(means) + 1.0)
    metrics = dict.fromkeys(("guidance", "phi_norm", "env_steps_per_second"), 0.5 * epochs)
    metrics |= {"epoch": epochs, "env_steps": 64.0 * epochs, "return_mean": means}
    metrics |= {"return_median": means, "return_min": means - 1.0, "return_max": means + 1.0}
    best = int(np.nanargmax(means)) if np.isfinite(means).any() else None
    figure = plot_meta_training("tasks", metrics, best)
    with Image.open(io.BytesIO(plot_style.png(figure))) as picture:
        assert min(picture.size) > 500


# How a browser, and who cannot see it, takes it.


def test_nothing_is_fetched_from_elsewhere(page):
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "srcset", "data", "poster", "action"):
                assert value.startswith("data:")
            if name == "href":
                assert value.startswith("#")
    assert not re.search(r"@import|url\(|fetch\(|https?://", page.source)
    policy = next(a for a in page.all("meta") if "http-equiv" in a)
    assert policy["content"].startswith("default-src 'none'; ")


def test_it_can_be_read_without_seeing_it(page):
    assert page.all("html") == [{"lang": "en"}]
    assert all(len(a["alt"]) > 20 for a in page.all("img"))
    (film,) = page.all("video")
    assert "controls" in film and "autoplay" not in film and len(film["aria-label"]) > 20
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below - above <= 1 for above, below in zip(levels, levels[1:], strict=False))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(a["scope"] in ("row", "col") for a in page.all("th"))
    names = [a["id"] for _, a in page.tags if "id" in a]
    assert len(names) == len(set(names))
    assert {a["href"][1:] for a in page.all("a")} <= set(names)
    assert {a["aria-labelledby"] for a in page.all("section")} <= set(names)


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_its_words_stand_out_from_the_page_in_light_and_dark(page):
    themes = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", s)) for s in page.source.split(":root {")[1:]
    ]
    assert len(themes) == 3  # light, dark, print
    for colours in themes:
        for words, ground in (
            *(
                (words, ground)
                for words in ("text", "soft", "accent")
                for ground in ("page", "raised")
            ),
            ("text", "warn-page"),
        ):
            light, dark = sorted((luminance(colours[c]) for c in (words, ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (words, ground, colours)


WATCH = """<script>
const refused = [];
addEventListener("securitypolicyviolation", (e) => refused.push(e.blockedURI));
addEventListener("load", async () => {
  const film = document.querySelector("video");
  const plays = film.canPlayType('video/mp4; codecs="avc1.42E01E"') !== "";
  for (let i = 0; plays && film.readyState < 2 && i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  document.documentElement.dataset.found = JSON.stringify({
    refused: refused,
    fetched: performance.getEntriesByType("resource").map((e) => e.name.slice(0, 5)),
    widths: [...document.images].map((image) => image.naturalWidth),
    wide: document.documentElement.scrollWidth - innerWidth,
    film: plays ? [film.videoWidth, film.videoHeight] : null,
    focusable: film.tabIndex,
  });
});
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1200, 500])
def test_a_browser_shows_all_of_it(page, tmp_path, width):
    path = tmp_path / "page.html"
    path.write_text(page.source.replace("<main", WATCH + "<main"), encoding="utf-8")
    assert BROWSER is not None
    result = subprocess.run(
        [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},3000",
            "--virtual-time-budget=20000",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (found,) = [a["data-found"] for a in Page(result.stdout).all("html")]
    found = json.loads(found)
    assert found["refused"] == []
    assert set(found["fetched"]) <= {"data:"}
    evolution = found["widths"].pop(3)  # drawn by the report itself
    assert evolution > 600
    assert found["widths"] == list(PICTURES.values())
    assert found["wide"] <= 0
    assert found["film"] in ([96, 64], None)
    assert found["focusable"] == 0


# The command line.


def call(**flag_values):
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(**flag_values):
        report.main(["report"])


def everything_in(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_from_a_shell_it_takes_seconds_and_no_tensorflow(bare_run):
    program = (
        "import sys\n"
        "import epg_tf.report as report\n"
        "from absl import app\n"
        "def main(argv):\n"
        "    report.main(argv)\n"
        "    assert 'tensorflow' not in sys.modules\n"
        "app.run(main)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, "--root_dir", str(bare_run)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == "epg_tf: Line 7 of metrics.jsonl is damaged, and left out.\n"
    assert result.stdout.startswith(f"Wrote {bare_run}/report.html (0.")
    assert f"evaluation: python -m epg_tf.evaluate --loss {bare_run}" in result.stdout
    assert (bare_run / "report.html").read_text(encoding="utf-8") == make_page(bare_run).html


def test_the_page_goes_where_out_says_and_a_new_one_replaces_it(run, tmp_path, capsys):
    before = everything_in(run)
    out = tmp_path / "page.html"
    out.write_text("old")
    call(root_dir=str(run), out=str(out))
    assert capsys.readouterr().out.startswith(f"Wrote {out}")
    assert Page(out.read_text(encoding="utf-8")).all("video")
    assert list(tmp_path.iterdir()) == [out]
    assert everything_in(run) == before


def no_run(root):
    shutil.rmtree(root / "checkpoints")
    (root / "metrics.jsonl").unlink()
    return {}, "must be the folder of a run of epg_tf.train, with `operative_config.gin` and"


def no_epoch(root):
    (root / "metrics.jsonl").write_text('{"epoch": 1, "env_')
    return {}, "must hold a run with at least one whole epoch"


def damaged_checkpoint(root):
    (path,) = (root / "checkpoints").iterdir()
    path.write_bytes(path.read_bytes()[:500])
    return {}, "must be a readable checkpoint file"


BAD = {
    "no such folder": lambda root: (
        {"root_dir": str(root / "none")},
        f"`--root_dir` (={root / 'none'}) must be an existing folder.",
    ),
    "a file": lambda root: ({"root_dir": str(root / "metrics.jsonl")}, "be an existing folder"),
    "no name": lambda root: ({"root_dir": ""}, "`--root_dir` (='') must name a folder."),
    "no run": no_run,
    "no epoch": no_epoch,
    "a damaged checkpoint": damaged_checkpoint,
    "out is no page": lambda root: (
        {"out": str(root / "metrics.jsonl")},
        f"`--out` (={root / 'metrics.jsonl'}) must end in .html.",
    ),
    "out is a folder": lambda root: (
        (root / "x.html").mkdir() or {"out": str(root / "x.html")},
        "must be a file",
    ),
    "out is in no folder": lambda root: (
        {"out": str(root / "none" / "x.html")},
        "must be in a folder that one can write to",
    ),
    "a config": lambda root: ({"gin_binding": ["a.b = 1"]}, "`--gin_binding` must not be given"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_nothing_is_written(bare_run, capfd, case):
    given, sentence = BAD[case](bare_run)
    before = everything_in(bare_run.parent)
    with pytest.raises(SystemExit) as exit_of:
        call(**({"root_dir": str(bare_run)} | given))
    assert exit_of.value.code == command_line.BAD_INPUT
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("epg_tf: ") and err.count("\n") == 1
    assert sentence in err
    assert everything_in(bare_run.parent) == before
