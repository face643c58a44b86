"""Paths: the same from every working directory."""

import subprocess
import sys

from companion.base.paths import ROOT, run_directory, training_directory


def test_a_run_and_its_trainings_are_in_the_checkout():
    assert (ROOT / "pyproject.toml").is_file()
    assert run_directory("tiny") == ROOT / "runs" / "tiny"
    found = training_directory("tiny", "proposed", 42)
    assert found == ROOT / "runs" / "tiny" / "training" / "proposed_42"


def test_paths_do_not_depend_on_the_working_directory(tmp_path):
    code = f"import sys; sys.path.append({str(ROOT)!r})\n"
    code += "from companion.base.paths import ROOT; print(ROOT)"
    command = [sys.executable, "-c", code]
    answer = subprocess.check_output(command, text=True, cwd=tmp_path)
    assert answer == f"{ROOT}\n"
