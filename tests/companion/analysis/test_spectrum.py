import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure

import companion.analysis.spectrum as module
from companion.analysis.spectrum import (
    components_by_frames,
    components_for,
    cumulative_shares,
    describe_recorded,
    describe_tuning,
    direction,
    draw_curves,
    draw_spectra,
    drawn_numbers,
    effective_rank,
    judge_components,
    measure,
    percent,
    read_spectrum,
    recorded_curves,
    spectrum,
    spectrum_source,
    spectrum_table,
    variance_by_group,
)


@given(
    st.tuples(st.integers(2, 20), st.integers(1, 9)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=st.floats(-1e3, 1e3))
    )
)
def test_the_spectrum_is_the_squared_singular_values(rows):
    """With fewer rows than columns and with more."""
    n, dimension = rows.shape
    singular = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    expected = np.pad(singular**2 / (n - 1), (0, max(dimension - n, 0)))
    found = spectrum(rows)
    assert found.shape == (dimension,) and (found >= 0).all()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("n", [2, 5, 8, 9, 50])
def test_the_spectrum_is_the_eigenvalues_of_numpys_covariance(n):
    rows = np.random.default_rng(n).normal(size=(n, 8))
    expected = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    np.testing.assert_allclose(spectrum(rows), expected, atol=1e-12)


@pytest.mark.parametrize("n", [3, 1000])
def test_a_large_offset_does_not_swallow_the_variance(n):
    rows = np.random.default_rng(0).normal(1e8, 1, (n, 5))
    expected = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    np.testing.assert_allclose(spectrum(rows), expected, rtol=1e-6, atol=1e-9)


def test_float32_features_are_centred_in_float64():
    rows = np.random.default_rng(0).normal(1e4, 1, (40, 5)).astype(np.float32)
    expected = spectrum(rows.astype(np.float64))
    np.testing.assert_array_equal(spectrum(rows), expected)


def test_a_variance_needs_two_rows():
    with pytest.raises(ValueError, match="at least two rows, not 1"):
        spectrum(np.ones((1, 3)))


@pytest.mark.parametrize("n", [2, 3, 50, 100])
def test_few_frames_have_few_components(n):
    """Fewer than the share asks for of the columns, and none to spare."""
    rows = np.random.default_rng(0).normal(size=(n, 4096)).astype(np.float32)
    variances = spectrum(rows)
    assert variances.shape == (4096,) and not variances[n:].any()
    assert 1 <= components_for(variances, 0.95) <= n - 1
    assert components_for(variances, 1.0) <= n
    assert 1 <= effective_rank(variances) <= n - 1 + 1e-9


def test_equal_frames_have_no_components():
    variances = spectrum(np.ones((5, 3)))
    assert components_for(variances, 0.95) == 0
    assert effective_rank(variances) == 0


@pytest.mark.parametrize(
    "share, components", [(0.5, 1), (0.51, 2), (0.8, 2), (0.95, 3), (1.0, 4)]
)
def test_components_for_a_share(share, components):
    assert components_for(np.array([5, 3, 1.5, 0.5]), share) == components


def test_effective_rank_of_equal_variances_is_their_number():
    assert effective_rank(np.ones(7)) == pytest.approx(7)
    assert effective_rank(np.array([1.0, 0, 0])) == pytest.approx(1)


def test_a_verdict_on_the_papers_count_needs_its_network_and_many_frames():
    assert "2300 frames could not have shown it" in judge_components(60, 2300, 1.0)
    few, narrow = "9,999 frames are too few", "the network has 1/8 of the paper's"
    assert few in (said := judge_components(60, 9_999, 1.0)) and narrow not in said
    assert narrow in (said := judge_components(60, 41_328, 0.125)) and few not in said
    said = judge_components(60, 9_999, 0.125)
    assert few in said and f", and {narrow} channels" in said
    found = "2250 components here, about 2,300 in the paper"
    assert judge_components(2250, 41_328, 1.0) == found


def test_a_spectrum_in_three_numbers():
    assert measure(np.array([4.0, 4.0, 2.0]), 0.8) == {
        "components": 2,
        "first": 0.4,
        "effective rank": pytest.approx(2.871, abs=1e-3),
    }
    nothing = measure(np.zeros(3), 0.95)
    assert nothing == {"components": 0, "first": 0.0, "effective rank": 0.0}


def test_a_table_of_spectra():
    table = spectrum_table({"flat": np.ones(4), "steep": np.array([9.0, 1])}, 0.8)
    assert table.index.tolist() == ["flat", "steep"]
    assert table["components"].tolist() == [4, 1]
    assert table["first"].tolist() == [0.25, 0.9]
    assert table["effective rank"].tolist() == pytest.approx([4, 1.384], abs=1e-3)


