"""Build the site: the English pages, the Portuguese ones, and a page that chooses.

    python -m companion.workflow.site [DIRECTORY]

The default directory is `runs/site`. It needs the extra `site`.
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from companion.base.paths import ROOT

SITE = ROOT / "site"
LANGUAGES = {"en": [], "pt-br": ["-t", "pt"]}
"""Folder of a language → what Sphinx is told."""


def build(directory: Path) -> Path:
    """Build the site anew.

    Args:
        directory: where it goes; what is there is removed.

    Returns:
        The page to open.

    Raises:
        RuntimeError: Sphinx is missing, or it warns or fails.
    """
    if find_spec("sphinx") is None:
        raise RuntimeError("the site needs Sphinx: `make site` installs it")
    shutil.rmtree(directory, ignore_errors=True)
    for folder, options in LANGUAGES.items():
        command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning"]
        command += ["--fresh-env", "--doctree-dir", str(directory / ".doctrees")]
        command += [
            "--conf-dir",
            str(SITE),
            *options,
            str(ROOT),
            str(directory / folder),
        ]
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        if subprocess.run(command, env=environment).returncode:
            raise RuntimeError(f"the site's pages in {folder} could not be built")
    for left in (".doctrees", "jupyter_execute"):
        shutil.rmtree(directory / left)
    return Path(shutil.copy(SITE / "choose.html", directory / "index.html"))


def main() -> int:
    directory = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "runs" / "site"
    try:
        page = build(directory)
    except RuntimeError as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    print(f"open {page.resolve().as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
