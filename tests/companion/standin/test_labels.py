"""The stand-in's labels behave like BP4D's: counts, correlations, time, people."""

import functools
import hashlib
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aulib import UNKNOWN
from aulib.icc import icc_3_1
from companion.bp4d import AU_NAMES
from companion.standin.labels import SUBJECTS, TASKS, make_labels, strided

# BP4D's numbers from its public sources (see data/bp4d_statistics.json).
DEVELOPMENT = {  # frames at the levels 0..5
    "AU06": (38940, 5535, 9983, 12761, 3627, 271),
    "AU10": (30007, 7522, 11688, 13858, 6976, 1012),
    "AU12": (31689, 8127, 11294, 9217, 5722, 2978),
    "AU14": (42541, 5013, 11693, 8947, 2578, 334),
    "AU17": (46475, 9648, 10211, 3892, 886, 73),
}
OCCURRENCE = {"AU06": 0.4592, "AU10": 0.5957, "AU12": 0.5575, "AU14": 0.5212}
OCCURRENCE["AU17"] = 0.3258  # training
GIVEN_PRESENT = {  # shares of the levels 1..5
    "AU06": (0.172, 0.310, 0.397, 0.113, 0.008),
    "AU10": (0.183, 0.285, 0.338, 0.170, 0.025),
    "AU12": (0.218, 0.303, 0.247, 0.153, 0.080),
    "AU14": (0.176, 0.409, 0.313, 0.090, 0.012),
    "AU17": (0.390, 0.413, 0.158, 0.036, 0.003),
}
CORRELATIONS = {  # development set, two estimates
    ("AU06", "AU10"): (0.63, 0.55),
    ("AU06", "AU12"): (0.72, 0.74),
    ("AU06", "AU14"): (0.38, 0.54),
    ("AU06", "AU17"): (-0.05, -0.19),
    ("AU10", "AU12"): (0.65, 0.78),
    ("AU10", "AU14"): (0.47, 0.61),
    ("AU10", "AU17"): (-0.06, -0.07),
    ("AU12", "AU14"): (0.38, 0.60),
    ("AU12", "AU17"): (-0.18, -0.11),
    ("AU14", "AU17"): (0.09, -0.07),
}
CHANGES = {  # per frame; share of ±1 among them; mean run in frames
    "AU06": (0.0195, 0.823, 50.6),
    "AU10": (0.0203, 0.853, 48.5),
    "AU12": (0.0244, 0.927, 40.6),
    "AU14": (0.0187, 0.838, 52.6),
    "AU17": (0.0344, 0.922, 28.8),
}
TASK_RATES = {  # occurrence in T1..T8, columns AU06..AU17
    "train": (
        (0.5931, 0.7955, 0.8306, 0.5271, 0.3058),
        (0.0939, 0.1697, 0.0427, 0.2884, 0.2737),
        (0.2425, 0.2379, 0.2791, 0.3932, 0.1869),
        (0.7275, 0.8520, 0.8962, 0.5744, 0.3322),
        (0.6438, 0.7446, 0.7668, 0.5646, 0.3867),
        (0.4144, 0.4989, 0.4166, 0.6094, 0.3595),
        (0.4212, 0.6499, 0.6202, 0.6325, 0.3181),
        (0.4724, 0.7509, 0.4892, 0.5633, 0.4348),
    ),
    "evaluation": (
        (0.6436, 0.6161, 0.8061, 0.4805, 0.3540),
        (0.0340, 0.1510, 0.0005, 0.1264, 0.3460),
        (0.2837, 0.3225, 0.3603, 0.3442, 0.2442),
        (0.7868, 0.7785, 0.8999, 0.5499, 0.3682),
        (0.5553, 0.7783, 0.8192, 0.5277, 0.3625),
        (0.3779, 0.6468, 0.3160, 0.3790, 0.3653),
        (0.4770, 0.6931, 0.7272, 0.4318, 0.3381),
        (0.4964, 0.6869, 0.4859, 0.3954, 0.5661),
    ),
}
SPLITS = ("train", "evaluation")