def numbers(components: float, first: float, rank: float) -> pd.Series:
    return pd.Series({"components": components, "first": first, "effective rank": rank})


@pytest.mark.parametrize(
    "after, words",
    [
        (numbers(180, 0.3, 33), "spreads the variance"),
        (numbers(97, 0.3, 21.1), "spreads the variance"),
        (numbers(180, 0.3, 20.9), "hardly changes the spectrum"),
        (numbers(50, 0.7, 19.1), "hardly changes the spectrum"),
        (numbers(102, 0.7, 18.9), "concentrates the variance"),
    ],
)
def test_the_effective_rank_gives_the_direction_of_a_change(after, words):
    assert direction(numbers(100, 0.5, 20), after) == words


def test_the_direction_of_two_spectra():
    spectra = {"flat": np.ones(8), "steep": np.array([8.0, 1, 1]), "0": np.zeros(8)}
    table = spectrum_table(spectra, 0.95)
    flat, steep, empty = (table.loc[name] for name in spectra)
    assert direction(flat, steep) == "concentrates the variance"
    assert direction(steep, flat) == "spreads the variance"
    for same in (flat, empty):
        assert direction(same, same) == "hardly changes the spectrum"


def test_components_by_frames_of_noise_follow_the_bound():
    noise = np.random.default_rng(0).normal(size=(230, 512)).astype(np.float32)
    table = components_by_frames(noise, 0.95)
    assert table["frames"].tolist() == [50, 100, 200, 230]
    assert table["components"].is_monotonic_increasing
    assert (table["components"] < table["frames"]).all()
    assert table["components"].iloc[-1] == components_for(spectrum(noise), 0.95)


@pytest.mark.parametrize("count", [2, 50])
def test_components_by_frames_of_few_frames_are_one_row(count):
    table = components_by_frames(np.eye(count), 0.95)
    assert table["frames"].tolist() == [count]


def test_variance_by_group():
    """By hand: squared distances from the mean, (0, 0), are 1, 1, 9 and 9."""
    rows = np.array([[1.0, 0], [-1, 0], [0, 3], [0, -3]])
    shares = variance_by_group(rows, np.array(["a", "a", "b", "c"]))
    assert shares.to_dict() == {"b": 0.45, "c": 0.45, "a": 0.1}
    assert variance_by_group(np.ones((2, 3)), np.array(["a", "b"])).tolist() == [0, 0]


def test_variance_by_group_adds_up_to_the_spectrum():
    rows = np.random.default_rng(0).normal(size=(60, 7))
    rows[:30] *= 5
    groups = np.repeat(["a", "b"], 30)
    shares = variance_by_group(rows, groups)
    squares = ((rows - rows.mean(axis=0)) ** 2).sum(axis=1)
    expected = squares[:30].sum() / (spectrum(rows).sum() * (len(rows) - 1))
    assert shares["a"] == pytest.approx(expected)


def test_the_recorded_spectrum_comes_first_then_your_own(tmp_path, monkeypatch):
    def write(folder, variance: float) -> None:
        folder.mkdir(parents=True)
        table = pd.DataFrame({"component": [1, 2], "variance": [variance, 0.5]})
        table.to_csv(folder / "spectrum.csv", index=False)

    monkeypatch.setattr(module, "ROOT", tmp_path)
    own = tmp_path / "runs" / "small" / "training" / "proposed_42"
    monkeypatch.setattr(module, "training_directory", lambda *run: own)
    assert read_spectrum("small", "proposed", 42) is None
    assert spectrum_source("small", "proposed", 42) is None
    write(own, 2.0)
    assert read_spectrum("small", "proposed", 42).tolist() == [2.0, 0.5]
    assert spectrum_source("small", "proposed", 42) == "runs"
    write(tmp_path / "data/recorded/small/training/proposed_42", 3.0)
    assert read_spectrum("small", "proposed", 42).tolist() == [3.0, 0.5]
    assert spectrum_source("small", "proposed", 42) == "recorded"


def test_the_curves_of_other_profiles(tmp_path, monkeypatch):
    """At the top of a profile's folder or among its tables."""
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert recorded_curves("ours") == {}
    recorded = tmp_path / "data" / "recorded"
    for place in ("ours", "small/tables", "another"):
        (recorded / place).mkdir(parents=True)
        CURVES["one"].to_csv(recorded / place / "components_by_frames.csv", index=False)
    curves = recorded_curves("ours")
    assert list(curves) == ["before, another", "before, small"]
    pd.testing.assert_frame_equal(curves["before, small"], CURVES["one"])


