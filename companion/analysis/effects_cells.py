"""Effects within combinations of other changes, and what three changes do together.

A main effect is a mean over all combinations. `effects_within` takes the mean apart;
`three_way` says how much the interaction of two changes depends on a third; and
`step_terms` writes the step from one model to another as a sum of effects.
"""

from itertools import combinations, product

import numpy as np
import pandas as pd

from companion.analysis.effects import (
    INTERVALS,
    Levels,
    Spread,
    Titles,
    contrasts,
    differences,
    intervals,
    margin_of_error,
    pairs_of,
    stacked,
    with_mean,
)
from companion.training.outputs import mean_score

WITHIN_COLUMNS = [
    *("effect", "instead of", "within", "score without", "score with"),
    *(*INTERVALS, "pairs"),
]
THREE_COLUMNS = [
    *("effect", "with", "and", "instead of", "size with", "size without"),
    *(*INTERVALS, "pairs"),
]

NOT_LEARNED = 0.25
"""A run has not learned an AU if its ICC at the last epoch is below this.

In the recorded runs of the ablation no ICC of an AU lies between .22 and .41.
"""


TOGETHER = ", together"
"""How the name of a sum of terms ends."""


def effects_within(
    levels_of: Levels,
    titles: Titles,
    scored: dict[str, np.ndarray],
    spread: Spread,
    changes: list[str],
) -> pd.DataFrame:
    """The effect of each of some changes within each combination of the others of them.

    All else is averaged over.

    Args:
        levels_of, titles, scored, spread: as in
            `companion.analysis.effects.main_effects`.
        changes: the names of the changes.

    Returns:
        One row for each effect and combination: effect and instead of (titles of the
        level and of the first one), within (the titles of the combination), "score
        without" and "score with" (the mean ICC with the first level and with the other
        one), the intervals of their difference as in `main_effects`, and pairs. A
        combination without a pair has no row.
    """
    rows = []
    for title, first, contrast in contrasts({name: titles[name] for name in changes}):
        others = [name for name in changes if name != contrast[0]]
        for levels in product(*(titles[name] for name in others)):
            within = dict(zip(others, levels))
            pairs = pairs_of(levels_of, scored, *contrast, within)
            if not pairs:
                continue
            low, high = (
                np.mean([mean_score(scored[pair[side]][0]) for pair in pairs])
                for side in (0, 1)
            )
            effect = with_mean([scored[b] - scored[a] for a, b in pairs])[:, -1:]
            seeds = np.array([margin_of_error(*spread, len(pairs))])
            where = ", ".join(titles[name][level] for name, level in within.items())
            row = {"effect": title, "instead of": first, "within": where}
            row |= {"score without": low, "score with": high, "pairs": len(pairs)}
            rows.append(pd.DataFrame(row | intervals(effect, seeds)))
    return stacked(rows, WITHIN_COLUMNS)


def three_way(
    levels_of: Levels,
    titles: Titles,
    scored: dict[str, np.ndarray],
    spread: Spread,
) -> pd.DataFrame:
    """How much the interaction of two changes depends on a third, for the mean ICC.

    Arguments as in `companion.analysis.effects.main_effects`.

    Returns:
        One row for each three levels of different changes: effect and with (the two
        levels that interact), and and instead of (the third change's level, and its
        first one), "size with" and "size without" (the interaction within each of
        these), size (their difference, the three-way interaction; the same if the
        changes trade places), its intervals, and pairs (the fewest of the four means of
        differences that it is made of). Three levels without a pair have no row.
    """
    rows = []
    for (a, _, contrast), (b, _, second), (c, without, third) in combinations(
        contrasts(titles), 3
    ):
        if len({contrast[0], second[0], third[0]}) < 3:
            continue
        cells = [  # the effect of the first, within levels of the others
            differences(levels_of, scored, *contrast, {second[0]: x, third[0]: y})
            for y in third[1:]
            for x in second[1:]
        ]
        pairs = min(map(len, cells))
        if pairs:
            low, high_b, high_c, both = (with_mean(cell)[:, -1:] for cell in cells)
            at_low, at_high = high_b - low, both - high_c
            # four means of so many differences between models, each with its own error
            seeds = np.array([margin_of_error(*spread, pairs / 4)])
            row = {"effect": a, "with": b, "and": c, "instead of": without}
            row |= {"size with": at_high[0], "size without": at_low[0], "pairs": pairs}
            rows.append(pd.DataFrame(row | intervals(at_high - at_low, seeds)))
    return stacked(rows, THREE_COLUMNS)


