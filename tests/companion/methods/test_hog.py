"""HOG and linear regression, against scikit-image and a second search for C."""

import numpy as np
import pytest
import skimage.feature
import torch

from companion.bp4d import AU_NAMES
from companion.crops.store import CropStore
from companion.methods import hog


@pytest.mark.parametrize(
    "size, cell, inner",
    [
        (32, 4, np.s_[4:36, :]),  # the central square
        (30, 3, np.s_[8:32, 4:28]),  # its central 24 pixels, 8 cells of 3
    ],
)
def test_hog_features_are_those_of_scikit_image(people, size, cell, inner):
    store = CropStore(people.directory)
    store.crop_size = size
    rows = np.array([5, 0, len(store) - 1])
    found = hog.hog_features(store, rows)
    assert found.shape == (3, 1764) and found.dtype == np.float32
    for row, values in zip(rows, found):
        crop = store[row]
        assert crop.shape == (40, 32, 3)
        expected = skimage.feature.hog(
            crop[inner],
            orientations=9,
            pixels_per_cell=(cell, cell),
            cells_per_block=(2, 2),
            block_norm="L2-Hys",
            channel_axis=-1,
        )
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-7)


# -- one AU


def table_of_people(count: int = 7, frames: int = 6):
    """Features, levels and subjects; the first feature is the person's number."""
    generator = np.random.default_rng(1)
    subjects = np.repeat([f"F{number:03d}" for number in range(count)], frames)
    features = generator.normal(0, 1, (len(subjects), 12))
    levels = np.clip(np.round(2.5 + features[:, 1] + features[:, 2]), 0, 5)
    features[:, 0] = np.repeat(np.arange(count), frames)
    return features, levels.astype(int), subjects


def test_c_is_chosen_on_people_who_were_not_fitted(monkeypatch):
    fitted, scaled = [], []

    class Watched(hog.StandardScaler):
        def fit(self, X, *arguments, **named):
            fitted.append(set(X[:, 0]))
            return super().fit(X, *arguments, **named)

        def transform(self, X, *arguments, **named):
            scaled.append((fitted[-1], set(X[:, 0])))
            return super().transform(X, *arguments, **named)

    monkeypatch.setattr(hog, "StandardScaler", Watched)
    hog.fit(*table_of_people(), 3)
    assert len(fitted) == 5 * len(hog.CHOICES) + 1
    assert fitted[-1] == set(range(7))  # the last fit is of all people
    scored = [(known, people) for known, people in scaled if known != people]
    assert len(scored) == 5 * len(hog.CHOICES)
    for known, left_out in scored:
        assert not known & left_out and known | left_out == set(range(7))


def test_c_has_the_least_error_on_people_left_out():
    features, levels, subjects = table_of_people()
    search = hog.fit(features, levels, subjects, 3)
    errors = dict.fromkeys(hog.CHOICES, 0.0)
    for train_rows, test_rows in search.cv.split(features, levels, subjects):
        assert not {*subjects[train_rows]} & {*subjects[test_rows]}
        mean, scale = features[train_rows].mean(0), features[train_rows].std(0)
        scaled = (features - mean) / scale
        for c in errors:
            support = hog.LinearSVR(
                C=c, epsilon=0.1, loss="squared_epsilon_insensitive", dual=False
            )
            support.fit(scaled[train_rows], levels[train_rows])
            difference = support.predict(scaled[test_rows]) - levels[test_rows]
            errors[c] += np.abs(difference).mean() / 5
    assert len(set(errors.values())) == 4
    assert search.best_params_["linearsvr__C"] == min(errors, key=errors.get)
    assert -search.best_score_ == pytest.approx(min(errors.values()), rel=1e-4)


def test_the_parts_are_a_function_of_the_seed():
    table = table_of_people()
    parts = [
        [rows.tolist() for _, rows in hog.fit(*table, seed).cv.split(*table)]
        for seed in (3, 3, 4)
    ]
    assert parts[0] == parts[1] != parts[2]


def test_a_regressor_that_does_not_converge_is_refused(monkeypatch):
    def hasty(**named):
        return support(max_iter=1, tol=1e-12, **named)

    support = hog.LinearSVR
    monkeypatch.setattr(hog, "LinearSVR", hasty)
    with pytest.raises((ValueError, RuntimeError), match="onverge"):
        hog.fit(*table_of_people(), 3)


def test_fewer_people_than_parts():
    with pytest.raises(ValueError, match="^4 people: the cross-validation needs at l"):
        hog.fit(*table_of_people(4), 0)


# -- all AUs


@pytest.fixture(scope="module")
def fitted(people):
    """Estimates, regressors and log lines of `fit_all` with seed 3."""
    lines = []
    return *hog.fit_all(people, 3, lines.append), lines


def test_the_regressors_give_the_estimates(fitted, people):
    estimates, regressors, _ = fitted
    assert estimates.shape == (len(people), 5) and estimates.dtype == np.float32
    assert list(regressors) == [
        f"{name}.{part}" for name in AU_NAMES for part in ("weight", "bias")
    ]
    features = hog.hog_features(people, np.arange(len(people)))
    for column, name in enumerate(AU_NAMES):
        weight, bias = regressors[f"{name}.weight"], regressors[f"{name}.bias"]
        expected = features @ weight.numpy() + bias.numpy()
        np.testing.assert_allclose(estimates[:, column], expected, atol=1e-4)


def test_each_au_is_fitted_to_its_own_levels_with_the_seed(people, monkeypatch):
    """By the training frames alone; the log has a line for each AU."""

    def note(features, levels, subjects, seed):
        calls.append((features, levels, subjects, seed))
        return fit(features, levels, subjects, seed)

    calls, lines, fit = [], [], hog.fit
    monkeypatch.setattr(hog, "fit", note)
    hog.fit_all(people, 3, lines.append)
    training = people.index[people.index["split"] == "train"]
    expected = hog.hog_features(people, training.index.to_numpy())
    for name, (features, levels, subjects, seed) in zip(AU_NAMES, calls, strict=True):
        np.testing.assert_array_equal(features, expected)
        np.testing.assert_array_equal(levels, training[name])
        np.testing.assert_array_equal(subjects, training["subject"])
        assert seed == 3
    for name, line in zip(AU_NAMES, lines, strict=True):
        assert line.startswith(f"{name}: C ")


def test_the_levels_of_the_evaluation_frames_do_not_affect_the_fit(fitted, people):
    other = CropStore(people.directory)
    evaluation = other.index["split"] == "evaluation"
    other.index.loc[evaluation, "AU12"] = 5 - other.index.loc[evaluation, "AU12"]
    _, regressors, _ = fitted
    _, again = hog.fit_all(other, 3, [].append)
    assert all(torch.equal(again[name], regressors[name]) for name in regressors)
