"""What Section V says about Figures 2, 5, 6 and 7, with a verdict on each statement.

One rule decides every comparison. Two numbers are *similar* if they differ by no more
than the choice of people makes them differ in 95 % of the draws of a bootstrap over
people (`companion.analysis.bootstrap`). A number is *larger* if its 95 % interval over
people lies above the number that it is compared with, not larger if the interval lies
below, and otherwise the claim is undecided.

Two distributions over the levels differ by one number: the smallest share of frames
that would have to change their level to make the two equal. For shares p and q it is
half of Σ|p − q|.

Statements about estimates are judged on every run of the model, each at its best epoch.
They hold if they hold in all runs, do not hold if they fail in all, and are undecided
otherwise. Numbers are those of the run that the figures show. Statements about BP4D's
labels are decided by public counts, or by the labels themselves where they are at hand.
"""

import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from aulib import UNKNOWN
from companion.analysis.bootstrap import percentile_interval, resamples, subject_sums
from companion.analysis.claims import Finding
from companion.analysis.runs import SUMS
from companion.base.tables import save_table
from companion.bp4d import AU_NAMES

RESAMPLES = 10_000
NEARLY_ALL = 0.95
"""Share of the errors of level 1 that makes "os erros foram para 0 e 2" true."""

PAIRS = list(combinations(range(len(AU_NAMES)), 2))
WITH_17 = np.array([AU_NAMES.index("AU17") in pair for pair in PAIRS])
DISTANCE = np.abs(np.subtract.outer(range(6), range(6)))
NO_CORRELATION = 0.1
"""The |r| that "no correlation" stays below; Cohen (1988) calls .1 small."""

WITHOUT_5 = ["AU10", "AU14", "AU17"]
"""The AUs that the paper's model never estimates as 5."""


