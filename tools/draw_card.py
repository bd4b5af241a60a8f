"""Set title, logo and cell on the card that other sites show beside a link: book/_static/social.png.

    .venv/bin/python tools/draw_card.py

Needs Chromium, which takes the photograph; LSTM_BOOK_BROWSER names one that is not on the PATH.
"""

import os
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

STATIC = Path(__file__).resolve().parent.parent / "book" / "_static"

CARD = """<style>
@font-face {{ font-family: Inter; font-weight: 100 900; src: url("{font}"); }}
body {{ margin: 0; width: 1200px; height: 630px; background: #0f141b; color: #e6edf3; font-family: Inter; }}
main {{ display: grid; grid-template-columns: 520px 1fr; gap: 10px; align-items: center; height: 100%; }}
h1 {{ font-size: 65px; line-height: 1.06; letter-spacing: -.035em; margin: 24px 0 28px; }}
p {{ font-size: 29px; line-height: 1.42; color: #9fb0c3; margin: 0; }}
section {{ padding-left: 70px; }} section svg {{ width: 92px; }}
figure {{ margin: 0 40px 0 0; }} figure svg {{ width: 100%; height: auto; }}
</style><main><section>{logo}<h1>LSTM from the ground up</h1>
<p>Every equation runs, every number is checked, every model meets an honest baseline.</p></section>
<figure>{cell}</figure></main>"""


def vector(name):
    """A picture of book/_static as an element of a page."""
    text = (STATIC / name).read_text(encoding="utf-8")
    return text[text.index("<svg") :]


def main():
    """Photograph the card."""
    chromium = os.environ.get("LSTM_BOOK_BROWSER") or shutil.which("chromium")
    if not chromium:
        raise SystemExit("The card is photographed in Chromium, and none was found.")
    font = "fonts/inter-latin-wght-normal.woff2"
    page_file = STATIC / "card.html"
    page_file.write_text(CARD.format(font=font, logo=vector("logo.svg"), cell=vector("cell.svg")))
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 630})
            page.goto(page_file.as_uri())
            page.evaluate("() => document.fonts.ready.then(() => true)")
            page.screenshot(path=STATIC / "social.png")
            browser.close()
    finally:
        page_file.unlink()


if __name__ == "__main__":
    main()