made = functools.cache(make_labels)


@pytest.fixture(scope="module", params=[2018, 7])  # the profiles' seed, and another
def labels(request):
    return made(request.param)


@pytest.fixture(scope="module")
def small(labels):
    return strided(labels, 12)


def known(labels: pd.DataFrame, split: str) -> pd.DataFrame:
    """The split's levels, NaN where unknown; index: subject, task."""
    rows = labels[labels["split"] == split].set_index(["subject", "task"])
    levels = rows[list(AU_NAMES)].astype(float)
    return levels.where(levels != UNKNOWN)


def shares(levels: pd.Series) -> np.ndarray:
    return np.array([(levels == level).sum() for level in range(6)]) / levels.count()


def test_sequences_have_the_form_of_bp4d(labels):
    assert tuple(labels["subject"].unique()) == SUBJECTS
    assert SUBJECTS[0] == "F001" and SUBJECTS[-1] == "M018" and len(SUBJECTS) == 41
    order = ["subject", "task", "frame"]
    assert labels[order].equals(labels[order].sort_values(order, ignore_index=True))
    odd = labels["subject"].str[1:].astype(int) % 2 == 1
    assert (labels["split"] == np.where(odd, "train", "evaluation")).all()
    assert labels["split"].value_counts().to_dict() == {
        "train": 75586,
        "evaluation": 71261,
    }
    frames = labels.groupby(["subject", "task"])["frame"].agg(["min", "max", "size"])
    assert len(frames) == 328 and set(labels["task"]) == set(TASKS)
    assert (frames["max"] - frames["min"] + 1 == frames["size"]).all()
    assert frames["size"].between(90, 768).all() and frames["size"].std() > 80
    assert frames["min"].min() == 1 and frames["max"].max() <= 2992
    assert 0.25 < (frames["min"] == 1).mean() < 0.45  # BP4D: 115 of 320
    assert (labels[list(AU_NAMES)].dtypes == np.int8).all()


def test_evaluation_levels_are_those_of_the_development_set(labels):
    levels = known(labels, "evaluation")
    for au, counts in DEVELOPMENT.items():
        wanted = np.array(counts) / sum(counts)
        # ranks give the levels, so rare levels too are within a frame or two
        assert np.abs(shares(levels[au]) - wanted).max() < 1.5 / levels[au].count(), au


def test_training_levels_are_the_proxy(labels):
    levels = known(labels, "train")
    for au, given_present in GIVEN_PRESENT.items():
        got = shares(levels[au])
        assert got[0] == pytest.approx(1 - OCCURRENCE[au], abs=0.001), au
        assert got[1:] / got[1:].sum() == pytest.approx(given_present, abs=0.001), au


@pytest.mark.parametrize("split", SPLITS)
def test_strided_levels_keep_the_marginals(labels, small, split):
    for au in AU_NAMES:
        full, part = (shares(known(table, split)[au]) for table in (labels, small))
        assert np.abs(full - part).max() < 0.03, au


def test_correlations_lie_between_the_two_estimates(labels, small):
    full, part = known(labels, "evaluation").corr(), known(small, "evaluation").corr()
    for (one, other), estimates in CORRELATIONS.items():
        low, high = min(estimates), max(estimates)
        assert low - 0.05 < full.loc[one, other] < high + 0.05, (one, other)
        assert low - 0.10 < part.loc[one, other] < high + 0.10, (one, other)
    assert full["AU17"].drop("AU17").between(-0.2, 0.1).all()


def test_training_correlations_have_the_same_form(labels):
    correlation = known(labels, "train").corr()
    for (one, other), estimates in CORRELATIONS.items():
        near = min(estimates) - 0.15, max(estimates) + 0.15
        assert near[0] < correlation.loc[one, other] < near[1], (one, other)


