"""The two VGG16s against torchvision's, and the weights that they start from."""

import hashlib
import io
import os
import subprocess
from contextlib import closing
from email.message import Message
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import nn
from torchvision.models import VGG16_Weights, vgg16

from aulib.model import build_model, features

IMAGENET_FILE = Path(VGG16_Weights.IMAGENET1K_V1.url).name
NARROW = 1 / 8


@pytest.fixture(scope="module")
def shapes() -> dict[str, torch.Size]:
    """Names and shapes of torchvision's VGG16, without its 138 million numbers."""
    with torch.device("meta"):
        return {name: value.shape for name, value in vgg16().state_dict().items()}


def marked(shapes: dict[str, torch.Size]) -> dict[str, torch.Tensor]:
    """A state dictionary whose n-th entry is full of n; it takes no memory."""
    return {
        name: torch.tensor(float(n)).expand(shape)
        for n, (name, shape) in enumerate(shapes.items())
    }


@pytest.fixture(scope="module")
def narrow() -> dict[str, torch.Tensor]:
    """Random weights of VGG16 in small, an eighth of it, but its last layer."""
    generator = torch.Generator().manual_seed(2)
    return {
        key: torch.randn(value.shape, generator=generator)
        for key, value in shape_of("baseline", width=NARROW).state_dict().items()
        if not key.startswith("classifier.6.")
    }


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A narrow proposed network as it starts without weights; not to be changed."""
    torch.manual_seed(1)
    return build_model("proposed", width=NARROW)


def shape_of(*args, **kwargs) -> nn.Module:
    """The network without its numbers, in milliseconds instead of seconds."""
    with torch.device("meta"):
        return build_model(*args, **kwargs)


# -- the network


@pytest.mark.parametrize("name", ["baseline", "proposed"])
def test_is_vgg16_up_to_its_last_layer(name, shapes):
    model = shape_of(name)
    assert sum(p.numel() for p in model.parameters()) == 134_281_029
    own = {key: value.shape for key, value in model.state_dict().items()}
    assert own.pop("classifier.6.weight") == (5, 4096)
    assert own.pop("classifier.6.bias") == (5,)
    assert own == {k: v for k, v in shapes.items() if not k.startswith("classifier.6")}
    with torch.device("meta"):
        kinds = [type(module) for module in vgg16().modules()]
    assert [type(module) for module in model.modules()] == kinds  # no layer more


@pytest.mark.parametrize("name, last", [("baseline", 0.5), ("proposed", 0.6)])
def test_where_dropout_sits(name, last):
    classifier = shape_of(name, width=NARROW).classifier
    kinds = [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [type(layer) for layer in classifier] == kinds
    assert (classifier[2].p, classifier[5].p) == (0.5, last)


def test_same_outputs_as_torchvision(shapes):
    """With one set of weights at full width, at the least input, 32 pixels."""
    generator = torch.Generator().manual_seed(0)
    state = {
        # scaled as He et al. do, so that the signal neither dies nor explodes
        name: torch.randn(shape, generator=generator)
        * (2 / max(shape[1:].numel(), 1)) ** 0.5
        if len(shape) > 1
        else torch.randn(shape, generator=generator) * 0.1
        for name, shape in shapes.items()
    }
    with torch.device("meta"):
        ours, theirs = build_model("proposed"), vgg16()
    theirs.load_state_dict(state, assign=True)
    cut = {
        f"classifier.6.{part}": state[f"classifier.6.{part}"][:5]
        for part in ("weight", "bias")
    }
    ours.load_state_dict(state | cut, assign=True)
    images = torch.randn(2, 3, 32, 32, generator=generator)
    with torch.inference_mode():
        expected = theirs.eval()(images)
        outputs = ours.eval()(images)
        assert expected.abs().mean() > 0.1
        torch.testing.assert_close(outputs, expected[:, :5])
        represented = features(ours, images)
        assert represented.shape == (2, 4096)
        torch.testing.assert_close(ours.classifier[6](represented), outputs)


def test_output_is_linear(network):
    """Section III: nothing restricts the outputs to 0..5."""
    assert isinstance(list(network.modules())[-1], nn.Linear)
    represented = torch.randn(64, 4096, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        outputs = network.classifier[6](represented * 100)
    assert outputs.min() < 0 and outputs.max() > 5


def test_features_are_those_that_the_last_dropout_gets(network):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    network.train()
    network.classifier[2].eval()  # VGG16's first dropout belongs to the features
    with torch.inference_mode():
        first, again = features(network, images), features(network, images)
        assert torch.equal(first, again)
        assert first.min() == 0  # after the ReLU
        assert not torch.equal(network(images), network(images))
        network.eval()
        torch.testing.assert_close(network.classifier[6](first), network(images))


@pytest.mark.parametrize("width", [1 / 64, 1 / 8, 1 / 4])
def test_vgg16_in_small(width):
    """Section III at half the size: 112 pixels give 7 x 7 cells, as 224 do in VGG16."""
    model, whole = shape_of("baseline", width=width), shape_of("baseline")
    layers, full = list(model.features), list(whole.features)
    assert [type(layer) for layer in layers] == [type(layer) for layer in full[:-1]]
    for small, big in zip(layers, full):
        if isinstance(small, nn.Conv2d):
            assert small.out_channels == width * big.out_channels
    sizes = [layer.out_features for layer in model.classifier[::3]]
    assert sizes == [4096 * width, 4096, 5]
    maps = model.features(torch.zeros(1, 3, 112, 112, device="meta"))
    assert maps.shape == (1, 512 * width, 7, 7)
    assert maps.shape[1:].numel() == model.classifier[0].in_features
    images = torch.zeros(1, 3, 224, 224, device="meta")
    assert whole.features(images).shape == (1, 512, 7, 7)


@pytest.mark.parametrize("num_aus", [1, 7])
def test_number_of_aus(num_aus):
    model = shape_of("baseline", num_aus=num_aus, width=NARROW)
    images = torch.zeros(2, 3, 40, 48, device="meta")
    assert model(images).shape == (2, num_aus)


@pytest.mark.parametrize("width", [1.0, NARROW])
def test_random_start(width):
    """torchvision's own: He for convolutions, N(0, .01) for linear layers, bias 0."""
    torch.manual_seed(1)
    network = build_model("proposed", width=width)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            expected = (2 / (layer.out_channels * 9)) ** 0.5
        elif isinstance(layer, nn.Linear):
            expected = 0.01
        else:
            continue
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.15)
        assert not layer.bias.any()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "propsed"}, "'propsed' is unknown"),
        ({"name": "baseline", "width": 0.3}, "width 0.3"),
        ({"name": "baseline", "width": 0.0}, "width 0.0"),
        ({"name": "baseline", "width": -1.0}, "width -1.0"),
        ({"name": "baseline", "width": 1 / 128}, "1/2, 1/4 … down to 1/64"),
        ({"name": "baseline", "width": 2.0}, "width 2.0"),
        ({"name": "baseline", "width": 0.5, "weights": "imagenet"}, "width 1"),
    ],
)
def test_a_network_that_is_none(arguments, message):
    with pytest.raises(ValueError, match=message):
        shape_of(**arguments)


