"""What the notebooks share: profiles, figures, provenance, and being run by papermill.

    python -m aulib.notebook SOURCE TARGET -p name value …

runs a notebook in its own directory and moves the result to TARGET when it has
ended well. Unknown parameters are refused before anything runs. What differs from
run to run (times, random ids) is left out, so equal results are equal files.
"""

import argparse
import ast
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import yaml
from matplotlib.figure import Figure

from aulib.files import whole

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: notebooks, data, figures and runs are found from here."""

COLUMN_WIDTH, TEXT_WIDTH = 3.4, 7.0
"""Inches: the widths of a figure in one column and in two of a two-column page."""

COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]
"""Colours that the colour-blind can tell apart (Okabe and Ito, 2008)."""

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scipy")
"""Those whose version can change a number; they stand in every provenance."""

PROFILE_KEYS = {
    *("title", "data_root", "standin", "boxes", "crop_size", "network_width"),
    *("epochs", "learning_rate_step", "batch_size", "accumulation", "momentum"),
    *("weight_decay", "seeds", "threads", "models"),
}
MODEL_KEYS = {"method", "learning_rate", "scale", "sampler", "weights"}


def load_profile(name: str) -> dict:
    """The settings in `notebooks/profiles/<name>.yaml`.

    Raises:
        ValueError: there is no such profile, or it lacks a key or has one too many.
    """
    path = ROOT / "notebooks" / "profiles" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise ValueError(f"{path}: no such profile; there are {known}")
    profile = yaml.safe_load(path.read_text())
    _check_keys(path, profile, PROFILE_KEYS)
    for model, settings in profile["models"].items():
        _check_keys(path, settings, MODEL_KEYS, f" of model {model}")
    return profile


def _check_keys(path: Path, found: dict, expected: set[str], where: str = "") -> None:
    for key in sorted(set(found) ^ expected):
        what = "is unknown" if key in found else "is missing"
        raise ValueError(f"{path}: key {key!r}{where} {what}")


def run_directory(profile: str) -> Path:
    """Where everything that a run makes goes: `runs/<profile>`."""
    return ROOT / "runs" / profile


def training_settings(profile: dict, model: dict) -> dict:
    """The keyword arguments of `aulib.training.train` but for the seed.

    Args:
        profile: of `load_profile`.
        model: one of its models, or one of a grid's.
    """
    shared = ("epochs", "batch_size", "accumulation", "learning_rate_step")
    settings = {key: profile[key] for key in (*shared, "momentum", "weight_decay")}
    settings |= model | {"width": profile["network_width"]}
    if settings["weights"] not in (None, "imagenet"):
        settings["weights"] = ROOT / settings["weights"]
    return settings


def figure_style() -> None:
    """The one style of all figures: legible at column width, reproducible vectors."""
    mpl.rcParams.update(
        {
            "figure.dpi": 100,
            "savefig.dpi": 300,
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "font.size": 8,
            "axes.titlesize": 8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": mpl.cycler(color=COLOURS),
            "legend.frameon": False,
            "svg.hashsalt": "aulib",
            "svg.fonttype": "none",
            "pdf.fonttype": 42,
        }
    )


def save_figure(
    figure: Figure, directory: Path, name: str, numbers: pd.DataFrame
) -> None:
    """Write `<name>.png`, `.svg`, `.pdf` and, with the numbers drawn, `.csv`."""
    directory.mkdir(parents=True, exist_ok=True)
    figure.savefig(directory / f"{name}.png", metadata={"Software": None})
    figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
    figure.savefig(directory / f"{name}.pdf", metadata={"CreationDate": None})
    numbers.to_csv(directory / f"{name}.csv", index=False, float_format="%.6g")


def stable_provenance(profile: str, **more: object) -> pd.Series:
    """What a notebook's numbers depend on and another run of it shares.

    Args:
        profile: its name.
        more: further facts, such as the data's fingerprint or the seeds.
    """
    facts = {"profile": profile, **more}
    facts["python"] = ".".join(platform.python_version_tuple()[:2])
    facts |= {package: version(package) for package in PACKAGES}
    return pd.Series({key: str(value) for key, value in facts.items()}, name="")


_started = time.time()


def write_provenance(path: Path, stable: dict, **more: float) -> None:
    """Write `stable`, and what changes from run to run: commit, time … and `more`."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kibibytes = 1 if sys.platform.startswith("linux") else 1 / 1024
    volatile = {
        "commit": commit or "not a git checkout",
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "system": platform.system(),
        "seconds": round(time.time() - _started, 1),
        "peak_memory_mib": round(peak * kibibytes / 1024),
        **more,
    }
    versions = {package: version(package) for package in PACKAGES}
    record = {**stable, "versions": versions, "volatile": volatile}
    with whole(path) as file:
        file.write(json.dumps(record, indent=2).encode() + b"\n")


def execute(source: Path, target: Path, parameters: dict[str, object]) -> None:
    """Run a notebook with papermill; `target` appears only when it ended well.

    What a cell writes on standard error, progress bars among it, is shown as it
    comes. A notebook that fails is left beside the target as `<name>.failed.ipynb`.

    Raises:
        ValueError: a parameter that the notebook's parameters cell does not have.
        papermill.PapermillExecutionError: a cell has failed.
    """
    import papermill

    known = papermill.inspect_notebook(str(source))
    for name in parameters:
        if name not in known:
            raise ValueError(
                f"{source}: no parameter {name!r}; it has {', '.join(sorted(known))}"
            )
    # A value that is the default anyway needs no second parameters cell.
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
        # ipykernel warns at each start that it talks without encryption, to itself
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    normalised = json.dumps(
        normalise(json.loads(failed.read_text())), indent=1, ensure_ascii=False
    )
    failed.write_text(normalised + "\n")
    os.replace(failed, target)


def normalise(notebook: dict) -> dict:
    """Leave out of an executed notebook what differs between two equal runs.

    That is papermill's and Jupyter's times, the random id of the injected cell, the
    interpreter's patch version, the pieces in which text came, and progress bars
    (stderr with carriage returns; any other output on standard error stays and is there
    to be seen).
    """
    notebook["metadata"] = {
        "kernelspec": notebook["metadata"]["kernelspec"],
        "language_info": {"name": "python"},
    }
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        cell["metadata"] = {"tags": tags} if tags else {}
        if "injected-parameters" in tags:
            cell["id"] = "injected-parameters"
        if cell["cell_type"] == "code":
            kept = [out for out in cell["outputs"] if not _is_progress(out)]
            cell["outputs"] = _join_streams(kept)
    return notebook


def _join_streams(outputs: list[dict]) -> list[dict]:
    """One output where a slow machine has cut what was printed into several."""
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
    """What was wrong, in a line: the end of a failed cell's traceback, say."""
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
