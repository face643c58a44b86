"""Section III's PCA: how many components hold 95 % of the features' variance.

Three numbers describe a spectrum here: the components that hold a share of the
variance, the share of the first component, and the effective rank.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from companion.base.paths import ROOT, training_directory

PAPERS_COMPONENTS = 2300
"""About as many hold 95 % of the variance (Section III)."""

ENOUGH_FRAMES = 10_000
"""Fewer say nothing about a count of components as large as the paper's."""

UNCHANGED = 0.05
"""A smaller change of the effective rank, as a share of it, counts as none."""

COUNTS = (30, 100, 300, 1_000, 10_000)
"""Numbers of components that an axis names."""

POINTS = 200
"""A cumulative spectrum is drawn at about as many numbers of components."""


def spectrum(features: np.ndarray) -> np.ndarray:
    """Variance along each principal component, largest first.

    The variances are the eigenvalues of the centred features' covariance matrix, with
    divisor n - 1. With fewer rows than columns they come from the (n, n) Gram matrix,
    which has the same eigenvalues except for zeros. The centred copy takes 8nD bytes:
    1.4 GB for 41,328 frames with D = 4,096.

    Args:
        features: float array (n, D), one row for each frame.

    Returns:
        float64 array (D,).

    Raises:
        ValueError: there are fewer than two rows.
    """
    n, dimension = features.shape
    if n < 2:
        raise ValueError(f"a variance needs at least two rows, not {n}")
    centred = features - features.mean(axis=0, dtype=np.float64)
    products = centred @ centred.T if n <= dimension else centred.T @ centred
    variances = np.linalg.eigvalsh(products / (n - 1))[::-1]
    variances = np.maximum(variances, 0)  # rounding can leave -1e-18
    return np.pad(variances, (0, dimension - len(variances)))


def components_for(variances: np.ndarray, share: float) -> int:
    """The smallest number of components that hold `share` (0..1) of the variance.

    0 if there is no variance at all.
    """
    if not np.any(variances):
        return 0
    cumulative = np.cumsum(variances) / np.sum(variances)
    return int(np.searchsorted(cumulative, share - 1e-12) + 1)


def effective_rank(variances: np.ndarray) -> float:
    """exp of the entropy of the shares of variance (Roy and Vetterli, 2007).

    0 if there is no variance at all.
    """
    if not np.any(variances):
        return 0.0
    shares = variances[variances > 0] / np.sum(variances)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def measure(variances: np.ndarray, share: float) -> dict[str, float]:
    """A spectrum in three numbers.

    Args:
        variances: float array (D,), largest first.
        share: of the variance, 0..1.

    Returns:
        "components" that hold the share, the share of the "first" alone, and the
        "effective rank". All 0 if there is no variance.
    """
    total = np.sum(variances)
    return {
        "components": components_for(variances, share),
        "first": float(variances[0] / total) if total else 0.0,
        "effective rank": effective_rank(variances),
    }


def spectrum_table(spectra: dict[str, np.ndarray], share: float) -> pd.DataFrame:
    """The three numbers of several spectra, one row for each, columns as in `measure`.

    Args:
        spectra: name → variances, float (D,), largest first.
        share: of the variance, 0..1.
    """
    rows = {name: measure(variances, share) for name, variances in spectra.items()}
    return pd.DataFrame(rows).T.astype({"components": int})


def direction(before: pd.Series, after: pd.Series) -> str:
    """What has happened to a spectrum, by its effective rank, in words.

    The effective rank decides because it looks at all components and needs no
    threshold.

    Args:
        before, after: rows of a `spectrum_table`.

    Returns:
        The end of a sentence: "spreads the variance" if the effective rank rises,
        "concentrates the variance" if it falls, "hardly changes the spectrum" if it
        changes by less than `UNCHANGED`.
    """
    gap = after["effective rank"] - before["effective rank"]
    if not gap or abs(gap) < UNCHANGED * before["effective rank"]:
        return "hardly changes the spectrum"
    return "spreads the variance" if gap > 0 else "concentrates the variance"


def describe_tuning(table: pd.DataFrame, person: str) -> str:
    """What fine-tuning does to the spectrum, in words, with a person and without.

    Args:
        table: from `spectrum_table`, with the rows "before", "before, without
            <person>" and, where they are known, "after" and "after, without <person>".
        person: who is left out.

    Returns:
        A sentence for each pair of rows; empty if there is no pair.
    """
    told = []
    without = f", without {person}"
    for who, rest in {"With all people": "", f"Without {person}": without}.items():
        if f"after{rest}" in table.index:
            before, after = table.loc[f"before{rest}"], table.loc[f"after{rest}"]
            told.append(
                f"{who}, fine-tuning {direction(before, after)} (effective rank "
                f"{before['effective rank']:.1f} → {after['effective rank']:.1f}, "
                f"first component {percent(before['first'])} → "
                f"{percent(after['first'])})."
            )
    return " ".join(told)


