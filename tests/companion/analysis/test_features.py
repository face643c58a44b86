"""Features of frames, and the line about ImageNet's weights, without a download."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

import companion.analysis.features as module
from aulib.model import build_model, features
from companion.analysis.features import describe_imagenet, extract_features
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
