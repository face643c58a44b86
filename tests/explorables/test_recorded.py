"""What is committed of the explorable pages, against what is recorded of the run."""

import base64
import json

import numpy as np
import pandas as pd
import pytest
from javascript import SCRIPTS, evaluate
from origins import said

from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES
from companion.training.outputs import OUTPUT_NAMES
from companion.workflow.record import FIGURE_SUFFIXES

PAGES = ROOT / "site" / "explorables"
RUN = ROOT / "data" / "recorded" / "standin" / "training" / "proposed_42"


@pytest.fixture(scope="module")
def face() -> dict:
    return evaluate(["data_face.js"], "EXPLORABLES.face")


@pytest.fixture(scope="module")
def losses() -> dict:
    (row,) = pd.read_csv(PAGES / "compression.csv").to_dict("records")
    return row


def test_the_network_is_that_of_the_recorded_run(face):
    provenance = json.loads((RUN / "provenance.json").read_text())
    about = face["about"]
    assert provenance["sha256"]["best.pt"].startswith(about["weights"])
    assert provenance["parameters"]["data"].startswith(about["crops"])
    assert (about["model"], about["seed"]) == ("proposed", 42)


def test_the_faces_have_the_recorded_labels_and_outputs(face):
    """Those of the whole network, which the training wrote at its best epoch."""
    frames = pd.read_parquet(RUN / "outputs.parquet")
    frames = frames[frames["epoch"] == face["about"]["epoch"]]
    frames = frames.set_index(["subject", "task", "frame"])
    for each in face["faces"]:
        row = frames.loc[(each["subject"], each["task"], each["frame"])]
        assert each["labels"] == list(row[list(AU_NAMES)])
        expected = row[list(OUTPUT_NAMES)].astype(float)
        np.testing.assert_allclose(each["full"], expected, atol=1e-3)


def test_the_loss_of_accuracy_starts_from_the_recorded_score(losses):
    metrics = pd.read_csv(RUN / "metrics.csv").set_index("epoch")["mean"]
    assert losses["epoch"] == metrics.idxmax()
    assert losses["evaluation_icc"] == pytest.approx(metrics.max(), abs=5e-5)
    outputs = pd.read_parquet(RUN / "outputs.parquet").query("epoch == 1")
    assert losses["evaluation_frames"] == len(outputs)
    assert losses["people"] == outputs["subject"].nunique()


def test_the_table_says_what_the_page_loads(face, losses):
    about = face["about"]
    for name in ("model", "seed", "epoch", "rank", "bound", "people"):
        assert losses[name] == about[name]
    for name in ("training", "evaluation"):
        assert losses[f"{name}_frames"] == about[f"{name}Frames"]
        pair = [losses[f"{name}_icc"], losses[f"small_{name}_icc"]]
        assert pair == about[f"{name}Icc"]
    assert losses["same_levels"] == about["sameLevels"]
    assert losses["faces"] == len(face["faces"])
    assert losses["script_bytes"] == (SCRIPTS / "data_face.js").stat().st_size
    layers = [layer for layer in face["layers"] if layer["kind"] != "pool"]
    arrays = [layer[name] for layer in layers for name in ("values", "scales", "bias")]
    assert losses["small_bytes"] == sum(len(base64.b64decode(text)) for text in arrays)
    linear = [layer["rows"] for layer in layers if layer["kind"] == "linear"]
    assert linear[0] == linear[2] == losses["rank"]
    numbers = sum(len(base64.b64decode(layer["values"])) for layer in layers)
    assert losses["small_numbers"] == numbers + 2 * sum(each["rows"] for each in layers)
    provenance = json.loads((RUN / "provenance.json").read_text())
    assert losses["numbers"] == provenance["network_parameters"]
    assert losses["bytes"] == 4 * losses["numbers"]


def test_what_the_pages_show_says_its_origin():
    files = [p for p in sorted(PAGES.iterdir()) if p.suffix in FIGURE_SUFFIXES]
    origins = {p.name: said(p) for p in files if not p.name.endswith(".origin.json")}
    assert len(origins) == 10
    for name, origin in origins.items():
        trained = not name.startswith("margin")
        assert origin["profile"] == "standin", name
        assert origin["source"] == ("recorded" if trained else "data"), name
        assert bool(origin["commits"]) == (origin["models"] == ["proposed"]) == trained


def test_the_documentation_says_the_recorded_numbers(losses):
    text = " ".join((ROOT / "data" / "README.md").read_text().split())
    icc, small = (
        f"{losses[name]:.4f}".lstrip("0")
        for name in ("evaluation_icc", "small_evaluation_icc")
    )
    size = losses["script_bytes"] / 1e6
    assert f"both hidden layers at rank {losses['rank']}" in text
    assert f"{size:.2f} MB" in text
    assert f"from {icc} to {small}" in text
    assert f"{100 * losses['same_levels']:.1f} % of the levels" in text