@pytest.mark.parametrize("split", SPLITS)
def test_levels_change_as_often_and_as_far(labels, split):
    # The source counts along each subject's tasks in a row.
    for au, (rate, single, mean_run) in CHANGES.items():
        levels = known(labels, split)[au].dropna()
        subject = levels.index.get_level_values("subject")
        level = levels.to_numpy().astype(int)
        same = subject[1:] == subject[:-1]
        jump = np.abs(np.diff(level))
        steps = jump[same & (jump > 0)]
        assert len(steps) / len(level) == pytest.approx(rate, rel=0.3), au
        assert (steps == 1).mean() == pytest.approx(single, abs=0.1), au
        ends = np.flatnonzero(~same | (jump > 0))
        runs = np.diff(np.concatenate([[-1], ends, [len(level) - 1]]))
        assert runs.mean() == pytest.approx(mean_run, rel=0.3), au
        assert 5 <= np.median(runs) <= 22, au  # BP4D: 6 to 18


@pytest.mark.parametrize("split", SPLITS)
def test_tasks_differ_as_in_bp4d(labels, small, split):
    for table, tolerance in ((labels, 0.06), (small, 0.12)):
        levels = known(table, split)
        present = (levels > 0).where(levels.notna()).astype(float)
        rates = present.groupby("task").mean()
        assert np.abs(rates.to_numpy() - TASK_RATES[split]).max() < tolerance


@pytest.mark.parametrize("split", SPLITS)
def test_people_differ_as_in_bp4d(labels, small, split):
    for table in (labels, small):
        levels = known(table, split)
        means = levels.groupby("subject").transform("mean").where(levels.notna())
        assert (means.var() / levels.var()).between(0.11, 0.24).all()


def test_unknown_levels_are_scattered_but_for_one_subject(labels):
    unknown = (labels[list(AU_NAMES)] == UNKNOWN).assign(
        subject=labels["subject"], task=labels["task"]
    )
    by_sequence = unknown.groupby(["subject", "task"]).mean()
    whole = by_sequence[(by_sequence == 1).any(axis=1)]
    assert set(whole.index.get_level_values("subject")) == {"F008"}
    assert 3 <= len(whole) < 8 and (whole["AU12"] == 1).all()
    of_f008 = unknown.loc[unknown["subject"] == "F008", "AU12"].sum()
    assert of_f008 == pytest.approx(2218, abs=300)
    unknown.loc[unknown["subject"] == "F008", "AU12"] = False
    counts = unknown[list(AU_NAMES)].sum() / len(labels) * 71261
    assert counts.to_numpy() == pytest.approx([144, 198, 16, 155, 76], rel=0.1)
    evaluation = labels[labels["split"] == "evaluation"]
    touched = (evaluation[list(AU_NAMES)] == UNKNOWN).any(axis=1).mean()
    assert 0.027 < touched < 0.044  # BP4D: .031 to .039
    starts = unknown[list(AU_NAMES)].astype(int).diff() == 1
    assert unknown[list(AU_NAMES)].sum().sum() / starts.sum().sum() < 15  # bursts


def test_coders_are_off_by_one_step_now_and_then(labels):
    for au in AU_NAMES:
        rows = labels[labels[au] != UNKNOWN]
        drawn = np.ceil(rows[f"drawn_{au}"].to_numpy() - 0.5)
        written = rows[au].to_numpy()
        off = np.abs(written - drawn)
        assert off.max() == 1, au
        assert 0.10 < off.mean() < 0.22, au
        ceiling = icc_3_1(np.column_stack([written, drawn]))
        assert 0.90 < ceiling < 0.98, au


def test_faces_move_within_their_limits(labels):
    drawn = labels[[f"drawn_{au}" for au in AU_NAMES]]
    assert (drawn.dtypes == np.float32).all()
    assert drawn.min().min() == 0 and 4.5 < drawn.max().min() <= drawn.max().max() <= 5
    limits = dict.fromkeys(
        "brow_raise_inner brow_raise_outer brow_lower lips_part jaw_drop blink".split(),
        (0, 1),
    )
    limits |= {"gaze_x": (-1, 1), "gaze_y": (-1, 1)}
    limits |= {"yaw": (-12, 12), "pitch": (-8, 8), "roll": (-6, 6)}
    for name, (low, high) in limits.items():
        assert labels[name].dtype == np.float32
        assert labels[name].between(low, high).all() and labels[name].std() > 0.05, name
    assert set(labels) == {
        *("subject", "task", "frame", "split", *AU_NAMES, *drawn, *limits)
    }
    assert not labels.isna().any().any()


