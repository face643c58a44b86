"""Python 3.12 and 3.13: they read all of our code and run its pure parts."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from companion.base.paths import ROOT

MODULES = sorted(
    path
    for package in ("aulib", "companion")
    for path in (ROOT / package).rglob("*.py")
)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARSE = """
import ast, json, pathlib, sys
for path in map(pathlib.Path, sys.argv[1:]):
    sources = [path.read_text(encoding="utf-8")]
    if path.suffix == ".ipynb":
        cells = json.loads(sources[0])["cells"]
        sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    for source in sources:
        ast.parse(source, str(path))
"""
COMPUTE = """
import hashlib, json, sys
from pathlib import Path
from companion.bp4d import AU_NAMES, read_frames
from aulib.icc import icc_per_au
from companion.standin.labels import make_labels, strided

labels = make_labels(7)
digest = hashlib.sha256(labels.iloc[::9].to_csv().encode()).hexdigest()
levels = strided(labels, 12)[list(AU_NAMES)].to_numpy()
frames, quarantine = read_frames(sys.argv[1])
scores = icc_per_au(levels, levels[::-1]).tolist()
print(json.dumps([digest, scores, frames.to_csv(), quarantine.to_csv()]))
"""


def find(minor: int) -> str:
    """An interpreter 3.<minor>, of the system's or of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(f"python3.{minor}")]
    candidates += sorted(map(str, pyenv.glob(f"versions/3.{minor}.*/bin/python")))
    for candidate in filter(None, candidates):
        command = [candidate, "-c", "import sys; print(sys.version_info[1])"]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode == 0 and answer.stdout.strip() == str(minor):
            return candidate
    pytest.skip(f"no Python 3.{minor} here")


@pytest.mark.parametrize("minor", [12, 13])
def test_reads_the_code_and_runs_the_doctor(minor):
    python = find(minor)
    command = [python, "-W", "error", "-c", PARSE, *MODULES, *NOTEBOOKS]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr

    command = [python, "-E", "-S", "-m", "companion.workflow.doctor", "standin"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert answer.stdout.split()[:3] == ["Python", "ok", answer.stdout.split()[2]]
    assert f"3.{minor}." in answer.stdout.splitlines()[0], answer.stderr


@pytest.mark.stress
@pytest.mark.parametrize("minor", [12, 13])
def test_labels_reader_and_metric_give_the_same(minor, tmp_path):
    """With packages of its own, installed for it."""
    subprocess.run([find(minor), "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    packages = ["numpy", "pandas", "pillow", "simplejpeg"]
    packages += ["filelock", "joblib", "tqdm"]
    install = [python, "-m", "pip", "install", "--quiet", "--constraint"]
    subprocess.run([*install, ROOT / "constraints.txt", *packages], check=True)
    tree = tmp_path / "tree"
    codes = tree / "AU Intensity Codes3.0" / "AU06"
    codes.mkdir(parents=True)
    (tree / "BP4D-training" / "F001" / "T1").mkdir(parents=True)
    (codes / "F001_T1_AU06.csv").write_text("1,0\n2,7\n3,x\n")
    answers = []
    for one in (sys.executable, python):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [one, "-c", COMPUTE, tree]
        answer = subprocess.check_output(command, text=True, env=environment)
        answers.append(json.loads(answer))
    assert answers[0] == answers[1]