def components_by_frames(features: np.ndarray, share: float) -> pd.DataFrame:
    """How many components the first n frames need, n = 50, 100, 200, … and all.

    Args:
        features: float array (N, D), N >= 2, rows in random order.
        share: of the variance, 0..1.

    Returns:
        Integer columns frames and components, frames increasing.

    Raises:
        ValueError: there are fewer than two rows.
    """
    sizes, size = [], 50
    while size < len(features):
        sizes.append(size)
        size *= 2
    sizes.append(len(features))
    needed = [components_for(spectrum(features[:n]), share) for n in sizes]
    return pd.DataFrame({"frames": sizes, "components": needed})


def recorded_curves(profile: str) -> dict[str, pd.DataFrame]:
    """The curves of `components_by_frames` that other profiles have recorded.

    Args:
        profile: its own curve is left out.

    Returns:
        "before, <profile>" → table, in alphabetical order; empty if there are none.
    """
    recorded = ROOT / "data" / "recorded"
    curves = {}
    for path in sorted(recorded.rglob("components_by_frames.csv")):
        other = path.relative_to(recorded).parts[0]
        if other != profile:
            curves[f"before, {other}"] = pd.read_csv(path)
    return curves


def describe_recorded(curves: dict[str, pd.DataFrame]) -> str:
    """Where recorded curves end, and what that says about the paper's 2,300.

    Args:
        curves: from `recorded_curves`.

    Returns:
        A sentence for each curve; empty if there are none.
    """
    told = []
    for name, curve in curves.items():
        last = curve.iloc[-1]
        enough = "enough" if last["frames"] >= ENOUGH_FRAMES else "still too few"
        told.append(
            f"The recorded line *{name}* ends at {last['components']:,} components of "
            f"{last['frames']:,} frames: {enough} frames, of another profile."
        )
    return " ".join(told)


def variance_by_group(features: np.ndarray, groups: np.ndarray) -> pd.Series:
    """Which frames the variance comes from: the share of each group of frames.

    A frame's part is its squared distance from the mean of all frames; the parts add
    up to the variance, apart from the divisor.

    Args:
        features: float array (N, D).
        groups: array (N,), the group of each frame, such as its person.

    Returns:
        Shares that add up to 1, largest first, indexed by group; 0 for all if all
        frames are equal.
    """
    centred = features - features.mean(axis=0, dtype=np.float64)
    parts = pd.Series((centred**2).sum(axis=1)).groupby(np.asarray(groups)).sum()
    shares = parts / parts.sum() if parts.sum() else parts
    return shares.sort_values(ascending=False, kind="stable")


def read_spectrum(profile: str, model: str, seed: int) -> np.ndarray | None:
    """The spectrum after fine-tuning that notebook 03 has written: float64 (D,).

    It is that of the network at its best epoch, on all training frames. The recorded
    one (`data/recorded`) comes before your own (`runs`).

    Returns:
        None if there is neither.
    """
    found = _spectrum_files(profile, model, seed)
    if not found:
        return None
    first = next(iter(found.values()))
    return pd.read_csv(first)["variance"].to_numpy(dtype=np.float64)


def spectrum_source(profile: str, model: str, seed: int) -> str | None:
    """Where `read_spectrum` reads: "recorded", "runs", or None for nowhere."""
    return next(iter(_spectrum_files(profile, model, seed)), None)


def _spectrum_files(profile: str, model: str, seed: int) -> dict[str, Path]:
    run = training_directory(profile, model, seed)
    recorded = ROOT / "data" / "recorded" / profile / "training" / run.name
    files = {"recorded": recorded / "spectrum.csv", "runs": run / "spectrum.csv"}
    return {source: path for source, path in files.items() if path.is_file()}


def judge_components(components: int, frames: int, width: float) -> str:
    """What a count of components says about the paper's 2,300 (Section III).

    Args:
        components: that hold 95 % of the variance.
        frames: that were looked at; they span at most `frames` - 1 directions.
        width: of the network, see `aulib.model.build_model`.
    """
    if frames <= PAPERS_COMPONENTS:
        return f"no verdict on 2,300: {frames} frames could not have shown it"
    reasons = []
    if frames < ENOUGH_FRAMES:
        reasons.append(f"{frames:,} frames are too few (we ask for {ENOUGH_FRAMES:,})")
    if width < 1:
        reasons.append(f"the network has 1/{1 / width:.0f} of the paper's channels")
    if reasons:
        return f"no verdict on 2,300: {', and '.join(reasons)}"
    return f"{components} components here, about 2,300 in the paper"


