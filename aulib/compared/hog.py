"""What a user might pick instead of a network: HOG features, linear regression.

Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) of the central square of
a crop, and for each AU a linear support vector regressor. It is the recipe of OpenFace
(Baltrušaitis et al., FG 2015) less its alignment, its geometry and its person-specific
calibration.

The regressor's C is chosen by cross-validation in five parts, each of other people,
within the training frames: the evaluation frames have no say. Targets are the levels
as they are, so Eq. 3 with scale 1 gives the level. There are no epochs: outputs and
metrics have one, called 1.
"""

import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from skimage.feature import hog
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR
from tqdm import tqdm

from aulib import AU_NAMES, UNKNOWN
from aulib.checkpoint import begin, finish, sources, write_epoch
from aulib.faces import CropStore, central_crops
from aulib.files import only_one
from aulib.inference import to_intensity
from aulib.method import Answer, output_table, scores
from aulib.story import Story

CELLS, CELLS_OF_BLOCK, ORIENTATIONS = 8, 2, 9  # cells of a side; those of a block's
CHOICES = (1e-4, 1e-3, 1e-2, 1e-1)  # of C
MARGIN = 0.1  # what an error is above it costs its square
PARTS = 5  # of the cross-validation


def hog_features(store: CropStore, rows: np.ndarray) -> np.ndarray:
    """HOG of the central squares: float32 (N, F), F = 7 · 7 · 2 · 2 · 9 = 1,764."""
    described = []
    cell = store.crop_size // CELLS
    for row in tqdm(rows, "HOG", unit="img", leave=False):
        values = hog(
            central_crops(store, np.array([row]), cell * CELLS)[0],
            orientations=ORIENTATIONS,
            pixels_per_cell=(cell, cell),
            cells_per_block=(CELLS_OF_BLOCK, CELLS_OF_BLOCK),
            channel_axis=2,
        )
        described.append(values.astype(np.float32))
    return np.stack(described)


def fit(
    features: np.ndarray, levels: np.ndarray, subjects: np.ndarray, seed: int
) -> GridSearchCV:
    """The regressor of one AU, its C chosen on people left out.

    Args:
        features: float (M, F).
        levels: (M,), 0..5.
        subjects: (M,), whose frame it is.
        seed: of the parts; the solver draws nothing.

    Returns:
        Fitted on all frames with the best C, which `best_params_` names.

    Raises:
        ValueError: there are fewer people than parts.
        RuntimeError: the fit on all frames does not converge.
    """
    people = len(np.unique(subjects))
    if people < PARTS:
        raise ValueError(f"{people} people: cross-validation wants {PARTS} or more")
    support = LinearSVR(
        epsilon=MARGIN,
        loss="squared_epsilon_insensitive",
        dual=False,
        random_state=seed,
    )
    search = GridSearchCV(
        make_pipeline(StandardScaler(), support),
        {"linearsvr__C": CHOICES},
        scoring="neg_mean_absolute_error",
        cv=GroupKFold(PARTS, shuffle=True, random_state=seed),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)  # it is never half fitted
        try:
            return search.fit(features, levels, groups=subjects)
        except ConvergenceWarning as error:
            raise RuntimeError(f"a regressor did not converge ({error})") from error


def train(store: CropStore, directory: Path, *, seed: int) -> pd.DataFrame:
    """Fit, evaluate and write a run, as `aulib.training.train` writes one.

    A finished run of the same seed on the same crops is read.

    Args:
        store: crops of the training and the evaluation frames.
        directory: of the run; its best.pt holds weights and offsets of the regressors.
        seed: as in `fit`.

    Returns:
        metrics.csv, of one row; the losses are mean absolute errors.

    Raises:
        ValueError: fewer people in training than parts; another process is at work.
    """
    directory = Path(directory)
    story = Story(directory, directory.name)
    parameters = {
        "method": "hog",
        "seed": seed,
        "crop_size": store.crop_size,
        "data": store.fingerprint,
    }
    with only_one(directory):
        start = begin(directory, parameters, story.say)
        if start.metrics is not None:
            return start.metrics
        began = time.perf_counter()
        training, evaluation = (
            store.index["split"].to_numpy() == split
            for split in ("train", "evaluation")
        )
        if not evaluation.any():
            raise ValueError("no evaluation frames: look at notebook 01's waterfall")
        levels = store.index[list(AU_NAMES)].to_numpy().astype(np.int64)
        subjects = store.index["subject"].to_numpy()
        features = hog_features(store, np.arange(len(levels)))
        values, network = np.zeros(levels.shape, np.float32), {}
        for column, name in enumerate(AU_NAMES):
            found = fit(
                features[training], levels[training, column], subjects[training], seed
            )
            values[:, column] = found.predict(features)
            story.say(
                f"{directory.name}, {name}: C {found.best_params_['linearsvr__C']}"
            )
            scaler, support = (step for _, step in found.best_estimator_.steps)
            weights = support.coef_ / scaler.scale_  # as if nothing had been scaled
            offset = support.intercept_ - weights @ scaler.mean_
            network[f"{name}.weight"] = torch.from_numpy(weights)
            network[f"{name}.bias"] = torch.from_numpy(offset)
        outputs = torch.from_numpy(values[evaluation])
        answer = Answer(outputs, to_intensity(outputs, 1.0), rounded=True)
        truth, known = levels[evaluation], levels[evaluation] != UNKNOWN
        row = {
            "epoch": 1,
            "learning_rate": 0.0,
            "train_loss": np.abs(values[training] - levels[training]).mean(),
            "evaluation_loss": np.abs(values[evaluation] - truth)[known].mean(),
            **scores(answer, torch.from_numpy(truth)),
        }
        metrics = pd.DataFrame([row])
        table = output_table(store.index[evaluation], 1, answer)
        checkpoint = {"network": network, "parameters": parameters}
        # what a call that was stopped at its very end has left is made again
        shutil.rmtree(directory / "epochs", ignore_errors=True)
        write_epoch(directory, 1, checkpoint, metrics, table)
        seconds = round(time.perf_counter() - began, 2)
        story.say(f"{directory.name}: mean ICC {row['mean']:.3f} after {seconds:.0f} s")
        facts = {
            "sources": sources(),
            "network_parameters": sum(value.numel() for value in network.values()),
        }
        finish(directory, parameters, metrics, facts, seconds)
    return metrics
