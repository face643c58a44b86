"""`python -m aulib.standin PROFILE`: write the stand-in data set of a profile."""

import argparse
import sys

from aulib.notebook import ROOT, load_profile
from aulib.standin.tree import write_tree


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a name in notebooks/profiles, e.g. standin")
    name = parser.parse_args().profile
    try:
        profile = load_profile(name)
        if profile["standin"] is None:
            raise ValueError(f"profile {name}: no stand-in; its data root is real data")
        write_tree(ROOT / profile["data_root"], **profile["standin"])
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"{profile['data_root']}: the stand-in data set is there")


if __name__ == "__main__":
    main()