def test_percent():
    assert [percent(part) for part in (0.95, 0.004, 1)] == ["95 %", "0 %", "100 %"]


def test_fine_tuning_in_words():
    few, many = np.array([8.0, 1, 1]), np.ones(3)
    spectra = {"before": few, "before, without F001": many}
    assert describe_tuning(spectrum_table(spectra, 0.9), "F001") == ""
    spectra |= {"after": many, "after, without F001": few}
    assert describe_tuning(spectrum_table(spectra, 0.9), "F001") == (
        "With all people, fine-tuning spreads the variance (effective rank 1.9 → 3.0, "
        "first component 80 % → 33 %). Without F001, fine-tuning concentrates the "
        "variance (effective rank 3.0 → 1.9, first component 33 % → 80 %)."
    )


SPECTRA = {
    "steep": np.pad([8.0, 1, 1], (0, 4093)),
    "flat": np.ones(4096),
}
CURVES = {
    "one": pd.DataFrame({"frames": [50, 90], "components": [30, 40]}),
    "another": pd.DataFrame({"frames": [50, 100, 800], "components": [40, 60, 90]}),
}


def test_cumulative_shares_begin_with_the_first_component_and_end_with_all():
    line = cumulative_shares(SPECTRA["steep"])
    assert line.index[0] == 1 and line.index[-1] == 4096
    assert line.loc[[1, 2, 3, 4096]].tolist() == pytest.approx([0.8, 0.9, 1, 1])
    assert 100 < len(line) <= 200 and line.index.is_unique


def test_the_drawn_spectra_are_marked_where_they_cross_the_share():
    ax = Figure().subplots()
    draw_spectra(ax, SPECTRA, 0.9)
    marks = [line for line in ax.lines if len(line.get_xdata()) == 1]
    places = [line.get_xydata()[0] for line in marks]
    np.testing.assert_allclose(places, [(2, 0.9), (3687, 3687 / 4096)])
    assert len({line.get_marker() for line in marks}) == 2
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["90 %", "the paper's 2,300"]
    left, right = ax.get_xlim()
    assert left < 1 and right > 4096  # the paper's line is inside
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["steep: 2", "flat: 3,687"]
    assert ax.get_legend().get_title().get_text() == "components for 90 %"


def test_the_drawn_curves_lie_below_the_bound():
    ax = Figure().subplots()
    draw_curves(ax, CURVES, 0.95)
    one, another, bound = (line.get_xydata() for line in ax.lines[:3])
    assert one.tolist() == [[50, 30], [90, 40]] and len(another) == 3
    assert bound[0].tolist() == [50, 49] and bound[-1] == pytest.approx([800, 799])
    assert ax.get_ylabel() == "components for 95 %"
    ticks = [text.get_text() for text in ax.get_yticklabels()]
    assert ticks == ["30", "100", "300", "1,000", "10,000"]


def test_the_third_curve_has_the_colour_of_no_spectrum():
    spectra, curves = Figure().subplots(1, 2)
    more = {"third": SPECTRA["flat"], "fourth": SPECTRA["flat"]}
    draw_spectra(spectra, SPECTRA | more, 0.9)
    draw_curves(curves, CURVES | {"third": CURVES["one"]}, 0.95)
    drawn = {line.get_color() for line in spectra.lines[: 3 * len(SPECTRA | more)]}
    (other,) = [line for line in curves.lines if line.get_label() == "third"]
    assert len(drawn) == 4 and other.get_color() not in drawn


def test_recorded_curves_in_words():
    assert describe_recorded({}) == ""
    rows = pd.DataFrame({"frames": [50, 12_000], "components": [20, 1_088]})
    first, second = describe_recorded({"a": rows, "b": rows[:1]}).split(" The ")
    assert first == (
        "The recorded line *a* ends at 1,088 components of 12,000 frames: enough "
        "frames, of another profile."
    )
    assert second.endswith(
        "20 components of 50 frames: still too few frames, of another profile."
    )


def test_the_numbers_of_the_figure():
    table = drawn_numbers(SPECTRA, CURVES)
    assert table.columns.tolist() == ["panel", "line", "x", "y"]
    frames = table[table["panel"] == "frames"]
    assert frames["line"].tolist() == ["one"] * 2 + ["another"] * 3
    assert frames["y"].tolist() == [30, 40, 40, 60, 90]
    flat = table[table["line"] == "flat"]
    np.testing.assert_allclose(flat["y"], flat["x"] / 4096)
