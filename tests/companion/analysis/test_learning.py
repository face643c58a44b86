import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import nn

from aulib.loss import scaled_smooth_l1
from companion.analysis import learning
from companion.analysis.learning import (
    best_constant_loss,
    compare_models,
    compare_weights,
    compare_with_engine,
    compare_with_record,
    judge_learning,
    learning_curves,
)
from companion.base.profiles import load_profile
from companion.bp4d import AU_NAMES
from companion.training.device import open_accelerator, seed_dropout
from companion.training.loop import Settings, draw, training_batches
from companion.training.run import build, new_state


def test_the_models_differ_in_four_things_and_the_starts_learning_rate():
    table = compare_models(load_profile("bp4d"))
    differing = table[table["baseline"] != table["proposed"]]
    assert differing.index.tolist() == [
        "start",
        "its learning rate",
        "factor in Eq. 3 and 4",
        "dropout",
        "sampler",
    ]
    assert differing["baseline"].tolist() == ["random", "0.01", "1.0", "0.5", "shuffle"]
    assert table.loc["epochs", "proposed"] == "100"
    start = compare_models(load_profile("standin")).loc["start", "proposed"]
    assert start == "standin_vgg16"


@pytest.mark.parametrize(
    "change, exact, expected",
    [
        (0, True, "are equal, to the last bit"),
        (2**-20, True, "are equal within 1e-06 (at most 1e-04"),
        (0.5, False, "differ by up to 5e-01. That is no test: on a GPU"),
    ],
)
def test_weights_in_words(change, exact, expected):
    ours = nn.Linear(3, 2)
    nn.init.zeros_(ours.bias)
    theirs = copy.deepcopy(ours)
    theirs.bias.data[1] -= change
    assert compare_weights(ours, theirs, exact).startswith(expected)


@pytest.mark.parametrize("change", [1.0, torch.nan])
def test_weights_that_differ_too_much_are_an_error(change):
    ours = nn.Linear(3, 2)
    theirs = copy.deepcopy(ours)
    theirs.weight.data[0, 0] += change
    with pytest.raises(ValueError, match="the weights differ by"):
        compare_weights(ours, theirs, exact=True)


def test_the_engine_takes_the_steps_of_a_loop(people):
    """Two steps of 8 frames; without them the weights differ."""
    settings = Settings(
        method="baseline",
        weights=None,
        width=1 / 64,
        scale=1.0,
        sampler="shuffle",
        seed=7,
        epochs=1,
        batch_size=8,
        accumulation=1,
        learning_rate=0.02,
        learning_rate_step=1,
        momentum=0.9,
        weight_decay=0.0005,
    )
    accelerator = open_accelerator()
    objective, optimizer = build(accelerator, settings, new_state({}), people)
    network, rows = objective.network.train(), draw(people, settings, 1)[:16]
    with pytest.raises(ValueError, match="the weights differ by"):
        compare_with_engine(network, settings, people, rows)
    seed_dropout(accelerator, settings.seed, epoch=1)
    batches = training_batches(accelerator, people, rows, settings, epoch=1)
    for images, levels, _ in batches:
        optimizer.zero_grad()
        scaled_smooth_l1(network(images), levels, settings.scale).backward()
        optimizer.step()
    said = compare_with_engine(network, settings, people, rows)
    assert said == "are equal, to the last bit"


def test_curves_are_of_the_metrics():
    columns = ["epoch", "train_loss", "evaluation_loss", *AU_NAMES, "mean"]
    values = np.arange(3 * len(columns)).reshape(3, -1)
    figure = learning_curves(pd.DataFrame(values, columns=columns), "proposed, seed 42")
    assert figure.get_suptitle() == "proposed, seed 42"
    losses, *panels = figure.axes
    assert [ax.get_title() for ax in panels] == list(AU_NAMES)
    mean, lines = panels[0].lines[0], [ax.lines[1] for ax in panels]
    assert all((ax.lines[0].get_ydata() == values[:, -1]).all() for ax in panels)
    for line, column in zip([*losses.lines, *lines, mean], values.T[1:], strict=True):
        assert line.get_ydata().tolist() == column.tolist()
    assert len({ax.get_ylim() for ax in panels}) == 1


def test_curves_can_be_drawn_before_the_first_epoch():
    figure = learning_curves(pd.DataFrame(), "nothing yet")
    assert not any(len(line.get_xdata()) for ax in figure.axes for line in ax.lines)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_best_constant_is_that_of_a_minimiser(scale):
    levels = np.random.default_rng(0).binomial(5, 0.3, (300, 5))
    levels[:, 4] = 2

    def loss(constant: float, column: np.ndarray) -> float:
        outputs = torch.full((len(column), 1), constant, dtype=torch.float64)
        return scaled_smooth_l1(
            outputs, torch.from_numpy(column)[:, None], scale
        ).item()

    bounds = 0, 5 * scale
    each = [
        minimize_scalar(loss, bounds, args=(column,), bounds=bounds).fun
        for column in levels.T
    ]
    found = best_constant_loss(levels, scale)
    assert found == pytest.approx(np.mean(each), abs=1e-4)


def test_learning_in_words():
    assert judge_learning(0.5, 1.9) == "the training loss ends below it"
    assert judge_learning(1.9, 1.9).startswith("stalled: it ends at 1.900, no better")


@pytest.mark.parametrize(
    "best, parameters, expected",
    [
        (0.55, {"seed": 1}, "by 0.050: within the 0.08 that we allow"),
        (0.35, {"seed": 1}, "by 0.150: more than the 0.08 that we allow"),
        (0.55, {"seed": 2}, "other parameters or data: not compared"),
        (0.55, None, "no run of this profile, model and seed is recorded"),
    ],
)
def test_a_run_is_compared_with_the_recorded_one(
    tmp_path, monkeypatch, best, parameters, expected
):
    monkeypatch.setattr(learning, "ROOT", tmp_path)
    record = tmp_path / "data" / "recorded" / "some" / "training" / "proposed_1"
    run = tmp_path / "proposed_1"
    for directory, mean, of in ((run, best, {"seed": 1}), (record, 0.5, parameters)):
        directory.mkdir(parents=True)
        if of:
            provenance = json.dumps({"parameters": of})
            (directory / "provenance.json").write_text(provenance)
        metrics = pd.DataFrame({"epoch": [1, 2], "mean": [mean, mean - 0.3]})
        metrics.to_csv(directory / "metrics.csv", index=False)
    assert compare_with_record("some", run).endswith(expected)
