"""The measuring scripts, run on something small, so that they keep working."""

import subprocess
import sys

from companion.base.paths import ROOT


def test_the_memory_of_a_training_is_measured():
    script = ROOT / "tests" / "scripts" / "bench_training.py"
    command = [sys.executable, script, "--memory", "64"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    assert 50 < float(answer.stdout) < 5000  # MiB
