"""`make record`: copy a finished run to where git keeps it.

Outputs, metrics and provenance of each training go to `data/recorded/<profile>`, of
the stand-in alone: outputs hold the coders' codes, and BP4D's are licensed. So do those
of the grid `table_2`, where they have been made, and of the grid `ablation` the sums by
person and epoch that its notebook computes with. What `make bench` has measured goes to
`data/benchmarks`.
For the default profile the notebooks are then executed once more, as they stand in
`notebooks/`, so that what is committed is what a visitor's own execution gives; and
what they drew goes to `figures/`.

    python -m aulib.record PROFILE
"""

import shutil
import sys
from pathlib import Path

from papermill.exceptions import PapermillExecutionError

from aulib.checkpoint import finished
from aulib.grid import load_grid, runs_of
from aulib.notebook import ROOT, execute, last_line, load_profile, run_directory
from aulib.results import read_sums, sums_table

GRID_FILES = ("outputs.parquet", "metrics.csv", "provenance.json")
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
    made, target = run_directory(name), ROOT / "data" / "recorded" / name
    wanted = [
        (model, seed, TRAINING_FILES)
        for model in profile["models"]
        for seed in profile["seeds"]
    ]
    for data, model, seed in runs_of(load_grid("table_2")):
        there = finished(made / "training" / f"{model}_{seed}")
        if data == name and model not in profile["models"] and there:
            wanted.append((model, seed, GRID_FILES))
    copies = {}
    for model, seed, files in wanted:
        run = Path("training") / f"{model}_{seed}"
        copies |= {made / run / file: target / run / file for file in files}
    correlations = made / "clean" / "training_correlations.csv"
    copies[correlations] = target / correlations.name
    return copies


def record_sums(name: str, grid: str) -> bool:
    """Keep a grid's sums by person and epoch; nothing where a run has not ended.

    Returns:
        Whether they have been written.
    """
    sums, failed = read_sums(name, "runs", grid)
    if failed:
        return False
    path = ROOT / "data" / "recorded" / name / f"{grid}.parquet"
    sums_table(sums).to_parquet(path, compression="zstd", index=False)
    return True


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
        if not record_sums("standin", "ablation"):
            print("ablation: not all of its runs have ended; what is recorded stays")
        record_notebooks()
    print("recorded; `git status` shows what has changed")


if __name__ == "__main__":
    main()