def step_terms(
    levels_of: Levels,
    titles: Titles,
    scored: dict[str, np.ndarray],
    spread: Spread,
    first: str,
    last: str,
) -> pd.DataFrame:
    """What the step from one model to another is the sum of, for the mean ICC.

    Let the two differ in k changes, each coded −1 for the first model's level and +1
    for the last one's. The scores of the 2^k models between them are sums of a
    coefficient for each set of changes, times the product of the set's codes. From the
    first to the last, the products of an odd number of codes go from −1 to +1, the
    others are 1 in both. So the step is twice the sum of the odd sets' coefficients:
    those of single changes are the main effects, those of three a quarter of the
    three-way interactions.

    Args:
        levels_of, titles, scored, spread: as in
            `companion.analysis.effects.main_effects`.
        first, last: names of two models.

    Returns:
        A row for the main effects together; for each odd set of three or more changes
        (named after them), and for those of one size together; and for the whole step.
        Columns as the intervals of `main_effects`. Empty if one of the models has no
        scores.
    """
    named = {tuple(levels.values()): name for name, levels in levels_of.items()}
    here, there = levels_of.get(first), levels_of.get(last)
    if here is None or there is None:
        return pd.DataFrame(columns=INTERVALS, dtype=float)
    changed = [name for name in titles if here[name] != there[name]]
    between = {}
    for codes in product((-1, 1), repeat=len(changed)):
        moved = {name: there[name] for name, code in zip(changed, codes) if code > 0}
        between[codes] = named[tuple({**here, **moved}.values())]
    if not set(between.values()) <= set(scored):
        return pd.DataFrame(columns=INTERVALS, dtype=float)
    rows, whole, count = {}, [], len(between) / 2
    for size in range(1, len(changed) + 1, 2):
        terms = {}
        for chosen in combinations(range(len(changed)), size):
            title = ", ".join(changed[i] for i in chosen)
            signed = [
                np.prod([codes[i] for i in chosen]) * scored[name]
                for codes, name in between.items()
            ]
            terms[title] = 2 * np.mean(signed, axis=0)
        if size > 1:
            rows |= {
                title: _term([term], spread, count) for title, term in terms.items()
            }
        what = "main effects" if size == 1 else f"interactions of {size} changes"
        rows[what + TOGETHER] = _term(list(terms.values()), spread, count)
        whole += terms.values()
    rows[f"{last} less {first}"] = _term(whole, spread, count)
    return pd.DataFrame(rows, index=INTERVALS).T


def single_pairs(models: dict[str, dict], levels_of: Levels) -> dict[str, tuple]:
    """The pairs of models that differ from baseline or proposed in the sampler alone.

    Args:
        models: name → settings; one outside of the design is named after the model
            that it differs from, `proposed-joint`.
        levels_of: the models of the design.

    Returns:
        "<model>: <sampler> sampler" → (name, the model that is subtracted): the
        baseline with the multinomial sampler, and the models outside of the design.
    """
    pairs = {}
    swapped = levels_of.get("baseline", {}) | {"sampler": "multinomial"}
    for name, settings in models.items():
        base = name.split("-")[0]
        if levels_of.get(name) == swapped:
            base = "baseline"
        elif name in levels_of or base not in models:
            continue
        if base != name:
            pairs[f"{base}: {settings['sampler']} sampler"] = (name, base)
    return pairs


def _term(terms: list[np.ndarray], spread: Spread, count: float) -> dict[str, float]:
    """The sum of terms (1 + R, Q), each a mean of `count` differences: `INTERVALS`."""
    total = with_mean([np.sum(terms, axis=0)])[:, -1:]
    seeds = np.array([margin_of_error(*spread, count / len(terms))])
    return {name: values[0] for name, values in intervals(total, seeds).items()}
