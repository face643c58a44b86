"""Claims that the paper's print, public counts of BP4D or a publication decide."""

import pandas as pd

from companion.analysis.claims import Finding

OFF = (
    "71,261 is the stand-in's number of frames; public lists have 71,245, so up to 16 "
    "of the unknown codes may be of frames that do not exist"
)
"""See `evaluation_unknown` in `data/bp4d_statistics.json`."""

ONE_SET = "none for BP4D's 21 people: all frames counted; other people: unknown"

ABSENT = (16, 26)
"""AUs of FACS in the lower face that Table I lacks: lower lip down, jaw drop."""


def table_1_findings(table_1: pd.DataFrame) -> list[Finding]:
    """Is Table I the list of 32 AUs, and are AU12 and AU25 of two regions?

    Args:
        table_1: `data/paper/table_1.csv`, columns region and au.
    """
    codes = table_1["au"].tolist()
    twice = sorted({f"AU{code}" for code in codes if codes.count(code) > 1})
    absent = [f"AU{code}" for code in ABSENT if code not in codes]
    regions = sorted(set(table_1.loc[table_1["au"].isin([12, 25]), "region"]))
    return [
        (
            "thirty-two-aus",
            len(set(codes)) == 32,
            f"{len(codes)} entries, {len(set(codes))} different AUs: "
            f"{' and '.join(twice)} twice, {' and '.join(absent)} never",
            "",
        ),
        (
            "additive-aus",
            len(regions) > 1,
            f"Table I has AU12 and AU25 in the {' and '.join(regions)} region",
            "",
        ),
    ]


def smile_finding(published: dict) -> Finding:
    """Are there frames with AU12 and without AU06?

    In the task T1, which is to amuse, the rate of AU12 is higher than that of AU06, so
    there are at least as many as the difference of the two.

    Args:
        published: the content of `data/bp4d_statistics.json`.
    """
    rates = published["train_occurrence"]["by_task"]["T1"]
    p6, p12 = rates[0], rates[2]
    alone = 100 * (1 - p6 / p12)
    because = (
        f"in task T1, which is to amuse, {100 * p12:.0f} % of the training frames have "
        f"AU12 and {100 * p6:.0f} % AU06, so at least {alone:.0f} % of those with AU12 "
        "lack AU06"
    )
    return "smile-without-au06", bool(alone > 0), because, ONE_SET


def people_findings(published: dict) -> list[Finding]:
    """What Sections III and IV say about people, codes and numbers of images.

    Args:
        published: the content of `data/bp4d_statistics.json`.
    """
    numbers = [int(name[1:]) for name in published["frames_per_subject"]["value"]]
    odd = sum(number % 2 for number in numbers)
    coded = published["evaluation_intensity"]["counts"]
    lacking = published["evaluation_unknown"]["counts"]
    frames = published["evaluation_unknown"]["frames"]
    most = max(lacking, key=lacking.get)
    known = frames - sum(lacking.values())
    all_levels = min(min(counts) for counts in coded.values()) > 0
    return [
        (
            "people-21-20",
            (odd, len(numbers) - odd) == (21, 20),
            f"{odd} odd numbers of people and {len(numbers) - odd} even ones, the "
            "development partition of FERA 2015; its test partition has other people",
            "",
        ),
        (
            "not-all-annotated",
            all_levels and min(lacking.values()) > 0,
            "each AU has frames at all six levels; each lacks codes, most of all "
            f"{most}, in {lacking[most]:,} of {frames:,} frames",
            OFF,
        ),
        (
            "all-images-of-the-set",
            known <= 41328,
            f"the evaluation half alone has at least {known:,} frames with all codes; "
            f"wrong detections would have to be {known - 41328:,} of them",
            "of 71,261 frames, the stand-in's number, as of the 71,245 of public lists",
        ),
    ]


def literature_finding(literature: pd.DataFrame) -> Finding:
    """What FERA 2017 was about.

    Args:
        literature: `data/paper/literature.csv`, indexed by claim.
    """
    claim = "focus-of-fera-2017"
    row = literature.loc[claim]
    source = f"{row['authors']}, “{row['title']}”, {row['year']}"
    return claim, True, source, "none: its title says so"
