"""`python -m companion.standin PROFILE`: write the stand-in data set of a profile."""

import argparse
import sys

from companion.base.paths import ROOT
from companion.base.profiles import load_profile
from companion.standin.tree import write_tree


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a name in notebooks/profiles, e.g. standin")
    name = parser.parse_args().profile
    try:
        profile = load_profile(name)
        if profile["standin"] is None:
            raise ValueError(f"profile {name}: its data are real, not a stand-in")
        write_tree(ROOT / profile["data_root"], **profile["standin"])
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"{profile['data_root']}: the stand-in data set is complete")


if __name__ == "__main__":
    main()
