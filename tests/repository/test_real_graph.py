"""The whole graph on a tree that is no stand-in, as BP4D is none."""

import re
import shutil

import pandas as pd
import pytest
from checkout import copy_checkout, run, write_profile

from companion.base.paths import ROOT, run_directory
from companion.bp4d import AU_NAMES

pytestmark = pytest.mark.graph

PEOPLE = ("F001", "F003", "F008", "M002")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The whole graph with `standin: null`, as with BP4D, on four people.

    Seeds of no grid, no pre-training, weights from outside of the checkout; AU17 has no
    known code in the evaluation half, and no evaluation frame has all other codes.
    """
    checkout = copy_checkout(tmp_path_factory.mktemp("real") / "check out")
    made = run(ROOT, "companion.standin", "standin")
    assert made.returncode == 0, made.stderr[-2000:]
    tree = run_directory("standin") / "BP4D"
    for task in (t for p in PEOPLE for t in tree.glob(f"BP4D-training/{p}/*")):
        target = checkout / "my data" / task.relative_to(tree)
        target.mkdir(parents=True)
        for picture in sorted(task.iterdir())[:2]:
            shutil.copy(picture, target)
    for path in tree.glob("AU Intensity Codes3.0/*/*.csv"):
        if path.name.startswith(PEOPLE):
            target = checkout / "my data" / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            unknown = re.match("F008.*AU(17|06)|M002.*AU(17|10)", path.name)
            text = path.read_text()
            target.write_text(re.sub(r",\d", ",9", text) if unknown else text)
    weights = checkout.parent / "their weights.pt"
    shutil.copy(ROOT / "data" / "pretrained" / "standin_vgg16.pt", weights)
    models = {"proposed": {"weights": None}}
    models["baseline"] = {"weights": str(weights), "sampler": "iterative"}
    changes = {"title": "a tree", "data_root": "my data", "standin": None}
    changes |= {"seeds": [7], "epochs": 2, "models": models}
    write_profile(checkout, "real", changes)
    command = ["snakemake", "--cores", "2", "--nolock", "--config", "profile=real"]
    answer = run(checkout, *command)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    return checkout / "runs" / "real"


def test_every_notebook_ends_on_a_tree_that_is_no_stand_in(real):
    names = sorted(path.name for path in (real / "notebooks").glob("*.ipynb"))
    assert names == [
        "01_data_cleaning.ipynb",
        "02_pca_dropout.ipynb",
        "03_training_baseline_7.ipynb",
        "03_training_proposed_7.ipynb",
        "04_table_2.ipynb",
        "05_figures.ipynb",
        "07_icc.ipynb",
        "08_claims.ipynb",
    ]
    rows = pd.read_csv(real / "table_2" / "table_2_all.csv").set_index("model")
    ours = rows.loc[["baseline", "proposed"]].query("data != 'the paper, BP4D'")
    assert len(ours) == 2
    assert ours["AU17"].isna().all() and ours[["AU06", "mean"]].notna().all(axis=None)
    text = (real / "notebooks" / "04_table_2.ipynb").read_text()
    assert "AU17 has too few known evaluation frames for a score" in text
    assert "mean ICC" in (real / "training" / "proposed_7" / "log.txt").read_text()
    assert "of 4 AUs" in (real / "training" / "proposed_7" / "log.txt").read_text()


def test_other_boxes_are_used_and_a_change_of_them_or_of_the_tree_is_seen(real):
    checkout = real.parents[1]
    boxes = pd.read_csv(real / "clean" / "boxes.csv")
    boxes.loc[[3, len(boxes) - 3], ["x1", "y1"]] += 5000  # of the first and last person
    boxes.to_csv(checkout / "my boxes.csv", index=False)
    write_profile(checkout, "boxes", {"boxes": "my boxes.csv"}, of="real")
    graph = ["snakemake", "--cores", "2", "--nolock", "--config", "profile=boxes", "--"]
    target = "runs/boxes/clean/frames.parquet"
    answer = run(checkout, *graph, target)
    assert answer.returncode == 0, answer.stderr[-2000:]
    frames = pd.read_parquet(checkout / target)
    wrong = frames[frames["box_reason"] != ""]
    assert {*wrong["split"]} == {"train", "evaluation"}
    assert (wrong["kept"] == (wrong["split"] == "evaluation")).all()

    plan = ["snakemake", "-n", *graph[1:], target]
    assert "Nothing to be done" in run(checkout, *plan).stdout
    boxes.assign(score=2).to_csv(checkout / "my boxes.csv", index=False)
    assert re.search(r"^cleaning +1$", run(checkout, *plan).stdout, re.M)
    boxes.to_csv(checkout / "my boxes.csv", index=False)
    assert "Nothing to be done" in run(checkout, *plan).stdout
    picture = checkout / "my data" / frames["path"].iloc[0]
    picture.write_bytes(picture.read_bytes() + b" ")  # in place
    assert re.search(r"^cleaning +1$", run(checkout, *plan).stdout, re.M)

    command = ["companion.workflow.execute", "notebooks/01_data_cleaning.ipynb"]
    command += ["out.ipynb", "-p", "profile", "boxes"]
    answer = run(checkout, *command, "-p", "keep_doubtful_evaluation", "False")
    assert answer.returncode == 0, answer.stderr[-2000:]
    frames = pd.read_parquet(checkout / target)
    assert not frames.loc[frames["box_reason"] != "", "kept"].any()


def test_verdicts_are_of_the_data_where_they_are_no_stand_in(real):
    table = real / "table_2" / "claims.csv"
    claims = pd.read_csv(table, keep_default_na=False).set_index("claim")
    counted = claims.loc["training-images-41328"]
    assert counted["verdict"] == "does not hold"
    frames = pd.read_parquet(real / "clean" / "frames.parquet")
    train = frames.loc[frames["split"] == "train", list(AU_NAMES)]
    assert f"{(train != 9).all(axis=1).sum():,} frames here" in counted["because"]
    of_labels = claims.loc[["level-0-predominant", "labels-four-together"]]
    assert of_labels["because"].str.startswith("a tree: ").all()
    assert (claims["here"] == "").all()
    as_5 = claims.loc["au12-0-as-5"]
    assert as_5["verdict"] in {"holds", "does not hold"}
    assert claims.at["probability-in-0-1", "verdict"] == "holds"
    assert claims.at["components-2300", "verdict"] == "cannot be decided here"
