"""What stands in for ImageNet: the recorded weights, and how they are made."""

import numpy as np
import pytest
import torch

from aulib.model import build_model
from companion.base.paths import ROOT
from companion.standin import pretrain
from companion.standin.labels import SUBJECTS
from companion.standin.muscles import DISTRACTORS
from companion.standin.tree import subject_identity

RECORDED = ROOT / "data" / "pretrained" / "standin_vgg16.pt"


def test_recorded_weights_are_convolutions_that_fit_the_profiles_network():
    state = torch.load(RECORDED, weights_only=True)
    assert RECORDED.stat().st_size < 1_200_000
    network = build_model("proposed", width=0.125)
    expected = {k: v.shape for k, v in network.features.state_dict().items()}
    found = {k.removeprefix("features."): v.shape for k, v in state.items()}
    assert found == expected
    loaded = build_model("proposed", weights=RECORDED, width=0.125)
    assert all(
        torch.equal(loaded.state_dict()[key], value) for key, value in state.items()
    )


def test_a_persons_pictures_and_motions():
    crops, motions = pretrain.person(3, seed=1, height=348, width=260, size=40)
    assert len(crops) == len(motions) > pretrain.PICTURES_EACH // 2
    assert motions.shape[1] == len(DISTRACTORS)
    assert all(min(crop.shape[:2]) == 40 and crop.dtype == np.uint8 for crop in crops)
    again, same = pretrain.person(3, seed=1, height=348, width=260, size=40)
    assert all(np.array_equal(a, b) for a, b in zip(crops, again))
    np.testing.assert_array_equal(motions, same)


def test_nobody_here_is_one_of_the_41():
    subjects = [subject_identity(2018, subject) for subject in SUBJECTS]
    for number in range(20):
        generator = np.random.default_rng([2018, pretrain.OTHER_PEOPLE, number])
        identity = pretrain.make_identity(generator, female=bool(number % 2))
        assert identity not in subjects


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
    monkeypatch.setattr(pretrain, "PEOPLE", 6)
    monkeypatch.setattr(pretrain, "EPOCHS", 3)
    torch.set_num_threads(1)
    paths = [tmp_path / "a.pt", tmp_path / "b.pt"]
    for path in paths:
        errors = pretrain.write_weights(path, 1, 348, 260, 40, 0.125)
        assert len(errors) == 3 and np.isfinite(errors).all()
    one, other = (torch.load(path, weights_only=True) for path in paths)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_for_a_gpu_a_thread_cuts_the_same_squares_into_pinned_memory(monkeypatch):
    class Gpu:
        type = "cuda"

    draw = np.random.default_rng(0)
    crops = [draw.integers(0, 255, (40, 32, 3), dtype=np.uint8) for _ in range(70)]
    motions = draw.normal(size=(70, 11)).astype(np.float32)

    def batches(device) -> list:
        generator = np.random.default_rng(7)
        return list(pretrain._batches(crops, motions, 32, generator, device))

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
