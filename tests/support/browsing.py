"""A page in a browser, and what goes wrong on it."""

from contextlib import contextmanager
from pathlib import Path

TOO_WIDE = """allowed => {
  // the menus beside the page, and what KaTeX hides or clips
  const BESIDE = ".sidebar-drawer, .toc-drawer, .katex-mathml, .katex svg";
  const wide = [];
  for (const element of document.querySelectorAll("body, body *")) {
    if (element.closest(allowed) || element.closest(BESIDE)) continue;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const hidden = style.visibility === "hidden" || !box.width || !box.height;
    const scrolls = /auto|scroll/.test(style.overflowX) &&
      element.scrollWidth > element.clientWidth + 1;
    if (!hidden && (scrolls || box.right > innerWidth + 1))
      wide.push(element.outerHTML.slice(0, 80));
  }
  if (document.documentElement.scrollWidth > innerWidth) wide.push("the page");
  return wide;
}"""
"""Script → what is wider than the window, or scrolls and is not in the `allowed`."""


@contextmanager
def open_page(browser, path: Path, **settings):
    """A page that is open, and a list of what went wrong on it."""
    wrong: list[str] = []
    context = browser.new_context(**settings)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda said: said.type in ("error", "warning") and wrong.append(said.text),
    )
    page.on(
        "request",
        lambda asked: (
            asked.url.startswith(("file:", "data:", "blob:")) or wrong.append(asked.url)
        ),
    )
    page.on("requestfailed", lambda failed: wrong.append(f"not found: {failed.url}"))
    page.goto(path.as_uri())
    try:
        yield page, wrong
    finally:
        context.close()
