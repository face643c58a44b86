"""Section III: VGG16 whose last layer is five linear units.

The paper names two networks. Both are VGG16 (reference [17]) with the layer of
1,000 ImageNet classes replaced by Q units without activation. The *proposed* one
starts from ImageNet and drops 60 % of the 4,096 features before that last layer
("uma camada de dropout com probabilidade de 0,6"). The *baseline* starts from
random weights and, by our reading, keeps VGG16's own dropout of 0.5.

Read literally, the text adds a dropout layer. But it computes that 40 % of the 4,096
features survive, which is only so if its dropout replaces VGG16's last one. We replace
it.

Both networks also come in small, for machines without a GPU: see `build_model`.
"""

import hashlib
import shlex
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import nn
from torchvision.models import VGG16_Weights
from torchvision.models.vgg import VGG, cfgs, make_layers

DROPOUT = {"baseline": 0.5, "proposed": 0.6}
"""Share of the 4,096 features that is dropped before the last layer."""

IMAGENET = VGG16_Weights.IMAGENET1K_V1
"""torchvision's VGG16; the SHA-256 of its file begins as the file's name ends."""


def build_model(
    name: str,
    num_aus: int = 5,
    weights: str | Path | None = None,
    width: float = 1.0,
) -> VGG:
    """VGG16 with `num_aus` linear outputs.

    Maps normalised RGB images, float (N, 3, S, S) with S >= 32, to float (N, num_aus).

    A width below 1 gives VGG16 in small, for images of half the size. All channels and
    the first hidden layer have `width` times VGG16's units; the last hidden layer keeps
    its 4,096. The last pooling is left out, so that 112 pixels give a last map of 7 x 7
    cells, as 224 pixels do in VGG16.

    Args:
        name: "baseline" or "proposed".
        num_aus: Q, the number of outputs.
        weights: None for torchvision's random start; "imagenet" for torchvision's
            ImageNet VGG16 without its last layer; or the path of a state dictionary
            that holds all layers but the last, which is ignored if it is there. The
            last layer always starts from N(0, .01) and bias 0.
        width: factor on the number of channels; 1 is VGG16.

    Raises:
        ValueError: an unknown name, a width that gives a fractional number of channels,
            or weights that are damaged or do not fit this network.
        RuntimeError: the ImageNet weights are not on disk and can't be downloaded.
        FileNotFoundError: there is no file at the path `weights`.
    """
    if name not in DROPOUT:
        raise ValueError(f"model {name!r} is unknown: choose one of {sorted(DROPOUT)}")
    channels = [c if c == "M" else c * width for c in cfgs["D"]]
    if width > 1 or any(c != "M" and (c < 1 or c != int(c)) for c in channels):
        raise ValueError(f"width {width}: choose 1, or 1/2, 1/4 … down to 1/64")
    if weights == "imagenet" and width != 1.0:
        raise ValueError(f"ImageNet weights are of width 1, this network's is {width}")
    state = None if weights is None else read_weights(weights)
    channels = [c if c == "M" else int(c) for c in channels]
    model = VGG(make_layers(channels if width == 1 else channels[:-1]))
    if width < 1:
        hidden = int(4096 * width)
        model.classifier[0] = nn.Linear(channels[-2] * 7 * 7, hidden)
        model.classifier[3] = nn.Linear(hidden, 4096)
    model.classifier[5] = nn.Dropout(DROPOUT[name])
    model.classifier[6] = nn.Linear(4096, num_aus)
    for layer in model.classifier[::3]:  # as torchvision does
        nn.init.normal_(layer.weight, 0, 0.01)
        nn.init.zeros_(layer.bias)
    if state is not None:
        _load(model, state, weights)
    return model


def features(model: VGG, images: torch.Tensor) -> torch.Tensor:
    """The 4,096 features that the last layer regresses on, after the last ReLU.

    Float (N, 3, S, S) → float (N, 4096). The paper's PCA (Section III) is of these.
    """
    maps = model.avgpool(model.features(images))
    return model.classifier[:5](torch.flatten(maps, 1))


def read_weights(weights: str | Path) -> dict[str, torch.Tensor]:
    """The state dictionary of "imagenet" or of a file; see `build_model`."""
    if weights == "imagenet":
        return _read_imagenet()
    if not Path(weights).is_file():
        raise FileNotFoundError(f"{weights}: no such file of weights")
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f"{weights}: damaged, or no file of weights") from error
    if not isinstance(state, dict) or not all(
        isinstance(value, torch.Tensor) for value in state.values()
    ):
        raise ValueError(f"{weights}: holds no state dictionary")
    return state


def imagenet_file() -> Path:
    """Where torchvision keeps its ImageNet VGG16, once it is downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(IMAGENET.url).name


def _read_imagenet() -> dict[str, torch.Tensor]:
    """torchvision verifies a file when it downloads it, but not what it finds."""
    path = imagenet_file()
    try:
        if path.exists():
            _verify(path)
        return IMAGENET.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # URLError and HTTPError are OSErrors
        raise RuntimeError(
            f"{path}: the ImageNet VGG16 could not be fetched or read ({error}); "
            f"download {IMAGENET.url} elsewhere and put it there, or let TORCH_HOME "
            "name a directory of yours"
        ) from error


def _verify(path: Path) -> None:
    """Raise a ValueError if the file's SHA-256 is not the one in its name."""
    beginning = path.stem.split("-")[-1]
    if path.is_file():
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest.startswith(beginning):
            return
    raise ValueError(
        f"{path}: damaged or incomplete, its SHA-256 does not begin with {beginning}; "
        f"remove it, and it is downloaded again: rm -r {shlex.quote(str(path))}"
    )


def _load(model: VGG, state: dict[str, torch.Tensor], source: str | Path) -> None:
    """Load all but the last layer, and refuse anything that does not fit."""

    def shapes(tensors: dict[str, torch.Tensor]) -> dict[str, tuple]:
        last = "classifier.6."
        return {k: (*v.shape,) for k, v in tensors.items() if not k.startswith(last)}

    found, wanted = shapes(state), shapes(model.state_dict())
    for key in {**wanted, **found}:
        here, there = wanted.get(key, "none"), found.get(key, "missing")
        if here != there:
            raise ValueError(
                f"{source}: {key} is {there}, this network has {here}; "
                f"the weights are of {_in_words(found)}, it is of {_in_words(wanted)}"
            )
    model.load_state_dict({key: state[key] for key in wanted}, strict=False)


def _in_words(shapes: dict[str, tuple]) -> str:
    """The width and the hidden layers of a VGG16 with parameters of these shapes."""
    first = shapes.get("features.0.weight", ())
    width = f"width {first[0] / 64:g}" if len(first) == 4 else "no known width"
    names = [f"classifier.{n}.weight" for n in (0, 3)]
    hidden = [" x ".join(map(str, shapes[name])) for name in names if name in shapes]
    return f"{width} with {' and '.join(hidden) or 'no'} hidden layers"
