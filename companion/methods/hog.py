"""What a user might choose instead of a network: HOG features, linear regression.

Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) of the central square of
a crop, and a linear support vector regressor for each AU. It is the recipe of OpenFace
(Baltrušaitis et al., FG 2015) without its alignment, its geometry and its
person-specific calibration.

Cross-validation within the training frames chooses the regressor's C. It has five
parts, each with other people; the evaluation frames play no role. The targets are the
levels, so Eq. 3 with scale 1 gives the estimates.
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from skimage.feature import hog
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR
from tqdm import tqdm

from companion.bp4d import AU_NAMES
from companion.crops.squares import central_corners, cut_squares
from companion.crops.store import CropStore

CELLS, CELLS_PER_BLOCK, ORIENTATIONS = 8, 2, 9  # cells along a side of the square
CHOICES = (1e-4, 1e-3, 1e-2, 1e-1)  # of C
MARGIN = 0.1  # levels; a larger error costs the square of what exceeds it
PARTS = 5  # of the cross-validation


def hog_features(store: CropStore, rows: np.ndarray) -> np.ndarray:
    """HOG of the central squares: float32 (N, F), F = 7 · 7 · 2 · 2 · 9 = 1,764."""
    cell = store.crop_size // CELLS
    edge = (store.crop_size - CELLS * cell) // 2
    inner = slice(edge, edge + CELLS * cell)
    features = []
    for row in tqdm(rows, "HOG", unit="img", leave=False):
        one = np.array([row])
        square = cut_squares(store, one, central_corners(store, one))[0]
        values = hog(
            square[inner, inner],
            orientations=ORIENTATIONS,
            pixels_per_cell=(cell, cell),
            cells_per_block=(CELLS_PER_BLOCK, CELLS_PER_BLOCK),
            channel_axis=2,
        )
        features.append(values.astype(np.float32))
    return np.stack(features)


def fit(
    features: np.ndarray, levels: np.ndarray, subjects: np.ndarray, seed: int
) -> GridSearchCV:
    """Fit the regressor of one AU; cross-validation over people chooses its C.

    Args:
        features: float (M, F).
        levels: (M,), 0..5.
        subjects: (M,), the person in each frame.
        seed: of the cross-validation's parts; the solver draws nothing.

    Returns:
        The search, refitted on all frames with the best C, `best_params_`.

    Raises:
        ValueError: there are fewer people than parts.
        RuntimeError: a fit does not converge.
    """
    people = len(np.unique(subjects))
    if people < PARTS:
        raise ValueError(
            f"{people} people: the cross-validation needs at least {PARTS}"
        )
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
        error_score="raise",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return search.fit(features, levels, groups=subjects)
        except ConvergenceWarning as error:
            raise RuntimeError(f"a regressor did not converge ({error})") from error


def fit_all(
    store: CropStore, seed: int, log: Callable[[str], None]
) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
    """Fit the regressors of all AUs on the training frames.

    Args:
        store: crops of the training and the evaluation frames.
        seed: as in `fit`.
        log: takes a line of text for each AU.

    Returns:
        The estimates for all frames of the store, float32 (N, Q), and the regressors'
        weights and biases in terms of the plain features.
    """
    training, levels = store.rows("train"), store.levels
    subjects = store.index["subject"].to_numpy()[training]
    features = hog_features(store, np.arange(len(store)))
    estimates, regressors = np.zeros(levels.shape, np.float32), {}
    for column, name in enumerate(AU_NAMES):
        found = fit(features[training], levels[training, column], subjects, seed)
        estimates[:, column] = found.predict(features)
        log(f"{name}: C {found.best_params_['linearsvr__C']}")
        scaler, support = (step for _, step in found.best_estimator_.steps)
        weights = support.coef_ / scaler.scale_  # undo the scaler
        regressors[f"{name}.weight"] = torch.from_numpy(weights)
        regressors[f"{name}.bias"] = torch.from_numpy(
            support.intercept_ - weights @ scaler.mean_
        )
    return estimates, regressors
