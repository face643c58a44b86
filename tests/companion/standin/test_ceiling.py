"""The ceiling that the coder's noise sets, on labels made up here."""

import numpy as np
import pandas as pd
import pytest

from aulib.icc import icc_3_1
from companion.bp4d import AU_NAMES
from companion.standin import ceiling

AUS = list(AU_NAMES)


def test_what_the_faces_show_against_what_the_coder_writes(monkeypatch):
    generator = np.random.default_rng(0)
    labels = pd.DataFrame({"subject": "F002", "task": "T1", "frame": range(200)})
    shown = generator.uniform(0, 5, (200, 5))
    labels[[f"drawn_{au}" for au in AUS]] = shown
    written = np.clip(np.round(shown) + generator.integers(-1, 2, shown.shape), 0, 5)
    labels[AUS] = written.astype(np.int8)
    labels.loc[:9, "AU12"] = 9
    asked = []
    monkeypatch.setattr(ceiling, "make_labels", lambda s: asked.append(s) or labels)

    coded = labels.sample(frac=0.5, random_state=1)  # in another order
    coded = coded[["subject", "task", "frame", *AUS]].astype({"subject": "category"})
    found = ceiling.coder_ceiling(coded, 7)

    assert asked == [7] and list(found.index) == [*AUS, "mean"]
    rows = np.sort(coded.index.to_numpy())
    for q, au in enumerate(AUS):
        known = rows[rows > 9] if au == "AU12" else rows
        pairs = np.column_stack([written[known, q], np.round(shown[known, q])])
        assert found[au] == pytest.approx(icc_3_1(pairs))
    assert found["mean"] == pytest.approx(found[AUS].mean())