def percent(part: float) -> str:
    """A share, 0..1, as text: "95 %"."""
    return f"{100 * part:.0f} %"


STYLES = (("-", "o"), ("--", "s"), ("-", "D"), (":", "^"))
"""A line and a hollow mark for each cumulative spectrum."""


def cumulative_shares(variances: np.ndarray) -> pd.Series:
    """The share of the variance that the first k components hold, where it is drawn.

    Args:
        variances: float array (D,), largest first, not all 0.

    Returns:
        Shares, indexed by k: 1, D and numbers between them in even ratios.
    """
    dimension = len(variances)
    drawn = np.unique(np.geomspace(1, dimension, POINTS).round().astype(int))
    shares = np.cumsum(variances) / np.sum(variances)
    return pd.Series(shares[drawn - 1], drawn)


def draw_spectra(ax: Axes, spectra: dict[str, np.ndarray], share: float) -> None:
    """Draw cumulative spectra, each with the components that hold `share`.

    Args:
        ax: where to draw; a legend goes below it, with the numbers of components.
        spectra: name → variances, float (D,), largest first, not all 0.
        share: of the variance, 0..1.
    """
    for number, (name, variances) in enumerate(spectra.items()):
        colour, line = f"C{number}", cumulative_shares(variances)
        style, marker = STYLES[number % len(STYLES)]
        needed = components_for(variances, share)
        held = variances[:needed].sum() / variances.sum()
        ax.plot(line.index, line, style, color=colour)
        mark = {"color": colour, "mfc": "none", "ms": 4 + 2 * number}
        ax.plot(needed, held, marker, **mark)
        ax.plot([], [], style, marker=marker, label=f"{name}: {needed:,}", **mark)
    ax.axhline(share, color="0.6", lw=0.8, ls="--")
    ax.annotate(percent(share), (1, share + 0.01), color="0.4")
    ax.axvline(PAPERS_COMPONENTS, color="black", lw=0.8, ls=":")
    place = (1.05 * PAPERS_COMPONENTS, 0.25)
    ax.annotate(f"the paper's {PAPERS_COMPONENTS:,}", place, rotation=90)
    ax.set(xscale="log", xlim=(0.9, 10_000), ylim=(0, 1.08), xlabel="components")
    ax.set(ylabel="cumulative share of the variance", title="cumulative spectrum")
    heading = f"components for {percent(share)}"
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=1, title=heading)


def draw_curves(ax: Axes, curves: dict[str, pd.DataFrame], share: float) -> None:
    """Draw the components that hold `share` over the number of frames.

    The third and fourth colours are left out: `draw_spectra` has them beside this.

    Args:
        ax: where to draw; a legend goes below it.
        curves: name → table of `components_by_frames`.
        share: of the variance, 0..1.
    """
    for number, (name, curve) in enumerate(curves.items()):
        line = curve["frames"], curve["components"]
        colour = f"C{number + 2 * (number > 1)}"
        ax.plot(*line, "o-", color=colour, ms=3, label=name)
    frames = pd.concat(curves.values())["frames"]
    bound = np.geomspace(frames.min(), frames.max())
    ax.plot(bound, bound - 1, "--", color="0.6", label="bound: frames − 1")
    ax.axhline(PAPERS_COMPONENTS, color="black", lw=0.8, ls=":")
    place = (frames.min(), 1.1 * PAPERS_COMPONENTS)
    ax.annotate(f"the paper's {PAPERS_COMPONENTS:,}", place)
    ax.set(xscale="log", yscale="log", xlabel="frames", title="more frames")
    ax.set(ylabel=f"components for {percent(share)}")
    ax.set_yticks(COUNTS, [f"{count:,}" for count in COUNTS])
    ax.minorticks_off()
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def drawn_numbers(
    spectra: dict[str, np.ndarray], curves: dict[str, pd.DataFrame]
) -> pd.DataFrame:
    """The lines of `draw_spectra` and `draw_curves`: columns panel, line, x and y."""
    parts = []
    for name, variances in spectra.items():
        line = cumulative_shares(variances)
        parts.append(pd.DataFrame({"line": name, "x": line.index, "y": line.values}))
        parts[-1].insert(0, "panel", "spectrum")
    for name, curve in curves.items():
        part = {"line": name, "x": curve["frames"], "y": curve["components"]}
        parts.append(pd.DataFrame(part))
        parts[-1].insert(0, "panel", "frames")
    return pd.concat(parts, ignore_index=True)
