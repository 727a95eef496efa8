"""The page in a real browser: Debian's chromium, without a window, driven by Playwright."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install 'chainrule[browser]'"
)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = os.environ.get("CHAINRULE_AXE") or None
"""The file axe.min.js of npm's axe-core."""

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium on this machine: apt install chromium"
)
needs_axe = pytest.mark.skipif(AXE is None, reason="CHAINRULE_AXE names no axe.min.js: npm install axe-core")


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A browser without a window."""
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            chromium.close()


@contextlib.contextmanager
def page_at(chromium: Any, port: int, *, path: str = "/", host: str = "127.0.0.1", **settings: Any) -> Iterator[Any]:
    """A page of its own, which must load nothing from elsewhere and leave no error on the console."""
    settings = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | settings
    context = chromium.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(8_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if own(request.url, port) else wrong.append(request.url))
    page.wrong = wrong
    try:
        page.goto(f"http://{host}:{port}{path}")
        page.locator("body[data-ready]").wait_for()
        yield page
        assert wrong == []
    finally:
        context.close()


def own(url: str, port: int) -> bool:
    """True if an address is of the page's own server."""
    return url.startswith((f"http://127.0.0.1:{port}/", "blob:", "data:"))


def screenshot(page: Any, name: str) -> None:
    """Keep a picture of the whole page in the folder that CHAINRULE_SCREENSHOTS names."""
    if folder := os.environ.get("CHAINRULE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def serious_findings(page: Any) -> list[str]:
    """What axe-core finds that is serious or critical."""
    assert AXE is not None
    page.evaluate(Path(AXE).read_text())  # a script tag would break the page's own rules
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{each['id']}: {node['html']}: {node.get('failureSummary', '')}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def colours(canvas: Any) -> set[str]:
    """The colours of the opaque pixels of a canvas, such as ``"#2f62ad"``."""
    return set(
        canvas.evaluate("""(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const hex = (at) => [0, 1, 2].map((i) => data[at + i].toString(16).padStart(2, "0")).join("");
            const found = new Set();
            for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) found.add(`#${hex(at)}`);
            return [...found];
        }""")
    )


LIGHT, DARK = {"#2f62ad", "#b3501e"}, {"#8ab4f5", "#f0a070"}
"""The colours ``--accent`` and ``--warm`` in either scheme."""


def check_colours(page: Any, canvases: Any) -> None:
    """Check that canvases in light colours are plotted anew when the system turns dark."""
    shown = [canvas for canvas in canvases.all() if canvas.is_visible() and colours(canvas) & LIGHT]
    assert shown
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    end = time.monotonic() + 5
    while any(colours(canvas) & LIGHT for canvas in shown) and time.monotonic() < end:
        page.wait_for_timeout(50)
    for canvas in shown:
        assert colours(canvas) & DARK
        assert not colours(canvas) & LIGHT


def too_wide(page: Any) -> bool:
    """True if something is cut off, or the page scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