# -- ImageNet's weights


@pytest.fixture
def no_network(monkeypatch):
    """Whoever asks the network gets what an unplugged machine gets."""

    def unplugged(*args, **kwargs):
        raise URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", unplugged)
    monkeypatch.setattr("torch.hub.urlopen", unplugged)


@pytest.fixture
def checkpoints(monkeypatch, tmp_path) -> Path:
    """An empty directory of downloaded weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub._hub_dir", None)
    directory = tmp_path / "hub" / "checkpoints"
    directory.mkdir(parents=True)
    return directory


def test_imagenet_when_asked_for(shapes, checkpoints, no_network, monkeypatch):
    """All but the last layer, which starts from N(0, .01)."""
    torch.save(marked(shapes), checkpoints / "downloaded")
    digest = hashlib.sha256((checkpoints / "downloaded").read_bytes()).hexdigest()
    name, weights = f"vgg16-{digest[:8]}.pth", VGG16_Weights.IMAGENET1K_V1
    (checkpoints / "downloaded").rename(checkpoints / name)
    url = weights.url.replace(IMAGENET_FILE, name)
    monkeypatch.setattr(weights.value, "url", url)
    state = build_model("proposed", weights="imagenet").state_dict()
    for n, name in enumerate(shapes):
        if not name.startswith("classifier.6."):
            assert state[name].min() == state[name].max() == n, name
    last = state["classifier.6.weight"]
    assert last.shape == (5, 4096)
    assert last.std().item() == pytest.approx(0.01, rel=0.05)
    assert not state["classifier.6.bias"].any()


def test_imagenet_only_when_asked_for(monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("weights were fetched")

    monkeypatch.setattr(VGG16_Weights, "get_state_dict", never)
    for name in ("baseline", "proposed"):
        shape_of(name)


def test_a_missing_download_says_what_to_do(checkpoints, no_network):
    """Never a silent random start."""
    with pytest.raises(RuntimeError) as error:
        shape_of("proposed", weights="imagenet")
    message = str(error.value)
    assert str(checkpoints / IMAGENET_FILE) in message
    assert VGG16_Weights.IMAGENET1K_V1.url in message
    assert "Name or service not known" in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [None, b"", b"<html>404</html>", "cut", "other"])
def test_a_damaged_download_says_how_to_remove_it(
    content, shapes, checkpoints, no_network
):
    """`other` is a sound file of weights, but not the one of this name."""
    path = checkpoints / IMAGENET_FILE
    if content is None:
        path.mkdir()
        (path / "file").touch()
    else:
        torch.save(marked(shapes), path)
        whole = path.read_bytes()
        parts = {"cut": whole[: len(whole) // 2], "other": whole}
        path.write_bytes(parts.get(content, content))
    with pytest.raises(ValueError) as error:
        shape_of("proposed", weights="imagenet")
    message = str(error.value)
    assert message.startswith(f"{path}: damaged") and "\n" not in message
    assert "does not begin with 397923af" in message
    subprocess.run(message.partition("again: ")[2], shell=True, check=True)
    with pytest.raises(RuntimeError, match="could not be fetched"):  # it is asked for
        shape_of("proposed", weights="imagenet")


def test_a_download_with_a_wrong_hash_is_told(checkpoints, monkeypatch):
    def opened(*args, **kwargs):
        return closing(Download(b"<html>log in to the hotel's network</html>"))

    class Download(io.BytesIO):
        def info(self):
            return Message()

    monkeypatch.setattr("torch.hub.urlopen", opened)
    with pytest.raises(RuntimeError, match="could not be fetched .*invalid hash"):
        shape_of("proposed", weights="imagenet")
    assert not list(checkpoints.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_download_says_what_to_do(checkpoints, no_network):
    (checkpoints / IMAGENET_FILE).touch(mode=0)
    with pytest.raises(RuntimeError, match="Permission denied.*TORCH_HOME"):
        shape_of("proposed", weights="imagenet")


# -- weights from a file


@pytest.mark.parametrize("last", [{}, {"classifier.6.weight": torch.ones(1000, 4096)}])
def test_weights_from_a_file(narrow, last, tmp_path):
    """All layers but the last, whether the file has it or not."""
    torch.save(narrow | last, tmp_path / "start.pt")
    loaded = build_model("proposed", weights=tmp_path / "start.pt", width=NARROW)
    for key, value in loaded.state_dict().items():
        if key in narrow:
            assert torch.equal(value, narrow[key]), key
        else:  # N(0, .01) or a bias of 0
            assert value.abs().max() < 0.1, key


def test_weights_may_have_half_the_precision(narrow, tmp_path):
    half = {key: value.half() for key, value in narrow.items()}
    torch.save(half, tmp_path / "half.pt")
    loaded = build_model("proposed", weights=tmp_path / "half.pt", width=NARROW)
    for key, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        assert key not in half or torch.equal(value, half[key].float())


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pt: no such file"):
        shape_of("proposed", weights=tmp_path / "none.pt", width=NARROW)


@pytest.mark.parametrize(
    "state, message",
    [
        ({"conv1.weight": torch.ones(64, 3, 7, 7)}, "features.0.weight is missing"),
        ({"features.0.bias": torch.ones(8)}, "features.0.weight is missing"),
        ({}, "features.0.weight is missing"),
        ({"network": {"features.0.weight": torch.ones(1)}}, "no state dictionary"),
        ([1, 2], "no state dictionary"),
    ],
)
def test_a_foreign_file(state, message, tmp_path):
    path = str(tmp_path / "foreign.pt")  # a str will do too
    torch.save(state, path)
    with pytest.raises(ValueError, match=rf"foreign\.pt: .*{message}"):
        shape_of("proposed", weights=path, width=NARROW)


def test_an_unknown_parameter(narrow, tmp_path):
    torch.save(narrow | {"conv1.weight": torch.ones(1)}, tmp_path / "more.pt")
    with pytest.raises(ValueError, match=r"conv1.weight is \(1,\), .* has none"):
        shape_of("proposed", weights=tmp_path / "more.pt", width=NARROW)


SMALL = "it is of width 0.125 with 512 x 3136 and 4096 x 512 hidden layers"


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda state: shape_of("baseline", width=1 / 4).state_dict(),
            r"features.0.weight is \(16, 3, 3, 3\), this network has \(8, 3, 3, 3\); "
            "the weights are of width 0.25 with "
            "1024 x 6272 and 4096 x 1024 hidden layers",
        ),
        (  # the stand-in's of before 2026-11-26
            lambda state: {k: v for k, v in state.items() if k.startswith("features.")},
            r"classifier.0.weight is missing, this network has \(512, 3136\); "
            "the weights are of width 0.125 with no hidden layers",
        ),
        (
            lambda state: state | {"classifier.0.weight": torch.ones(512, 256)},
            r"classifier.0.weight is \(512, 256\), this network has \(512, 3136\); "
            "the weights are of width 0.125 with "
            "512 x 256 and 4096 x 512 hidden layers",
        ),
    ],
    ids=["width", "no hidden layers", "map"],
)
def test_weights_of_another_network(narrow, change, message, tmp_path):
    state = {k: torch.zeros(v.shape) for k, v in change(narrow).items()}
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=message) as error:
        shape_of("proposed", weights=tmp_path / "other.pt", width=NARROW)
    assert SMALL in str(error.value) and "\n" not in str(error.value)


def test_a_damaged_file(narrow, tmp_path):
    path = tmp_path / "damaged.pt"
    torch.save(narrow, path)
    whole = path.read_bytes()
    for content in (b"", b"<html>404</html>", whole[:99], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"damaged\.pt: damaged") as error:
            shape_of("proposed", weights=path, width=NARROW)
        assert "\n" not in str(error.value)
