"""Run a notebook with papermill, so that equal results are equal files.

    python -m companion.workflow.execute SOURCE TARGET -p name value …

executes a notebook in its own directory and moves the result to TARGET if it succeeds.
Unknown parameters are refused before anything runs. Times and random ids, which differ
from run to run, are left out.
"""

import argparse
import ast
import json
import os
import re
import sys
import time
from pathlib import Path

import papermill
import yaml


def execute(source: Path, target: Path, parameters: dict[str, object]) -> None:
    """Execute a notebook with papermill; `target` appears only if it succeeds.

    Standard error, including progress bars, is shown at once. A notebook that fails is
    left beside the target as `<name>.failed.ipynb`.

    Raises:
        ValueError: a parameter that the notebook's parameters cell does not have.
        papermill.PapermillExecutionError: a cell failed.
    """
    known = papermill.inspect_notebook(str(source))
    for name in parameters:
        if name not in known:
            raise ValueError(
                f"{source}: no parameter {name!r}; it has {', '.join(sorted(known))}"
            )
    # Default values need no second parameters cell.
    changed = {
        name: value
        for name, value in parameters.items()
        if value != ast.literal_eval(known[name]["default"])
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    failed = target.with_suffix(".failed.ipynb")
    papermill.execute_notebook(
        str(source),
        str(failed),
        parameters=changed,
        cwd=str(source.resolve().parent),
        progress_bar=False,
        stderr_file=sys.stderr,
        autosave_cell_every=0,
        # The errors of cells are outputs, whatever the kernel logs. It logs a warning
        # at each start (its local connection is not encrypted) and an error at many an
        # end (jupyter_client interrupts it while it still gives its last answer).
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
    )
    normalised = json.dumps(
        normalise(json.loads(failed.read_text())), indent=1, ensure_ascii=False
    )
    failed.write_text(normalised + "\n")
    os.replace(failed, target)


def normalise(notebook: dict) -> dict:
    """Remove from an executed notebook what differs between two equal runs.

    These are papermill's and Jupyter's times, the random id of the injected cell, the
    interpreter's patch version, the split of printed text into pieces, and progress
    bars (stderr with carriage returns; any other text on stderr stays visible). Of a
    cell's metadata, the tags and `mystnb` stay, which holds a picture's alternative
    text.
    """
    notebook["metadata"] = {
        "kernelspec": notebook["metadata"]["kernelspec"],
        "language_info": {"name": "python"},
    }
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        kept = {key: cell["metadata"].get(key) for key in ("mystnb", "tags")}
        cell["metadata"] = {key: value for key, value in kept.items() if value}
        if "injected-parameters" in tags:
            cell["id"] = "injected-parameters"
        if cell["cell_type"] == "code":
            outputs = [out for out in cell["outputs"] if not _is_progress(out)]
            cell["outputs"] = _join_streams(outputs)
    return notebook


def _join_streams(outputs: list[dict]) -> list[dict]:
    """Join printed text that a slow machine has split into several outputs."""
    joined: list[dict] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.get("name") and output.get("name") == last.get("name"):
            text = "".join(last["text"]) + "".join(output["text"])
            last["text"] = text.splitlines(keepends=True)
        else:
            joined.append(output)
    return joined


def _is_progress(output: dict) -> bool:
    text = "".join(output.get("text", ""))
    return output.get("name") == "stderr" and ("\r" in text or not text.strip())


def last_line(error: Exception) -> str:
    """An error in one line: the last line of a failed cell's traceback."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().split("\n")[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="the notebook to run")
    parser.add_argument("target", type=Path, help="where the executed one goes")
    parser.add_argument(
        "-p", dest="parameters", nargs=2, action="append", default=[], metavar="X"
    )
    arguments = parser.parse_args()
    values = {name: yaml.safe_load(value) for name, value in arguments.parameters}
    started = time.time()
    try:
        execute(arguments.source, arguments.target, values)
    except Exception as error:
        sys.exit(f"{arguments.source.name}: {last_line(error)}")
    print(f"{arguments.target.name}: done in {time.time() - started:.0f} s")


if __name__ == "__main__":
    main()
