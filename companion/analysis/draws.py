"""What samplers draw from the training frames: counted, drawn and put in words."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import entropy

from aulib.sampler import MultinomialSampler
from companion.base.figures import TEXT_WIDTH
from companion.bp4d import AU_NAMES
from companion.methods.samplers import constant_aus

LEVELS = range(6)


def effective_sample_size(weights: np.ndarray) -> float:
    """Kish's (Σw)² / Σw²: as many equal weights give a mean of the same variance.

    Args:
        weights: float array (M,), none negative, not all 0.
    """
    return float(weights.sum() ** 2 / (weights**2).sum())


def seen_share(weights: np.ndarray) -> float:
    """The expected share of M frames that M draws with replacement draw at all.

    Args:
        weights: float array (M,), none negative, not all 0.
    """
    chances = weights / weights.sum()
    return float(np.mean(1 - (1 - chances) ** len(weights)))


def sampler_table(weights: dict[str, np.ndarray], levels: np.ndarray) -> pd.DataFrame:
    """What samplers draw from the training frames, with replacement.

    Args:
        weights: sampler → float array (M,), none negative, not all 0.
        levels: int array (M, Q), the levels of the training frames.

    Returns:
        One row for each sampler; columns in per cent: "n_eff (%)" (Kish's effective
        sample size, of M), "seen (%)" (frames that an epoch is expected to draw, of M),
        "without any AU (%)" and "with a level 5 (%)" (of the draws).
    """
    nothing, strongest = (levels == 0).all(axis=1), (levels == 5).any(axis=1)
    rows = {
        name: {
            "n_eff (%)": 100 * effective_sample_size(own) / len(own),
            "seen (%)": 100 * seen_share(own),
            "without any AU (%)": 100 * own[nothing].sum() / own.sum(),
            "with a level 5 (%)": 100 * own[strongest].sum() / own.sum(),
        }
        for name, own in weights.items()
    }
    return pd.DataFrame(rows).T


def level_shares(weights: dict[str, np.ndarray], levels: np.ndarray) -> pd.DataFrame:
    """The share of the draws at each level of each AU: sampler, AU, level, share.

    Arguments as in `sampler_table`.
    """
    rows = [
        (name, au, level, own[column == level].sum() / own.sum())
        for name, own in weights.items()
        for au, column in zip(AU_NAMES, levels.T)
        for level in range(6)
    ]
    return pd.DataFrame(rows, columns=["sampler", "AU", "level", "share"])


def draw_level_shares(axes: Iterable[Axes], table: pd.DataFrame) -> None:
    """Draw what samplers draw: bars of the share of the draws at each level.

    Args:
        axes: one for each AU, of one figure, which gets a legend at the bottom.
        table: from `level_shares`.
    """
    samplers = list(table["sampler"].unique())
    width = 0.8 / max(len(samplers), 1)
    for ax, au in zip(axes, AU_NAMES, strict=True):
        own = table[table["AU"] == au].set_index("sampler")
        for number, name in enumerate(samplers):
            place = own.loc[name, "level"] + width * (number - (len(samplers) - 1) / 2)
            ax.bar(place, own.loc[name, "share"], width, label=name)
        ax.set(title=au, xlabel="level", xticks=range(6))
    ax.figure.axes[0].set_ylabel("share of the draws")
    handles = ax.get_legend_handles_labels()
    ax.figure.legend(*handles, loc="outside lower center", ncols=max(len(samplers), 1))


def level_balance(weights: dict[str, np.ndarray], levels: np.ndarray) -> pd.DataFrame:
    """How evenly the draws are spread over the six levels of each AU.

    Arguments as in `sampler_table`. Returns the entropy of the shares over that of
    equal shares, one row for each sampler and one column for each AU: 1 if all six
    levels are equally frequent, 0 if one has all draws.
    """
    rows = {
        name: [entropy(np.bincount(y, own)) / np.log(len(LEVELS)) for y in levels.T]
        for name, own in weights.items()
    }
    return pd.DataFrame(rows, AU_NAMES).T


def describe_extremes(labels: np.ndarray, weights: np.ndarray) -> str:
    """The weight of the most frequent label vector and the largest weight, in words.

    Args:
        labels: int array (M, Q), levels 0..5.
        weights: float array (M,).
    """
    vectors, place, times = np.unique(
        labels, axis=0, return_index=True, return_counts=True
    )
    most = times.argmax()
    vector = ", ".join(map(str, vectors[most]))
    return (
        f"the most frequent vector, ({vector}), has {weights[place[most]]:.3f}, and "
        f"the largest weight is {weights.max():.3f}"
    )


def varying_labels(labels: np.ndarray) -> np.ndarray:
    """The columns of int array (M, Q) that have more than one level.

    A column with one level would make every weight of Eq. 1 zero.
    """
    constant = constant_aus(labels)
    return labels[:, [name not in constant for name in AU_NAMES]]


def describe_weights(labels: np.ndarray, weights: np.ndarray) -> str:
    """What the weights do to the training frames, in words.

    Args:
        labels: int array (M, Q), levels 0..5.
        weights: float array (M,), above 0.
    """
    none = (labels == 0).all(axis=1)
    drawn = weights[none].sum() / weights.sum()
    return (
        f"Of the M = {len(labels):,} training frames, {100 * none.mean():.1f} % show "
        f"none of the five AUs; they get {100 * drawn:.1f} % of the draws. "
        f"The largest weight is {weights.max() / weights.min():.0f} times the "
        f"smallest. The effective sample size is {effective_sample_size(weights):,.0f}."
    )


def count_draws(sampler: MultinomialSampler, frames: int, epochs: int) -> np.ndarray:
    """How often each epoch draws each frame: int array (epochs, frames)."""
    times = np.zeros((epochs, frames), dtype=np.int64)
    for epoch in range(1, epochs + 1):
        sampler.set_epoch(epoch)
        times[epoch - 1] = np.bincount(sampler.draws(), minlength=frames)
    return times


def describe_draws(times: np.ndarray) -> str:
    """How many frames one epoch and the whole run miss, in words.

    Args:
        times: from `count_draws`, at least one epoch.
    """
    missed, never = (times[0] == 0).mean(), (times.sum(axis=0) == 0).mean()
    than = "more" if missed > np.exp(-1) else "fewer"
    return (
        f"The first epoch misses {100 * missed:.0f} % of the frames, {than} than with "
        f"equal weights, and draws one frame {times[0].max()} times. Every epoch draws "
        f"anew: in all {len(times)} epochs together, {100 * never:.1f} % are never "
        "drawn."
    )


def _weighted_shares(labels: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The share of each level among frames: float array (6, Q).

    Args:
        labels: int array (M, Q), levels 0..5.
        times: array (M,), how often each frame counts.
    """
    same = [np.average(labels == level, axis=0, weights=times) for level in LEVELS]
    return np.stack(same)