def test_distractors_are_smooth_and_lips_part_with_smiles(labels):
    same = (labels["task"] == labels["task"].shift()).to_numpy()
    for name in ("yaw", "pitch", "roll", "brow_lower", "lips_part"):
        step = labels[name].diff().abs()[same]
        assert step.median() < 0.05 * labels[name].std(), name
    assert labels["lips_part"].corr(labels["drawn_AU12"]) > 0.6
    shut = (labels["blink"] > 0).to_numpy()
    blinks = np.flatnonzero(np.diff(shut.astype(int)) == 1)
    assert 7 <= shut.sum() / len(blinks) < 9  # a third of a second
    assert len(labels) / 25 / 60 * 10 < len(blinks) < len(labels) / 25 / 60 * 20


def test_a_seed_gives_one_set_of_labels():
    # In another process, with another order of hashes and another number of threads.
    code = (
        "from companion.standin.labels import make_labels; import hashlib;"
        "text = make_labels(7).iloc[::9].to_csv();"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "5", "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    here = hashlib.sha256(made(7).iloc[::9].to_csv().encode()).hexdigest()
    assert other.stdout.strip() == here, other.stderr


def test_seeds_differ():
    one, other = made(2018), made(7)
    assert not one["frame"].equals(other["frame"])
    assert one["AU12"].ne(other["AU12"]).mean() > 0.3


def test_the_default_size(small):
    assert len(small) == 328 * 12
    assert (small.groupby(["subject", "task"]).size() == 12).all()
    steps = small.groupby(["subject", "task"])["frame"].diff().dropna()
    assert steps.mean() == pytest.approx(37, abs=1)


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=8),
    count=st.integers(1, 400),
)
def test_strided_frames_are_evenly_spread(lengths, count):
    labels = pd.concat(
        [
            pd.DataFrame(
                {
                    "subject": "F001",
                    "task": task,
                    "split": "train",
                    "frame": range(length),
                }
            )
            for task, length in zip(TASKS, lengths)
        ]
    )
    rows = strided(labels, count)
    for task, length in zip(TASKS, lengths):
        frames = rows.loc[rows["task"] == task, "frame"].to_numpy()
        assert len(frames) == min(count, length)
        assert frames[0] + frames[-1] - (length - 1) in (0, 1)  # as far from both ends
        assert len(frames) == 1 or np.ptp(np.diff(frames)) <= 1
        if count >= length:
            assert frames.tolist() == list(range(length))


@pytest.mark.parametrize("count", [0, {"train": 1}, {"train": 3, "evaluation": 0}])
def test_strided_needs_a_frame(count):
    with pytest.raises(ValueError, match="frames_per_task is .*: give 1 or more"):
        strided(pd.DataFrame(), count)


def test_strided_by_split():
    """The numbers are those of the profile standin_gpu."""
    labels = make_labels(2018)
    rows = strided(labels, {"train": 240, "evaluation": 125})
    for split, count in [("train", 240), ("evaluation", 125)]:
        alone = strided(labels, count).query("split == @split")
        found = rows[rows["split"] == split]
        assert found["frame"].tolist() == alone["frame"].tolist()
    sizes = rows["split"].value_counts()
    assert 38_000 < sizes["train"] <= 40_320 and 19_000 < sizes["evaluation"] <= 20_000
    assert not rows.duplicated(["subject", "task", "frame"]).any()
    order = ["subject", "task", "frame"]
    assert rows[order].equals(rows[order].sort_values(order, ignore_index=True))
