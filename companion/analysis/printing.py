"""Numbers as text, and Table II: for a CSV, for Markdown and for LaTeX."""

from pathlib import Path

import numpy as np
import pandas as pd

from companion.base.tables import save_table
from companion.bp4d import AU_NAMES

SCORES = [*AU_NAMES, "mean"]
NOT_RUN = ("never begun", "not recorded")
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def signed(value: float, decimals: int = 3) -> str:
    """A number with its sign and so many decimals, as text; 0 has no sign."""
    if abs(value) < 0.5 * 10**-decimals:
        return f"{0:.{decimals}f}"
    return f"{value:+.{decimals}f}".replace("-", "−")


def any_by_chance(count: int) -> str:
    """How probable it is that chance alone puts 0 outside of an interval, as text.

    Args:
        count: of exact and independent 95 % intervals, of differences that are 0.

    Returns:
        The probability that at least one of them excludes 0: "1 − .95⁶ = 26 %".
    """
    power = f".95{str(count).translate(RAISED)}"
    return f"1 − {power} = {100 * (1 - 0.95**count):.0f} %"


def printed_rows(
    scores: pd.DataFrame,
    parameters: dict[str, int],
    failed: dict[tuple[str, int], str],
) -> pd.DataFrame:
    """The table's rows as text, and a row for each model without a finished run.

    Args:
        scores: from `companion.analysis.rows.score_table`.
        parameters: the number of trained parameters of each model.
        failed: (model, seed) → why the run is missing.

    Returns:
        Columns AU06 … AU17, mean, "95 %", "best epoch, over seeds", "last epoch",
        "parameters", "runs"; and "log" if a run is missing. Empty where there is
        nothing to say.
    """
    table = {}
    for name, row in scores.iterrows():
        model = str(name).split(",")[0]
        missing = sum(other == model for other, _ in failed)
        sd = "" if np.isnan(row["sd"]) else f" ± {row['sd']:.3f}"
        table[name] = row[SCORES].map("{:z.3f}".format).to_dict() | {
            "95 %": f"{row['low']:z.3f} to {row['high']:z.3f}",
            "best epoch, over seeds": f"{row['seeds']:z.3f}{sd}",
            "last epoch": f"{row['last']:z.3f}",
            "parameters": f"{parameters[model]:,}",
            "runs": f"{row['runs']:.0f} of {row['runs'] + missing:.0f}",
        }
    for (model, seed), why in failed.items():
        mark = why if why in NOT_RUN else "failed"
        none = dict.fromkeys(SCORES, mark) | {"runs": "none"}
        row = table.setdefault(model, none)
        log = [row.get("log", ""), f"{seed}: {why}".replace("\n", "; ")]
        row["log"] = " ".join(filter(None, log))
    return pd.DataFrame(table).T.fillna("")


def write_table(
    directory: Path, name: str, blocks: dict[str, pd.DataFrame], origin: dict
) -> None:
    """Write blocks of rows, one below the other, as `<name>.csv`, `.md` and `.tex`.

    The LaTeX needs the packages booktabs and multirow.

    Args:
        directory: where the files go.
        name: their name.
        blocks: heading → rows as text.
        origin: from `companion.base.provenance.file_origin`.
    """
    whole = pd.concat(blocks, names=["data", "model"]).fillna("")
    save_table(whole, directory / f"{name}.csv", origin)
    markdown = whole.reset_index().to_markdown(index=False, disable_numparse=True)
    (directory / f"{name}.md").write_text(markdown + "\n")
    style = whole.style.format(escape="latex")
    for axis in (0, 1):
        style = style.format_index(escape="latex", axis=axis)
    latex = style.to_latex(hrules=True, multirow_align="t")
    between = "\\\\\n\\midrule\n\\multirow"  # a line between the blocks
    latex = latex.replace("\\\\\n\\multirow", between)
    (directory / f"{name}.tex").write_text(latex)


def aggregate_table(
    aggregated: dict[str, dict[str, pd.DataFrame]], paper: pd.DataFrame, title: str
) -> pd.DataFrame:
    """The four aggregates of each model and the paper's numbers, for a CSV.

    Args:
        aggregated: model → tables of `companion.analysis.scores.aggregates`.
        paper: the paper's numbers, indexed by model and aggregate.
        title: of our data.

    Returns:
        Columns source, data, model, aggregate, AU06 … mean, and "sd AU06" … "sd mean".
    """
    ours = {
        model: tables["score"].join(tables["spread"].add_prefix("sd "))
        for model, tables in aggregated.items()
    }
    parts = {("this companion", title): pd.concat(ours), ("the paper", "BP4D"): paper}
    names = ["source", "data", "model", "aggregate"]
    return pd.concat(parts, names=names).reset_index()
