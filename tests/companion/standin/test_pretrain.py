"""What stands in for ImageNet: the recorded weights, and how they are made."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from aulib.model import build_model, features
from companion.base.paths import ROOT
from companion.crops.store import mean_and_std, pixel_sums
from companion.standin import pretrain
from companion.standin.labels import SUBJECTS
from companion.standin.muscles import DISTRACTORS
from companion.standin.person import Identity
from companion.standin.tree import subject_identity

RECORDED = ROOT / "data" / "pretrained" / "standin_vgg16.pt"


def test_recorded_weights_are_all_layers_but_the_last_in_half_precision():
    state = torch.load(RECORDED, weights_only=True)
    assert RECORDED.stat().st_size < 10e6
    assert {value.dtype for value in state.values()} == {torch.float16}
    network = build_model("proposed", width=0.125).state_dict()
    last = {"classifier.6.weight", "classifier.6.bias"}
    assert state.keys() == network.keys() - last
    loaded = build_model("proposed", weights=RECORDED, width=0.125).state_dict()
    for key, value in state.items():
        assert torch.equal(loaded[key], value.float()) and value.isfinite().all()


def test_what_was_learned_is_recorded_for_each_target():
    table = pd.read_csv(RECORDED.with_suffix(".csv"))
    assert table["target"].tolist() == pretrain.target_names()
    assert table["r2"].between(-1, 1).all()
    assert (table["r2"] > 0.5).mean() > 0.3  # mostly shape and colour


def test_no_target_is_an_au():
    names = pretrain.target_names()
    assert len(names) == len(set(names)) > 50
    person = {field.name for field in fields(Identity)}
    assert set(pretrain.FACTS) < person
    assert not {"strength", "lean", "uneven", "texture"} & set(pretrain.FACTS)
    assert names[: len(DISTRACTORS)] == [*DISTRACTORS]
    assert not any(name.upper().startswith("AU") for name in names)


def test_a_persons_pictures_and_targets():
    size = dict(seed=1, height=348, width=260, size=40)
    crops, targets = pretrain.person(3, **size)
    assert len(crops) == len(targets) > pretrain.PICTURES_EACH // 2
    assert targets.shape[1] == len(pretrain.target_names())
    assert all(min(crop.shape[:2]) == 40 and crop.dtype == np.uint8 for crop in crops)
    again, same = pretrain.person(3, **size)
    assert all(np.array_equal(a, b) for a, b in zip(crops, again, strict=True))
    np.testing.assert_array_equal(targets, same)
    motions, facts = np.split(targets, [len(DISTRACTORS)], axis=1)
    assert (facts == facts[0]).all() and (motions != motions[0]).any()
    column = pretrain.target_names().index("male")
    assert targets[0, column] == 0 and pretrain.person(4, **size)[1][0, column] == 1


def test_nobody_here_is_one_of_the_41():
    subjects = [subject_identity(2018, subject) for subject in SUBJECTS]
    for number in range(pretrain.PEOPLE):
        generator = np.random.default_rng([2018, pretrain.OTHER_PEOPLE, number])
        identity = pretrain.make_identity(generator, female=bool(number % 2))
        assert identity not in subjects


@pytest.fixture
def pictures() -> pretrain.Pictures:
    draw = np.random.default_rng(0)
    crops = [draw.integers(0, 255, (40, 32, 3), dtype=np.uint8) for _ in range(70)]
    targets = draw.normal(size=(70, 11)).astype(np.float32)
    mean, std = mean_and_std(sum(map(pixel_sums, crops)))
    people = np.arange(70) // 6
    return pretrain.Pictures(crops, targets, people, 32, tuple(mean), tuple(std))


def test_batch_normalisation_becomes_a_part_of_the_layers(pictures):
    """After some steps, so that means, deviations, factors and shifts are all used."""
    torch.manual_seed(0)
    plain = build_model("baseline", num_aus=11, width=1 / 64)
    normalised = pretrain.with_batch_normalisation(plain)
    kinds = [type(layer) for layer in normalised.modules()]
    assert kinds.count(nn.BatchNorm2d) == 13 and kinds.count(nn.BatchNorm1d) == 2
    assert kinds.count(nn.ReLU) == 15
    optimizer = torch.optim.Adam(normalised.parameters(), lr=0.01)
    generator, cpu = np.random.default_rng(1), torch.device("cpu")
    arguments = pictures, pictures.targets, np.arange(64), generator, cpu
    for images, targets, _ in pretrain._batches(*arguments):
        optimizer.zero_grad()
        (normalised(images) - targets).square().mean().backward()
        optimizer.step()
    fused = pretrain.without_batch_normalisation(normalised.eval())
    assert fused.state_dict().keys() == plain.state_dict().keys()
    assert [type(layer) for layer in fused.modules()] == [
        type(layer) for layer in plain.modules()
    ]
    with torch.inference_mode():
        expected = normalised(images)
        torch.testing.assert_close(fused(images), expected, rtol=1e-4, atol=1e-5)
        assert expected.std(0).min() > 0

    pretrain.scale_features(fused, pictures, np.arange(70), cpu)
    with torch.inference_mode():
        torch.testing.assert_close(fused(images), expected, rtol=1e-4, atol=1e-5)
        squares = [
            features(fused, batch).square().mean().item()
            for batch in pretrain._central(pictures, np.arange(70), cpu)
        ]
    assert np.mean(squares) == pytest.approx(0.5, rel=1e-3)


def test_r2_is_that_of_the_central_squares(pictures, monkeypatch):
    """A network whose outputs are the mean colours of the square it is given."""
    monkeypatch.setattr(pretrain, "target_names", lambda: ["red", "green", "blue"])
    centre = np.stack([crop[4:36].mean((0, 1)) for crop in pictures.crops])
    wanted = (centre - pictures.mean) / pictures.std

    class Mean(nn.Module):
        def forward(self, images):
            return images.mean((2, 3)) * torch.tensor([1.0, 1.0, 0.0])

    arguments = Mean(), pictures, wanted, np.arange(20, 70), torch.device("cpu")
    table = pretrain._judge(*arguments).set_index("target")["r2"]
    assert table["red"] == pytest.approx(1, abs=1e-5) == table["green"]
    expected = 1 - (wanted[20:, 2] ** 2).mean() / wanted[20:, 2].var()
    assert table["blue"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "profile, target, complaint",
    [
        ("nosuch", "a.pt", "nosuch.yaml: no such file"),
        ("bp4d", "a.pt", "profile bp4d: its data are real, not a stand-in"),
        ("standin", "notes.txt", "notes.txt: is no .pt file of weights; name another"),
        ("standin", "mine.pt", "mine.pt: is no .pt file of weights; name another"),
        ("standin", "folder.pt", "folder.pt: is no .pt file of weights; name another"),
    ],
)
def test_errors_are_one_line_and_nothing_is_overwritten(
    tmp_path, monkeypatch, profile, target, complaint
):
    (tmp_path / "mine.pt").write_text("mine")
    (tmp_path / "folder.pt").mkdir()
    monkeypatch.setattr(pretrain, "write_weights", None)  # never comes to it
    monkeypatch.setattr("sys.argv", ["pretrain", profile, str(tmp_path / target)])
    with pytest.raises(SystemExit) as ended:
        pretrain.main()
    assert complaint in ended.value.code and "\n" not in ended.value.code
    assert (tmp_path / "mine.pt").read_text() == "mine"


@pytest.mark.stress
def test_weights_are_written_and_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "PEOPLE", 12)
    monkeypatch.setattr(pretrain, "EPOCHS", 3)
    torch.set_num_threads(1)
    paths = [tmp_path / "a.pt", tmp_path / "b.pt"]
    for path in paths:
        table = pretrain.write_weights(path, 1, 348, 260, 40, 0.125)
        assert np.isfinite(table["r2"]).all()
        np.testing.assert_allclose(
            pd.read_csv(path.with_suffix(".csv"))["r2"], table["r2"], atol=5e-4
        )
    one, other = (torch.load(path, weights_only=True) for path in paths)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_for_a_gpu_a_thread_cuts_the_same_squares_into_pinned_memory(
    pictures, monkeypatch
):
    class Gpu:
        type = "cuda"

    def batches(device) -> list:
        generator = np.random.default_rng(7)
        arguments = pictures, pictures.targets, np.arange(70), generator, device
        return list(pretrain._batches(*arguments))

    expected, pinned = batches(torch.device("cpu")), []

    def pin(tensor):
        pinned.append(len(tensor))
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, device, **options: tensor)
    found = batches(Gpu())
    assert pinned == [32, 32, 6]
    for (images, wanted, part), (others, targets, same) in zip(
        found, expected, strict=True
    ):
        assert torch.equal(images, others) and torch.equal(wanted, targets)
        assert part == same