def draw_shares(labels: np.ndarray, times: np.ndarray, title: str) -> Figure:
    """Draw each level's share of the frames (line) and of the draws (bars).

    The figure is returned and not shown.

    Args:
        labels: int array (M, Q), levels 0..5.
        times: int array (M,), how often each frame is drawn.
        title: what the data are called.
    """
    before, after = (_weighted_shares(labels, w) for w in (np.ones(len(times)), times))
    figure, axes = plt.subplots(
        1, len(AU_NAMES), figsize=(TEXT_WIDTH, 1.8), sharey=True
    )
    edges = np.arange(-0.5, 6)
    for ax, name, line, bars in zip(axes, AU_NAMES, before.T, after.T, strict=True):
        ax.bar(LEVELS, bars, width=0.8)
        ax.step(edges, [*line, line[-1]], where="post", color="black", lw=0.8)
        ax.set(title=name, xlabel="level", xticks=LEVELS)
    axes[0].set_ylabel("share")
    words = "training frames (line) and draws of one epoch (bars)"
    figure.suptitle(f"{title}: {words}", fontsize=8)
    plt.close(figure)
    return figure


def describe_shares(labels: np.ndarray, times: np.ndarray) -> str:
    """What the draws do to the lowest and the highest level, and why, in words.

    Args:
        labels, times: as in `draw_shares`.
    """
    before, after = (_weighted_shares(labels, w) for w in (np.ones(len(times)), times))
    zero, five = (
        f"{100 * before[level].mean():.1f} % of the frames to "
        f"{100 * after[level].mean():.1f} % of the draws"
        for level in (0, 5)
    )
    told = (
        f"On average over the five AUs, level 0 goes from {zero}, and level 5 from "
        f"{five}."
    )
    alone = _shares_by_own_factor(before)[5].mean()
    others = _zeros_beside_fives(labels)
    if before[5].any() and after[5].mean() > alone and others < before[0].mean():
        told += (
            f" The factor of the AU itself would lift level 5 only to "
            f"{100 * alone:.1f} %. But in frames with a 5, the other four AUs are 0 in "
            f"{100 * others:.0f} % of cases (in all frames: "
            f"{100 * before[0].mean():.0f} %), so their factors are larger too."
        )
    return told


def _shares_by_own_factor(shares: np.ndarray) -> np.ndarray:
    """The shares of the draws if an AU's factor of Eq. 2 were the only one.

    Args:
        shares: float array (6, Q) of the frames.
    """
    drawn = shares * (1 - shares)
    total = drawn.sum(axis=0)
    return np.where(total > 0, drawn / np.where(total > 0, total, 1), shares)


def _zeros_beside_fives(labels: np.ndarray) -> float:
    """The share of level 0 among the other AUs of frames with a level 5.

    The mean over the AUs that have a level 5; NaN if none has.

    Args:
        labels: int array (M, Q), levels 0..5.
    """
    found = []
    for number, column in enumerate(labels.T):
        if (column == 5).any():
            others = np.delete(labels[column == 5], number, axis=1)
            found.append((others == 0).mean())
    return float(np.mean(found)) if found else np.nan
