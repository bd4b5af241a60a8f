"""What the built site has to satisfy, as functions of its folder; each returns its complaints as text.

They read files only. `test_site.py` asks them about the book, `test_checks.py` about pages that are broken on
purpose, and `browser.py` holds what only a browser can see.
"""

import re
from functools import cache
from os.path import normpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, CData, NavigableString, Tag

PAGE_LIMIT = 1_000_000
SHARED_LIMIT = 4_500_000  # before compression; the theme's icons are 1.5 MB of it, MathJax 1.2 MB
IMAGES = {".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp"}

# Text of a page that is a formula, program text or invisible.
NOT_PROSE = ["script", "style", "pre", "code", "svg", "mjx-container", ".math", "dt.sig"]
LEFTOVERS = {
    "a directive's fence": re.compile(r":::|```|~~~\{"),
    "a display formula": re.compile(r"\$\$"),
    "a role": re.compile(r"\{[a-z][\w:-]*\}`"),
    "a TeX command": re.compile(r"\\(?:[a-zA-Z]{2,}|[()\[\]])"),
    "an inline formula": re.compile(r"\$[^$\n]{0,60}[_^\\][^$\n]{0,60}\$"),
    "a Markdown link": re.compile(r"\]\((?:\.{0,2}/|#|https?:|[\w-]+\.(?:md|ipynb))"),
    "an RST role or link": re.compile(r":(?:func|class|mod|meth|math|ref|doc|cite\w*):`|`_\b"),
}
# Elements whose address is fetched as the page loads, and where the address stands.
FETCHED = {
    "script": ["src"],
    "img": ["src", "srcset"],
    "iframe": ["src"],
    "source": ["src", "srcset"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "input": ["src"],
}
NOT_FETCHED = {
    "canonical",
    "next",
    "prev",
    "index",
    "search",
    "author",
    "license",
    "alternate",
    "edit",
}
CSS_ADDRESS = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")


def toc_pages(toc: Path) -> list[str]:
    """Every document that `_toc.yml` names, the root first."""
    names = []

    def walk(node):
        if isinstance(node, dict):
            names.extend(str(node[key]) for key in ("root", "file") if key in node)
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                walk(child)

    walk(yaml.safe_load(toc.read_text(encoding="utf-8")))
    return [re.sub(r"\.(md|ipynb|rst)$", "", name) for name in names]


def pages(site: Path) -> list[Path]:
    """All pages of the site."""
    return sorted(p for p in site.rglob("*.html") if "_static" not in p.relative_to(site).parts)


@cache
def _parsed(path: Path, _changed: int) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def parse(path: Path) -> BeautifulSoup:
    """The page as a tree; callers must not change it."""
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _anchors(path: Path, _changed: int) -> set[str]:
    tags = parse(path).select("[id], [name]")
    return {tag[key] for tag in tags for key in ("id", "name") if tag.get(key)}


def anchors(path: Path) -> set[str]:
    """The places of a page that a link can lead to."""
    return _anchors(path, path.stat().st_mtime_ns)


def missing_pages(site: Path, toc: Path) -> list[str]:
    """Documents of the table of contents that were not built."""
    return [
        f"{name}.html was not built"
        for name in toc_pages(toc)
        if not (site / f"{name}.html").exists()
    ]


def _outside(address: str) -> bool:
    parts = urlsplit(address.strip())
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp", "ws", "wss")


def broken_links(site: Path) -> list[str]:
    """Links and sources inside the site that lead nowhere, anchors included."""
    found = []
    for page in pages(site):
        addresses = {
            (tag.name, tag.get("href") or tag.get("src"))
            for tag in parse(page).select("[href], [src]")
        }
        for name, address in addresses:
            parts = urlsplit(address or "")
            if not address or address == "#" or _outside(address) or parts.scheme:
                continue
            target = page
            if parts.path:
                start = site if parts.path.startswith("/") else page.parent
                target = Path(normpath(start / unquote(parts.path).lstrip("/")))
            if target.is_dir():
                target = target / "index.html"
            where = f"{page.relative_to(site)}: <{name}> {address}"
            if not target.exists():
                found.append(f"{where}: no such file")
            elif (
                parts.fragment
                and target.suffix == ".html"
                and parts.path.rpartition("/")[2] != "index.html"
            ):
                if unquote(parts.fragment) not in anchors(target):
                    found.append(f"{where}: no such anchor")
    return sorted(set(found))


def images_without_alt(site: Path) -> list[str]:
    """Images that say nothing to those who cannot see them."""
    return [
        f"{page.relative_to(site)}: {image.get('src', '')[:80]} has no alt text"
        for page in pages(site)
        for image in parse(page).find_all("img")
        if not (image.get("alt") or "").strip() or image["alt"].strip() == image.get("src")
    ]


def _prose(tag, left_out: set[int]):
    """The texts of an element that are not in one of those left out."""
    for child in tag.children:
        if isinstance(child, Tag):
            if id(child) not in left_out:
                yield from _prose(child, left_out)
        elif type(child) in (NavigableString, CData):
            yield child


def leftover_markup(site: Path) -> list[str]:
    """Source text of MyST, Markdown, RST or TeX that a reader would see as such."""
    found = []
    for page in pages(site):
        if "_modules" in page.relative_to(site).parts:
            continue
        tree = parse(page)
        left_out = {id(tag) for tag in tree.select(", ".join(NOT_PROSE))}
        article = tree.select_one("article") or tree.body or tree
        text = " ".join(" ".join(_prose(article, left_out)).split())
        for what, pattern in LEFTOVERS.items():
            for match in pattern.finditer(text):
                near = text[max(0, match.start() - 30) : match.end() + 30]
                found.append(f"{page.relative_to(site)}: {what} shows: ...{near}...")
    return found


def _fetched_addresses(tree: BeautifulSoup):
    for name, attributes in FETCHED.items():
        for tag in tree.find_all(name):
            for attribute in attributes:
                address = tag.get(attribute) or ""
                for part in address.split(",") if attribute == "srcset" else [address]:
                    if part.strip() and not part.strip().startswith("data:"):
                        yield part.split()[0]
    for link in tree.find_all("link"):
        if not NOT_FETCHED.intersection(link.get("rel") or []) and link.get("href"):
            yield link["href"]
    for text in [t.get_text() for t in tree.find_all("style")] + [
        t["style"] for t in tree.select("[style]")
    ]:
        yield from CSS_ADDRESS.findall(text)


def outside_requests(site: Path) -> list[str]:
    """Addresses of other hosts that a page or a style sheet of the site would fetch from."""
    found = []
    for page in pages(site):
        for address in _fetched_addresses(parse(page)):
            if _outside(address):
                found.append(f"{page.relative_to(site)} fetches {address}")
    for sheet in sorted([*site.rglob("*.css"), *site.rglob("*.svg")]):
        for address in CSS_ADDRESS.findall(sheet.read_text(encoding="utf-8")):
            if _outside(address):
                found.append(f"{sheet.relative_to(site)} fetches {address}")
    return found


def _local(page: Path, address: str) -> Path | None:
    parts = urlsplit(address)
    target = Path(normpath(page.parent / unquote(parts.path)))
    return target if not _outside(address) and parts.path and target.is_file() else None


def heavy_pages(site: Path) -> list[str]:
    """Pages that weigh more than PAGE_LIMIT: their HTML and the images that are theirs.

    What pages share (style sheets, scripts, fonts, MathJax: all in _static) is fetched once and kept by the
    browser, so it is counted apart, by `heavy_shared`.
    """
    found = []
    for page in pages(site):
        own = {_local(page, image.get("src") or "") for image in parse(page).find_all("img")}
        own = {path for path in own if path and "_static" not in path.parts}
        weight = page.stat().st_size + sum(path.stat().st_size for path in own)
        if weight > PAGE_LIMIT:
            found.append(
                f"{page.relative_to(site)} weighs {weight:,} bytes with its {len(own)} images"
            )
    return found


def heavy_shared(site: Path) -> list[str]:
    """The scripts, styles and fonts that the pages together ask for, where they exceed SHARED_LIMIT.

    TrueType fonts are for browsers without WOFF2 and left out.
    """
    shared = set()
    for page in pages(site):
        tree = parse(page)
        for address in _fetched_addresses(tree):
            path = _local(page, address)
            if path and path.suffix not in IMAGES and path.suffix != ".html":
                shared.add(path)
    for sheet in [path for path in shared if path.suffix == ".css"]:
        fonts = (_local(sheet, a) for a in CSS_ADDRESS.findall(sheet.read_text(encoding="utf-8")))
        shared.update(path for path in fonts if path and path.suffix != ".ttf")
    weight = sum(path.stat().st_size for path in shared)
    return (
        [f"shared assets weigh {weight:,} bytes in {len(shared)} files"]
        if weight > SHARED_LIMIT
        else []
    )