def person_counts(levels: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """Frames of each person at each level of each AU.

    Args:
        levels: int array (N, Q), 0..5 or `UNKNOWN`, which is not counted.
        subjects: array (N,), the person in each frame.

    Returns:
        int64 array (S, Q, 6), people in sorted order.
    """
    people, person = np.unique(subjects, return_inverse=True)
    counts = np.zeros((len(people), levels.shape[1], 6), np.int64)
    frames, aus = np.nonzero(levels != UNKNOWN)
    np.add.at(counts, (person[frames], aus, levels[frames, aus]), 1)
    return counts


def moved_share(counts: ArrayLike, others: ArrayLike) -> np.ndarray:
    """The least share of frames that must change their level to make two counts equal.

    Args:
        counts, others: (..., 6), frames at each level.

    Returns:
        float64 array (...), 0..1; NaN where one of the two has no frame.
    """
    one, other = np.asarray(counts, float), np.asarray(others, float)
    with np.errstate(invalid="ignore"):  # 0/0 is NaN
        one, other = (n / n.sum(axis=-1, keepdims=True) for n in (one, other))
    return np.abs(one - other).sum(axis=-1) / 2


def moved_by_chance(counts: np.ndarray, seed: int = 0) -> np.ndarray:
    """`moved_share` between two draws of people: what 95 % of the draws stay below.

    Each draw takes as many people as there are, with replacement and with all frames.

    Args:
        counts: from `person_counts`, (S, Q, 6).
        seed: the seed of the draws.

    Returns:
        float64 array (Q,); NaN for an AU without a known frame.
    """
    drawn = np.tensordot(resamples(len(counts), 2 * RESAMPLES, seed), counts, axes=1)
    moved = moved_share(drawn[::2], drawn[1::2])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return np.nanpercentile(moved, 95, axis=0)


def pair_sums(levels: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """The six sums of each person and pair of AUs, in the order of `PAIRS`.

    Args:
        levels: int array (N, 5); a pair's sums leave out frames with an `UNKNOWN`.
        subjects: array (N,).

    Returns:
        float64 array (S, 10, 6), like `companion.analysis.bootstrap.subject_sums`.
    """
    one, other = (levels[:, list(columns)] for columns in zip(*PAIRS))
    known = (one != UNKNOWN) & (other != UNKNOWN)
    return subject_sums(np.where(known, one, UNKNOWN), other, subjects)


def pearson(sums: np.ndarray) -> np.ndarray:
    """Pearson's r from six sums: (..., 6) → (...); NaN where a variable is constant."""
    n, y, z, yy, zz, yz = np.moveaxis(np.asarray(sums, float), -1, 0)
    variances = (n * yy - y * y) * (n * zz - z * z)
    root = np.sqrt(np.where(variances > 0, variances, np.nan))
    return (n * yz - y * z) / root


def pair_table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The ten pairs of AUs, one below the other.

    Args:
        tables: name → table (5, 5) of correlations.

    Returns:
        float table (10, len(tables)), indexed "AU06–AU10", "AU06–AU12" and so on.
    """
    values = {
        name: [table.iat[pair] for pair in PAIRS] for name, table in tables.items()
    }
    return pd.DataFrame(values, [f"{AU_NAMES[i]}–{AU_NAMES[j]}" for i, j in PAIRS])


def correlation_table(sums: np.ndarray) -> pd.DataFrame:
    """Pearson's r of every two AUs, over all people: (S, 10, 6) → table (5, 5)."""
    table = pd.DataFrame(np.eye(len(AU_NAMES)), AU_NAMES, AU_NAMES)
    for (one, other), r in zip(PAIRS, _all(sums)):
        table.iat[one, other] = table.iat[other, one] = r
    return table


def write_pair_sums(
    path: Path, levels: np.ndarray, subjects: np.ndarray, origin: dict
) -> None:
    """Write `pair_sums`, which correlations and their intervals are made of.

    People are numbered in the order of their names, and the file has no label of a
    frame. Its origin (`companion.base.provenance.file_origin`) is written beside it.
    """
    sums = pair_sums(levels, subjects)
    index = pd.MultiIndex.from_product(
        [range(len(sums)), [f"{AU_NAMES[i]}-{AU_NAMES[j]}" for i, j in PAIRS]],
        names=["person", "pair"],
    )
    table = pd.DataFrame(sums.reshape(-1, len(SUMS)).astype(np.int64), index, SUMS)
    save_table(table, path, origin)


def read_pair_sums(path: Path) -> np.ndarray:
    """`pair_sums` from a file of `write_pair_sums`: float64 (S, 10, 6)."""
    table = pd.read_csv(path)
    return table[list(SUMS)].to_numpy(float).reshape(-1, len(PAIRS), len(SUMS))


def figure_claims(
    labels: np.ndarray,
    estimates: dict[int, np.ndarray],
    subjects: np.ndarray,
    training: np.ndarray,
    published: dict,
    title: str,
    standin: bool,
) -> list[Finding]:
    """Judge what the paper says about Figures 2, 5, 6 and 7.

    Args:
        labels: int array (N, 5), 0..5 or `UNKNOWN`, of the evaluation frames.
        estimates: seed of a run → int array (N, 5), 0..5. The first one is the run
            that the figures show.
        subjects: array (N,), the person in each frame.
        training: `pair_sums` of the training labels, (S, 10, 6).
        published: the content of `data/bp4d_statistics.json`.
        title: of the data, such as "stand-in data".
        standin: whether they are a stand-in's, whose labels decide nothing about BP4D.

    Returns:
        What was found on each statement, by its identifier in `data/paper/claims.csv`.
    """
    subjects = np.asarray(subjects).astype(str)
    counts, r_labels = person_counts(labels, subjects), pair_sums(labels, subjects)
    limit = moved_by_chance(counts)
    found = {}
    for seed, levels in estimates.items():
        masked = np.where(labels == UNKNOWN, UNKNOWN, levels)
        found[seed] = [
            *_figure_5(counts, person_counts(masked, subjects), limit),
            *_figure_6(labels, levels, subjects),
            *_figure_7(r_labels, pair_sums(masked, subjects), training),
        ]
    return [
        *_judge_labels(counts, r_labels, published, title, standin),
        *_over_runs(found),
        _cause(_public_counts(published)),
    ]


def _over_runs(found: dict[int, list[Finding]]) -> list[Finding]:
    """Each statement's findings in all runs, as one; the first run's are quoted.

    Args:
        found: seed → the findings on the same statements, in the same order.
    """
    joined = []
    for findings in zip(*found.values()):
        claim, _, because, uncertainty = findings[0]
        answers = [holds for _, holds, _, _ in findings]
        holds = answers[0] if len({*answers}) == 1 else None
        if len(answers) > 1:
            uncertainty += f"; {_agreement(dict(zip(found, answers)))}"
        joined.append((claim, holds, because, uncertainty))
    return joined


def _agreement(answers: dict[int, bool | None]) -> str:
    """Which runs agree, in words: seed → whether a statement holds in that run."""
    if len({*answers.values()}) == 1:
        return f"the same in all {len(answers)} runs"
    words = {True: "holds", False: "does not hold", None: "is undecided"}
    said = []
    for answer, word in words.items():
        seeds = [str(seed) for seed, own in answers.items() if own is answer]
        if seeds:
            many = "s" if len(seeds) > 1 else ""
            said.append(f"{word} with seed{many} {' and '.join(seeds)}")
    return ", ".join(said)


def _judge_labels(
    counts: np.ndarray, sums: np.ndarray, published: dict, title: str, standin: bool
) -> list[Finding]:
    """By BP4D's labels where they are there, else by what is public about them."""
    if standin:
        levels, source = _public_counts(published), "public counts of BP4D"
        correlations = published["evaluation_correlation"]
        r = [np.array(correlations[estimate]) for estimate in ("first", "second")]
        source_of_r = "two public estimates for BP4D"
    else:
        levels = pd.DataFrame(counts.sum(axis=0).T, columns=list(AU_NAMES))
        source = source_of_r = title
        r = [_all(sums)]
    drawn = None if standin else _resampled(sums)
    pairs = _together("labels", r, drawn), _alone("labels", r, drawn)
    return [
        *((c, h, f"{source}: {b}", u) for c, h, b, u in _figure_2(levels)),
        *((c, h, f"{source_of_r}: {b}", u) for c, h, b, u in pairs),
    ]


def _public_counts(published: dict) -> pd.DataFrame:
    """BP4D's evaluation frames per level (rows) and AU (columns)."""
    return pd.DataFrame(published["evaluation_intensity"]["counts"])[list(AU_NAMES)]


def _all(sums: np.ndarray) -> np.ndarray:
    """Pearson's r of each pair over all people."""
    return pearson(sums.sum(axis=0))


def _figure_2(counts: pd.DataFrame) -> list[Finding]:
    """The caption, judged by frames per level (rows) and AU (columns)."""
    half = [au for au in counts if counts[au][0] > counts[au].sum() / 2]
    rises = {au: counts.index[counts[au].diff() > 0].tolist() for au in counts}
    said = "; ".join(
        f"{au} {', '.join(map(str, up))}" for au, up in rises.items() if up
    )
    rarest = counts.loc[5] < counts.loc[:4].min()
    return [
        (
            "level-0-predominant",
            bool((counts.idxmax() == 0).all()),
            f"more than half of the frames for {', '.join(half) or 'no AU'}; "
            f"the most frequent level for {(counts.idxmax() == 0).sum()} of 5 AUs",
            "",
        ),
        (
            "higher-is-rarer",
            not any(rises.values()),
            f"levels more frequent than the one below: {said or 'none'}",
            "",
        ),
        (
            "highest-is-rarest",
            bool(rarest.all()),
            f"level 5 is the rarest for {rarest.sum()} of 5 AUs",
            "",
        ),
    ]


def _figure_5(
    counts: np.ndarray, estimated: np.ndarray, limit: np.ndarray
) -> list[Finding]:
    """Judged by the frames of each person, labelled and estimated: (S, 5, 6).

    And by `moved_by_chance` of the labels, (5,).
    """
    moved = moved_share(counts.sum(axis=0), estimated.sum(axis=0))
    known = counts.sum(axis=(0, 2)) > 0
    each = [
        f"{au} {100 * share:.1f} % (similar up to {100 * most:.1f} %)"
        for au, share, most in zip(AU_NAMES, moved, limit)
        if not np.isnan(share)
    ]
    fives = estimated[:, :, 5]
    silent = [au for au, own, k in zip(AU_NAMES, fives.T, known) if k and not own.any()]
    said = ", ".join(
        f"{au} {_frames_of(own)}"
        for au, own in zip(AU_NAMES, fives.T)
        if au in WITHOUT_5
    )
    return [
        (
            "similar-distribution",
            bool((moved <= limit)[known].all()) if known.any() else None,
            "frames that would have to move: " + ", ".join(each),
            "the limits are those of 95 % of the draws of people",
        ),
        (
            "no-level-5",
            {*WITHOUT_5} <= {*silent} if known.any() else None,
            f"none for {', '.join(silent) or 'no AU'}; estimated as 5: {said}",
            "none within a run: frames counted",
        ),
    ]


def _frames_of(counts: np.ndarray) -> str:
    """A number of frames and of people, in words; (S,) frames of each person."""
    frames, people = int(counts.sum()), int((counts > 0).sum())
    whose = f" of {people} {'person' if people == 1 else 'people'}" if people else ""
    return f"{frames:,} frame{'s' * (frames != 1)}{whose}"


def _figure_6(
    labels: np.ndarray, estimates: np.ndarray, subjects: np.ndarray
) -> list[Finding]:
    """Judged by the confusion matrix of AU12."""
    label, estimate = (v[:, AU_NAMES.index("AU12")] for v in (labels, estimates))
    people, person = np.unique(subjects, return_inverse=True)
    matrices = np.zeros((len(people), 6, 6), np.int64)
    known = label != UNKNOWN
    np.add.at(matrices, (person[known], label[known], estimate[known]), 1)
    matrix = matrices.sum(axis=0)
    near, by_chance = _one_off(matrix), _one_off(_shuffled(matrix))
    drawn = np.tensordot(resamples(len(people), RESAMPLES, 0), matrices, axes=1)
    low, high = percentile_interval(_one_off(drawn) - _one_off(_shuffled(drawn)))
    within = matrix[DISTANCE <= 1].sum() / max(matrix.sum(), 1)
    beside, wrong = _errors_of_1(matrix)
    share = 100 * beside / max(wrong, 1)
    some, all_wrong = _errors_of_1(drawn)
    least, most = percentile_interval(some / np.where(all_wrong > 0, all_wrong, np.nan))
    as_5 = matrices[:, 0, 5]
    return [
        (
            "au12-close",
            _larger(low, high, 0),
            f"{100 * within:.0f} % of the estimates are within one level; of the wrong "
            f"ones {100 * near:.0f} % are one level off, against "
            f"{100 * by_chance:.0f} % after shuffling the estimates",
            f"difference {100 * (near - by_chance):.0f} %, 95 % over people "
            f"{100 * low:.0f} to {100 * high:.0f} %",
        ),
        (
            "au12-level-1",
            _larger(least, most, NEARLY_ALL) if wrong else None,
            f"{beside} of {wrong} errors did, {share:.1f} %; the rule asks for "
            f"{100 * NEARLY_ALL:.0f} %",
            f"95 % over people {100 * least:.0f} to {100 * most:.0f} %",
        ),
        (
            "au12-0-as-5",
            bool(as_5.any()) if known.any() else None,
            f"{_frames_of(as_5)}, out of {matrix[0].sum():,}",
            "none within a run: frames counted",
        ),
    ]


def _larger(low: float, high: float, than: float) -> bool | None:
    """Whether an interval lies above a number; None if it holds it or is NaN."""
    return True if low > than else False if high < than else None


def _errors_of_1(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors of level 1 that went to 0 or 2, and all of them: (..., 6, 6) → (...)."""
    wrong = matrices[..., 1, :].sum(axis=-1) - matrices[..., 1, 1]
    return matrices[..., 1, 0] + matrices[..., 1, 2], wrong


def _one_off(matrices: np.ndarray) -> np.ndarray:
    """The share of wrong estimates that are one level off: (..., 6, 6) → (...)."""
    one, wrong = (matrices[..., m].sum(axis=-1) for m in (DISTANCE == 1, DISTANCE > 0))
    with np.errstate(invalid="ignore"):  # nothing is wrong: NaN
        return one / wrong


def _shuffled(matrices: np.ndarray) -> np.ndarray:
    """Confusion matrices, up to a factor, of the same estimates in random order."""
    return matrices.sum(axis=-1)[..., None] * matrices.sum(axis=-2)[..., None, :]


def _figure_7(
    labels: np.ndarray, estimates: np.ndarray, training: np.ndarray
) -> list[Finding]:
    """Judged by the sums of each person and pair, labelled and estimated: (S, 10, 6).

    And by the sums of the training labels, of other people: (S', 10, 6).
    """
    again, guessed = _resampled(labels), _resampled(estimates)
    r, e = _all(labels), _all(estimates)
    t, of_training = _all(training), _resampled(training, seed=1)
    tendency, strongest = percentile_interval(_across(again, guessed))
    more = np.abs(guessed) - np.abs(of_training)
    low, high = percentile_interval(more[:, ~WITH_17].mean(axis=1))
    trained = np.abs(t[~WITH_17]).mean()
    defined = not np.isnan([r, e, t]).any()
    return [
        _together("estimates", [e], guessed),
        _alone("estimates", [e], guessed),
        (
            "captures-tendency",
            _larger(tendency, strongest, 0) if defined else None,
            f"over the ten pairs the two sets of r correlate at {_across(r, e):z.2f}",
            f"95 % over people {tendency:z.2f} to {strongest:z.2f}",
        ),
        (
            "larger-correlation",
            _larger(low, high, 0) if defined else None,
            f"mean |r| without AU17 {np.abs(e[~WITH_17]).mean():.2f}, training labels "
            f"{trained:.2f}; larger in {(np.abs(e) > np.abs(t)).sum()} of 10 pairs",
            f"difference, 95 % over training and evaluation people: {low:z.2f} to "
            f"{high:z.2f}",
        ),
    ]


def _across(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's r over the last axis of two arrays; NaN where it is undefined."""
    ones = np.ones_like(one)
    terms = (ones, one, other, one * one, other * other, one * other)
    return pearson(np.stack([term.sum(axis=-1) for term in terms], axis=-1))


def _together(
    what: str, several: list[np.ndarray], drawn: np.ndarray | None
) -> Finding:
    """AU06, AU10, AU12 and AU14 correlate more strongly than AU17 with any of them.

    Args:
        what: whose correlations, "labels" or "estimates".
        several: r of each pair, (10,), once for each source of them.
        drawn: r of each pair in resamples of the people, (R, 10); None if there are
            no people to resample.
    """
    gaps = [r[~WITH_17].min() - np.abs(r[WITH_17]).max() for r in several]
    weakest = min(r[~WITH_17].min() for r in several)
    strongest = max(np.abs(r[WITH_17]).max() for r in several)
    because = (
        f"among the four, r is at least {weakest:z.2f}; with AU17, |r| is at most "
    )
    because += f"{strongest:.2f}"
    holds = None if np.isnan(gaps).any() else bool(min(gaps) > 0)
    if drawn is None:
        said = "unknown: we keep no counts by person"
        return f"{what}-four-together", holds, because, said
    lesser = drawn[:, ~WITH_17].min(axis=1) - np.abs(drawn[:, WITH_17]).max(axis=1)
    low, high = percentile_interval(lesser)
    if holds is not None:
        holds = True if low > 0 else False if high <= 0 else None
    said = f"95 % over people {low:z.2f} to {high:z.2f} for the difference"
    return f"{what}-four-together", holds, because, said


def _alone(what: str, several: list[np.ndarray], drawn: np.ndarray | None) -> Finding:
    """AU17 has no correlation with the others: |r| is below `NO_CORRELATION`.

    It holds if all four intervals over people lie within the margin, and does not hold
    if one of them lies outside.

    Args:
        what, several, drawn: as for `_together`.
    """
    claim = f"{what}-au17-alone"
    strongest = max(np.abs(r[WITH_17]).max() for r in several)
    margin = f"no correlation means within ±{NO_CORRELATION}"
    because = f"with AU17, |r| is at most {strongest:.2f}; {margin}"
    if drawn is None:
        because += ", and so near to it an estimate without an interval decides nothing"
        return claim, None, because, "unknown: we keep no counts by person"
    low, high = percentile_interval(drawn[:, WITH_17])
    said = f"95 % over people: all four within {low.min():z.2f} to {high.max():z.2f}"
    within = (low > -NO_CORRELATION) & (high < NO_CORRELATION)
    outside = (low > NO_CORRELATION) | (high < -NO_CORRELATION)
    if within.all():
        return claim, True, because, said
    return claim, False if outside.any() else None, because, said


def _resampled(sums: np.ndarray, seed: int = 0) -> np.ndarray:
    """Pearson's r of each pair in resamples of the people: (R, 10)."""
    drawn = resamples(len(sums), RESAMPLES, seed)
    return pearson(np.tensordot(drawn, sums, axes=1))


def _cause(counts: pd.DataFrame) -> Finding:
    """The suspicion at the end of Section V; the counts are BP4D's."""
    rare = 100 * counts.loc[5] / counts.sum()
    listed = ", ".join(f"{au} {rare[au]:.1f} %" for au in WITHOUT_5)
    return (
        "strong-correlations-behind",
        None,
        "a figure shows no cause, and a simpler one is possible: level 5 is rare in "
        f"BP4D ({listed}); but AU06, which the paper does not list, has "
        f"{rare['AU06']:.1f} %",
        "",
    )
