"""Notebook 01 on trees that nothing can be trained or evaluated on."""

import re

import pandas as pd
import pytest
from checkout import copy_checkout, run, write_profile
from trees import NAMES, sequence, write_tree

FULL = {**sequence(), **sequence(subject="F002")}
PICTURES = {("F001", "T1"): NAMES, ("F002", "T1"): NAMES}
TEXT = "frame;AU\nfirst;low\n"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return copy_checkout(tmp_path_factory.mktemp("broken") / "copy")


@pytest.mark.parametrize(
    "name, pictures, rows, message, reasons",
    [
        (
            "one half",
            {("F001", "T1"): NAMES},
            sequence() | {("F001", "T1", 6): "1,0\n2,7\n3,0\n"},
            "evaluation: no frame of a person with an even number",
            {"code is neither 0 to 5 nor 9"},
        ),
        (
            "no label",
            PICTURES,
            {key: TEXT for key in FULL},
            r"no frame has a known code: .*F001_T1_AU\d\d.csv, line 1: 'frame;AU'; ",
            {"frame is not a number"},
        ),
        (
            "unknown all",
            PICTURES,
            {key: "1,9\n2,9\n3,9\n4,9\n" for key in FULL},
            "no frame has a known code: .*'no image'",
            {"no image"},
        ),
    ],
)
def test_the_notebook_gets_as_far_as_the_quarantine_and_says_what_is_missing(
    checkout, name, pictures, rows, message, reasons
):
    write_tree(checkout / name, pictures, rows)
    profile = name.replace(" ", "_")
    write_profile(checkout, profile, {"standin": None, "data_root": name})
    notebook, target = "notebooks/01_data_cleaning.ipynb", checkout / f"{profile}.ipynb"
    command = ["companion.workflow.execute", notebook, target, "-p", "profile", profile]
    answer = run(checkout, *command)
    assert answer.returncode == 1
    last = answer.stderr.strip().splitlines()[-1]
    assert re.search(rf"^01_data_cleaning.ipynb: ValueError: .*{message}", last), last
    assert last.endswith("quarantine.csv")
    clean = checkout / "runs" / profile / "clean"
    assert set(pd.read_csv(clean / "quarantine.csv")["reason"]) == reasons
    shown = target.with_suffix(".failed.ipynb").read_text()
    assert next(iter(reasons)) in shown and "traceback" in shown
