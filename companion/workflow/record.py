"""Copy a finished run to where git keeps it (`make record`).

- Outputs, metrics and provenance of each training go to `data/recorded/<profile>`, and
  those of the grid `table_2` as far as it is trained; so do the sums that correlations
  of the training labels are made of, the PCA's components by the number of frames, and
  the spectrum after fine-tuning that leaves one person's frames out. Only the stand-in
  is recorded: outputs hold the coders' labels, and BP4D's labels are licensed.
- For the grid `ablation`, `data/recorded/standin/ablation.parquet` keeps the sums for
  each person and epoch, which are all that its notebook reads.
- The latest measurements of `make bench` go to `data/benchmarks`.
- For the profile `standin` the notebooks are executed once more with the parameters in
  `notebooks/`. So the committed outputs are those that a visitor gets. The figures that
  the notebooks draw go to `figures/`, their tables to `data/recorded/standin/tables`.
- The file beside each table that says its origin goes with it. `data/recorded.sha256`
  has the checksum of every recorded file and figure, and of what `make explorables`
  writes below `site`.

    python -m companion.workflow.record PROFILE
"""

import shutil
import subprocess
import sys
from pathlib import Path

from papermill.exceptions import PapermillExecutionError

from companion.analysis.runs import read_sums, runs_origin, sums_table
from companion.base.files import sha256
from companion.base.grids import load_grid, runs_of
from companion.base.paths import ROOT, run_directory
from companion.base.profiles import load_profile
from companion.base.tables import origin_path
from companion.training.checkpoint import finished
from companion.workflow.execute import execute, last_line

GRID_FILES = ("outputs.parquet", "metrics.csv", "provenance.json")
TRAINING_FILES = ("outputs.parquet", "metrics.csv", "spectrum.csv", "provenance.json")
TABLES = ("table_2", "ablation")  # folders of tables that the notebooks write
CHECKSUMS = "data/recorded.sha256"
FIGURE_SUFFIXES = (".png", ".svg", ".pdf", ".jpg", ".csv", ".json")


def training_copies(name: str) -> dict[Path, Path]:
    """Source → target of every file of a profile's trainings that is recorded.

    Raises:
        ValueError: the profile's data are not a stand-in's.
    """
    profile = load_profile(name)
    if not profile["standin"]:
        raise ValueError(
            f"profile {name}: its outputs hold the coders' labels, which are licensed; "
            "only stand-in runs are recorded"
        )
    source, target = run_directory(name), ROOT / "data" / "recorded" / name
    files = {
        f"{model}_{seed}": TRAINING_FILES
        for model in profile["models"]
        for seed in profile["seeds"]
    }
    for data, model, seed in runs_of(load_grid("table_2")):
        run = f"{model}_{seed}"
        ours = data == name and model not in profile["models"]
        if ours and finished(source / "training" / run):
            files[run] = GRID_FILES
    copies = {
        source / "training" / run / file: target / "training" / run / file
        for run in files
        for file in files[run]
    }
    tables = (
        "clean/training_pairs.csv",
        "pca/components_by_frames.csv",
        "pca/spectrum_without.csv",
    )
    for table in tables:  # of notebooks 01 and 02
        for path in (source / table, origin_path(source / table)):
            copies[path] = target / path.name
    return copies


def record_sums(name: str, grid: str) -> bool:
    """Record a grid's sums for each person and epoch if all its runs are finished.

    Returns:
        Whether the sums were recorded.
    """
    sums, missing = read_sums(name, "runs", grid)
    if missing:
        return False
    path = ROOT / "data" / "recorded" / name / f"{grid}.parquet"
    table = sums_table(sums)
    table.attrs["origin"] = runs_origin(name, "runs", sums)  # kept in the file
    table.to_parquet(path, compression="zstd", index=False)
    return True


def benchmark_copies() -> dict[Path, Path]:
    """Source → target of the latest measurements of `make bench`, if there are any."""
    sources = sorted((ROOT / "runs" / "bench").glob("*.*"))
    return {path: ROOT / "data" / "benchmarks" / path.name for path in sources}


def copy_all(copies: dict[Path, Path]) -> None:
    """Copy every file, or none if one is missing.

    Raises:
        FileNotFoundError: a file is missing; the error names the first.
    """
    for source in copies:
        if not source.is_file():
            raise FileNotFoundError(f"{source}: no such file; run `make` to its end")
    for source, target in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def checksums() -> dict[str, str]:
    """Path from the root → SHA-256 of every recorded file and every figure.

    So are those of the explorable pages, which `make explorables` writes.
    """
    folders = ROOT / "data" / "recorded", ROOT / "figures"
    paths = sorted(path for folder in folders for path in folder.rglob("*"))
    paths += sorted((ROOT / "site" / "_static" / "explorables").glob("data_*.js"))
    of_pages = sorted((ROOT / "site" / "explorables").glob("*"))
    paths += [path for path in of_pages if path.suffix in FIGURE_SUFFIXES]
    return {
        path.relative_to(ROOT).as_posix(): sha256(path)
        for path in paths
        if path.is_file()
    }


def write_checksums() -> None:
    """Write `checksums` to `data/recorded.sha256`; `sha256sum -c` reads it, too."""
    lines = [f"{digest}  {name}\n" for name, digest in checksums().items()]
    (ROOT / CHECKSUMS).write_text("".join(lines))


def tracked_notebooks() -> list[Path]:
    """The notebooks that git tracks; any other is the user's own.

    Raises:
        OSError: there is no git, it refuses, or it tracks none; in one line.
    """
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "notebooks/*.ipynb"]
    problem = f"{ROOT}: git can't list the notebooks, so nothing is recorded: "
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        raise OSError(problem + " ".join(reason.split())) from error
    names = sorted(filter(None, listed.stdout.split("\0")))
    if not names:  # unpacked inside another repository
        raise OSError(f"{problem}it tracks none here; use a clone")
    return [ROOT / name for name in names]


def record_notebooks(notebooks: list[Path]) -> None:
    """Execute the notebooks with their own parameters; keep all that they make."""
    made = run_directory("standin")
    executed = {}
    for notebook in notebooks:
        target = made / "notebooks" / "as_committed" / notebook.name
        print(notebook.name, flush=True)
        try:
            execute(notebook, target, {})
        except PapermillExecutionError as error:
            sys.exit(f"{notebook.name}: {last_line(error)}")
        executed[target] = notebook
    figures = sorted((made / "figures").glob("*"))
    figures = [path for path in figures if path.suffix in FIGURE_SUFFIXES]
    tables = [path for name in TABLES for path in sorted((made / name).glob("*.csv"))]
    tables += [origin_path(path) for path in tables]
    recorded = ROOT / "data" / "recorded" / "standin" / "tables"
    copy_all(
        executed
        | {path: ROOT / "figures" / path.name for path in figures}
        | {path: recorded / path.name for path in tables}
    )


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m companion.workflow.record PROFILE")
    try:
        notebooks = tracked_notebooks()  # first: nothing is copied if git fails
        copy_all(training_copies(sys.argv[1]) | benchmark_copies())
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    if sys.argv[1] == "standin":
        if not record_sums("standin", "ablation"):
            print("ablation: not all runs are finished; the recorded sums stay")
        record_notebooks(notebooks)
    write_checksums()
    print("recorded; `git status` shows what changed")


if __name__ == "__main__":
    main()
