"""A folder of losses, or of runs of several bodies, as a gallery."""

import html
import json
import pathlib
import re
import shutil

import pytest
from absl import flags
from absl.testing import flagsaver
from refusals import sentence_of

from epg_tf import report
from epg_tf.evolved_loss.folder import shipped_losses

SHIPPED = pathlib.Path(__file__).parent.parent.parent / "losses"


def make_report(root, **values):
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(root_dir=str(root), **values):
        report.main(["report"])


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The gallery of the losses that ship, HTML."""
    out = tmp_path_factory.mktemp("gallery") / "gallery.html"
    make_report(SHIPPED, out=str(out))
    return out.read_text()


def test_every_loss_that_ships_is_in_it_with_curves_and_scores(page):
    names = list(shipped_losses())
    assert len(names) > 5 and f"{len(names)} losses" in page
    for name in names:
        section = re.search(rf'(?s)<section class="exhibit" id="{name}".*?</section>', page)
        assert section, name
        assert "data:image/png;base64," in section[0]
        scores = json.loads((SHIPPED / name / "loss.json").read_text())["scores"]
        for method in scores["methods"]:
            assert html.escape(scores["labels"][method]) in section[0]
        assert f"epg_tf.load_loss(&#39;{SHIPPED / name}&#39;)" in section[0]


def test_its_regions_and_headings_have_names_of_their_own(page):
    labels = re.findall(r'aria-label="([^"]*)"', page)
    assert len(set(labels)) == len(labels)
    identities = re.findall(r' id="([^"]*)"', page)
    assert len(set(identities)) == len(identities)
    for target in re.findall(r'(?:href="#|aria-labelledby=")([^"]*)"', page):
        assert target in identities
    assert all(re.findall(r'<img [^>]*alt="([^"]+)"', page))


def test_a_loss_that_sees_the_reward_is_evaluated_with_it(page):
    (command,) = re.findall(r"<code>(python -m .*dir_hopper_taught.*)</code>", page)
    assert command.endswith("--give_reward")


def test_a_folder_with_a_damaged_loss_is_refused(tmp_path, capfd):
    shutil.copytree(SHIPPED / "reacher", tmp_path / "losses" / "one")
    (tmp_path / "losses" / "one" / "loss.json").write_text("{}")
    sentence = sentence_of(capfd, lambda: make_report(tmp_path / "losses"))
    assert "must be as epg_tf wrote it; it is damaged" in sentence


def test_a_loss_without_an_evaluation_is_shown_without_scores(tmp_path):
    folder = tmp_path / "losses" / "one"
    shutil.copytree(SHIPPED / "reacher", folder, ignore=shutil.ignore_patterns("*.png", "*.mp4"))
    about = json.loads((folder / "loss.json").read_text()) | {"scores": None}
    (folder / "loss.json").write_text(json.dumps(about))
    make_report(tmp_path / "losses")
    page = (tmp_path / "losses" / "report.html").read_text()
    assert "1 loss<" in page and "Returns of one on held-out tasks" not in page
    assert "data:image" not in page
