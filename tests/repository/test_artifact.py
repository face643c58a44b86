"""docs/artifact.md says the numbers that are recorded, and names what there is."""

import re

import pandas as pd
import pytest

from companion.base.paths import ROOT

TEXT = (ROOT / "docs" / "artifact.md").read_text()
TABLES = ROOT / "data" / "recorded" / "standin" / "tables"


def rows(start: str, cells: int) -> dict[str, list[str]]:
    """First cell → the others, of the table rows that start so."""
    found = [line for line in TEXT.splitlines() if re.match(rf"\| {start}\d+ \|", line)]
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in found]
    assert all(len(row) == cells for row in split)
    return {row[0]: row[1:] for row in split}


CLAIMS, EXPERIMENTS = rows("C", 5), rows("E", 5)


def table(name: str, **options) -> pd.DataFrame:
    return pd.read_csv(TABLES / f"{name}.csv", **options)


def our_rows() -> pd.DataFrame:
    """Table II's rows on stand-in data."""
    both = table("table_2_all")
    return both[both["data"] != "the paper, BP4D"].set_index("model")


def plain(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def signed(value: float) -> str:
    return f"{value:+.3f}".replace("0.", ".", 1).replace("-", "−")


def expected() -> dict[str, list[str]]:
    """What is recorded for each claim, as the page writes it, in its order."""
    runs = table("runs")["mean"]
    intervals = table("intervals").set_index(["what", "AU"])
    best = intervals["ICC(3,1)"]
    mean = intervals.loc[("difference", "mean")]
    all_rows = our_rows()["mean"]
    effects = table("effects").set_index(["effect", "AU"])["size"]
    interacting = table("interactions").set_index(["effect", "with"])
    interaction = interacting.loc[("pre-trained start", "targets × 2")]
    wrong = table("icc_goes_wrong", index_col=0)["off by"]
    verdicts = table("claims").set_index("claim")["verdict"]
    counts = verdicts.value_counts()
    names = "multinomial sampler", "pre-trained start", "targets × 2", "dropout 0.6"
    ways = "estimates ÷ 5, labels 0..5", "outputs not rounded"
    return {
        "C1": [plain(runs.min()), plain(runs.max())],
        "C2": [plain(best[model, "mean"]) for model in ("baseline", "proposed")]
        + [signed(mean[name]) for name in ("ICC(3,1)", "low", "high")],
        "C3": [signed(best["difference", au]) for au in ("AU10", "AU14", "AU17")],
        "C4": [plain(all_rows["hog"])],
        "C5": [signed(effects[name, "mean"]) for name in names],
        "C6": [signed(interaction[name]) for name in ("size with", "size without")],
        "C7": [plain(table("ceiling")["mean"].item())],
        "C8": [signed(wrong[name]) for name in ways],
        "C9": [verdicts["margins-are-one"]],
        "C10": [verdicts["mean-of-five-best"]],
        "C11": [
            f"{len(verdicts)} rows",
            f"{counts['holds']} hold",
            f"{counts['does not hold']} do not hold",
            f"{counts['cannot be decided here']} cannot be decided here",
        ],
    }


EXPECTED = expected()


def test_the_claims_are_these():
    assert list(CLAIMS) == list(EXPECTED)


@pytest.mark.parametrize("claim", EXPECTED)
def test_what_is_expected_is_what_is_recorded(claim):
    """Each number once, in this order, and no other number of three digits."""
    said, numbers = CLAIMS[claim][2], r"[+−]?(?<![\w])\.\d{3}"
    rest = said
    for value in EXPECTED[claim]:
        before, found, rest = rest.partition(value)
        assert found and not re.search(numbers, before), value
    assert not re.search(numbers, rest)


def test_the_claims_in_words_are_true_of_what_is_recorded():
    intervals = table("intervals").set_index(["what", "AU"]).loc["difference"]
    excludes = (intervals["low"] > 0) | (intervals["high"] < 0)
    assert set(intervals.index[excludes]) == {"AU10", "AU14", "AU17"}  # C2, C3
    all_rows = our_rows()["mean"]
    assert all_rows["hog"] >= all_rows[["baseline", "proposed"]].max()  # C4
    effects = table("effects").set_index(["AU", "effect"])["size"]["mean"]
    assert effects.idxmax() == "multinomial sampler"  # C5
    assert CLAIMS["C9"][2].endswith(" holds")
    assert CLAIMS["C10"][2].endswith(" does not hold")


@pytest.mark.parametrize("number", [*CLAIMS, *EXPERIMENTS])
def test_commands_times_and_files_are_those_of_make(number):
    _, command, output, time = (CLAIMS | EXPERIMENTS)[number]
    target = re.fullmatch(r"`make ?([\w-]*)`", command)[1]
    makefile = (ROOT / "Makefile").read_text()
    about = re.split(rf"^##   make +{target}(?: |$)", makefile, flags=re.M)
    about = re.search(r"^## {20}(.*)$", makefile, re.M) if not target else about[1]
    text = about[0] if not target else "\n".join(about.splitlines()[:3])
    assert time in text, f"{target}: {time}"
    for name in re.findall(r"`((?:table_2|ablation)/\w+\.csv)`", output):
        assert (TABLES / name.split("/")[1]).exists(), name


def test_the_parameters_of_the_networks():
    (size,) = our_rows().loc[["baseline", "proposed"], "parameters"].unique()
    assert f"{size} for both networks" in TEXT


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", TEXT))))
def test_links_lead_somewhere(link):
    place, _, heading = link.partition("#")
    path = (ROOT / "docs" / place).resolve()
    assert path.exists()
    if heading:
        titles = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
        slugs = [re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles]
        assert heading in slugs


def test_every_question_has_an_answer():
    lines = TEXT.splitlines()
    answers = [
        line.strip("|").split("|")[-1].strip()
        for line, following in zip(lines, lines[1:] + [""])
        if line.startswith("| ") and not following.startswith("|--")
    ]
    assert len(answers) >= 50 and all(answers)
    questions = rows("", 3)
    assert list(questions) == [str(number) for number in range(1, 17)]
