"""`make record`: copy a finished run to where git keeps it.

Outputs, metrics and provenance of each training go to `data/recorded/<profile>`, of
the stand-in alone: outputs hold the coders' codes, and BP4D's are licensed. What `make
bench` has measured goes to `data/benchmarks`.
For the default profile the notebooks are then executed once more, as they stand in
`notebooks/`, so that what is committed is what a visitor's own execution gives; and
what they drew goes to `figures/`.

    python -m aulib.record PROFILE
"""

import shutil
import sys
from pathlib import Path

from papermill.exceptions import PapermillExecutionError

from aulib.notebook import ROOT, execute, last_line, load_profile, run_directory

TRAINING_FILES = ("outputs.parquet", "metrics.csv", "spectrum.csv", "provenance.json")
FIGURE_SUFFIXES = (".png", ".svg", ".pdf", ".jpg", ".csv")


def training_copies(name: str) -> dict[Path, Path]:
    """Source → target of what is recorded: the trainings, the labels' correlations.

    Raises:
        ValueError: the profile's data are not a stand-in's.
    """
    profile = load_profile(name)
    if not profile["standin"]:
        raise ValueError(
            f"profile {name}: its outputs hold the coders' codes, which are licensed; "
            "only stand-in runs are recorded"
        )
    copies = {}
    for model in profile["models"]:
        for seed in profile["seeds"]:
            run = Path("training") / f"{model}_{seed}"
            for file in TRAINING_FILES:
                target = ROOT / "data" / "recorded" / name / run / file
                copies[run_directory(name) / run / file] = target
    correlations = run_directory(name) / "clean" / "training_correlations.csv"
    copies[correlations] = ROOT / "data" / "recorded" / name / correlations.name
    return copies


def bench_copies() -> dict[Path, Path]:
    """Source → target of what `make bench` has measured last, if it has."""
    sources = sorted((ROOT / "runs" / "bench").glob("*.*"))
    return {path: ROOT / "data" / "benchmarks" / path.name for path in sources}


def copy_all(copies: dict[Path, Path]) -> None:
    """Copy every file, or none where one is missing.

    Raises:
        FileNotFoundError: the first file that is missing.
    """
    for source in copies:
        if not source.is_file():
            raise FileNotFoundError(f"{source}: not there; let `make` come to its end")
    for source, target in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def record_notebooks() -> None:
    """Execute the notebooks as they stand; keep them and what they drew."""
    made = run_directory("standin")
    executed = {}
    for notebook in sorted((ROOT / "notebooks").glob("0*.ipynb")):
        target = made / "notebooks" / "as_committed" / notebook.name
        print(notebook.name, flush=True)
        try:
            execute(notebook, target, {})
        except PapermillExecutionError as error:
            sys.exit(f"{notebook.name}: {last_line(error)}")
        executed[target] = notebook
    figures = sorted((made / "figures").glob("*"))
    figures = [path for path in figures if path.suffix in FIGURE_SUFFIXES]
    copy_all(executed | {path: ROOT / "figures" / path.name for path in figures})


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m aulib.record PROFILE")
    try:
        copy_all(training_copies(sys.argv[1]) | bench_copies())
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    if sys.argv[1] == "standin":
        record_notebooks()
    print("recorded; `git status` shows what has changed")


if __name__ == "__main__":
    main()
