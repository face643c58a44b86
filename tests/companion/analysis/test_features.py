"""Features of frames, and the line about ImageNet's weights, without a download."""

import numpy as np
import pandas as pd
import pytest
import torch
from origins import ORIGIN, said
from torch.nn.functional import interpolate

import companion.analysis.features as module
from aulib.model import build_model, features
from companion.analysis.features import (
    describe_imagenet,
    describe_person,
    extract_features,
    frame_table,
    spectrum_without,
    tuned_spectra,
)
from companion.analysis.spectrum import components_for, measure, spectrum
from companion.crops.batches import central_batches

WIDTH = 1 / 64


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_model("proposed", width=WIDTH)


def images_of(store, rows) -> torch.Tensor:
    (images,) = central_batches(store, rows, len(rows), torch.device("cpu"))
    return images


def test_features_of_the_central_crops_in_the_order_of_the_rows(store, network):
    rows = np.array([5, 3, 40])
    found = extract_features(network, store, rows, accumulation=128)  # two at a time
    with torch.inference_mode():
        expected = features(network.eval(), images_of(store, rows))
    assert found.shape == (3, 4096) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_crops_are_enlarged_for_a_network_that_wants_larger_ones(store, network):
    rows = np.array([5, 3])
    found = extract_features(network, store, rows, side=64)
    larger = interpolate(images_of(store, rows), (64, 64), mode="bilinear")
    with torch.inference_mode():
        expected = features(network.eval(), larger)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    own = extract_features(network, store, rows)
    assert not np.allclose(found, own)
    same = extract_features(network, store, rows, side=store.crop_size)
    np.testing.assert_array_equal(same, own)


def test_the_spectrum_without_a_person(store, network, tmp_path, monkeypatch):
    """Nothing, then one's own, then the recorded one, each for its person."""
    settings = {"accumulation": 4, "models": {"proposed": {"method": "proposed"}}}
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "run_directory", lambda profile: tmp_path / "run")
    monkeypatch.setattr(module, "training_directory", lambda *run: tmp_path)
    monkeypatch.setattr(module, "load_profile", lambda profile: settings)
    monkeypatch.setattr(module, "training_settings", lambda *_: {"width": WIDTH})
    monkeypatch.setattr(module, "runs_origin", lambda *run: ORIGIN | {"run": run})
    rows = np.arange(9)
    asked = "small", "proposed", 42, store, rows
    monkeypatch.setattr(module, "read_spectrum", lambda *run: None)
    assert spectrum_without(*asked, "F001") is None
    assert tuned_spectra(*asked, "F001") == {}
    torch.save(network.state_dict(), tmp_path / "best.pt")
    expected = spectrum(extract_features(network, store, rows))
    found = spectrum_without(*asked, "F001")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)
    origin = said(tmp_path / "run" / "pca" / "spectrum_without.csv")
    assert origin == ORIGIN | {"run": ["small", "runs", [["proposed", 42]]]}
    recorded = tmp_path / "data" / "recorded" / "small"
    recorded.mkdir(parents=True)
    table = pd.DataFrame({"variance without F001": [2.0, 1.0]})
    table.to_csv(recorded / "spectrum_without.csv", index=False)
    assert spectrum_without(*asked, "F001").tolist() == [2, 1]
    monkeypatch.setattr(module, "read_spectrum", lambda *run: np.ones(2))
    both = tuned_spectra(*asked, "F001")
    assert both["after"].tolist() == [1, 1]
    assert both["after, without F001"].tolist() == [2, 1]
    np.testing.assert_allclose(spectrum_without(*asked, "M002"), found)


def test_the_origin_of_the_spectra_is_the_datas_then_the_runs_too(monkeypatch):
    data = ORIGIN | {"source": "data", "models": [], "commits": [], "seeds": [7]}
    monkeypatch.setattr(module, "spectrum_source", lambda *run: None)
    assert module.tuned_origin("tiny", "proposed", 42, data) == data
    monkeypatch.setattr(module, "spectrum_source", lambda *run: "recorded")
    monkeypatch.setattr(module, "runs_origin", lambda *run: ORIGIN)
    both = module.tuned_origin("tiny", "proposed", 42, data)
    assert both["source"] == "data and runs" and both["seeds"] == [1, 2, 7]
    assert both["commits"] == ORIGIN["commits"] and both["data"] == data["data"]


def test_a_table_of_frames():
    squares = np.array([[10, 20, 30], [0, 0, 3]], np.uint8).reshape(2, 1, 1, 3)
    table = frame_table(squares, np.array([[3.0, 4, 0, 0], [0, 0, 0, 0]]))
    assert table.columns.tolist() == ["brightness", "length of h", "zeros, %"]
    assert table.to_numpy().tolist() == [[20, 5, 50], [1, 0, 100]]


def test_a_person_in_words():
    columns = ["brightness", "length of h", "zeros, %"]
    rows = {"a": [90, 80, 93.6], "a, dark": [63, 30, 40], "b": [50, 20, 41.7]}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    said = describe_person(table, "a", "a, dark", "b")
    assert said.startswith("Nobody has brighter crops than a.")
    assert describe_person(table, "b", "a, dark", "a").startswith("1 of 2 people have")
    assert "4.0 times as long (in Euclidean norm) as b's; of the same crops" in said
    assert said.endswith(
        "they are 1.5 times as long. Of a's features 94 % are 0, of b's 42 %: 6 % of "
        "the features are huge, and the rest are switched off."
    )
    table.at["a", "zeros, %"] = 50
    said = describe_person(table, "a", "a, dark", "b")
    assert said.endswith("Of a's features 50 % are 0, of b's 42 %.")


def test_without_imagenets_weights_the_line_says_how_to_get_them(
    store, tmp_path, monkeypatch
):
    def never(*args, **options):
        raise AssertionError("nothing is built, and nothing downloaded")

    monkeypatch.setattr(module, "imagenet_file", lambda: tmp_path / "vgg16.pth")
    monkeypatch.setattr(module, "build_model", never)
    line = describe_imagenet(store, np.arange(4), 0.95)
    assert line.startswith("ImageNet's weights are not on this machine.")
    assert 'build_model("proposed", weights="imagenet")' in line
    assert "\n" not in line and str(tmp_path) not in line


def test_with_imagenets_weights_the_line_is_their_spectrum(
    store, network, tmp_path, monkeypatch
):
    """A narrow network in the place of VGG16, and a file in that of its weights."""
    path, asked = tmp_path / "vgg16.pth", []
    torch.save(network.state_dict(), path)

    def build(name, weights):
        asked.append((name, weights))
        return build_model(name, weights=path, width=WIDTH)

    monkeypatch.setattr(module, "imagenet_file", lambda: path)
    monkeypatch.setattr(module, "build_model", build)
    rows = np.arange(6)
    line = describe_imagenet(store, rows, 0.95)
    assert asked == [("proposed", "imagenet")]
    variances = spectrum(extract_features(network, store, rows, side=224))
    expected = f"{components_for(variances, 0.95)} components hold 95% of the variance"
    assert expected in line and "6 frames" in line and "no more than 5 could" in line
    rank = measure(variances, 0.95)["effective rank"]
    assert line.endswith(f"effective rank {rank:.1f}")
    assert "\n" not in line and str(tmp_path) not in line
