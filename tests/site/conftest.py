"""The site, built once, and a browser without a screen to look at it."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from companion.workflow.site import build

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ALONE = (  # no service of its maker is asked for anything
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The directory of the built site."""
    if find_spec("sphinx") is None:
        pytest.skip("the extra `site` is not installed: `make site` does it")
    return build(tmp_path_factory.mktemp("site") / "site").parent


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium, driven by Playwright."""
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH: apt-get install chromium")
    if find_spec("playwright") is None:
        pytest.skip("the extra `browser` is not installed: pip install -e '.[browser]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ALONE)
        yield chromium
        chromium.close()
