"""What only a browser can see of a page; complaints come back as text."""

from urllib.parse import urlsplit

HEIGHTS = {1360: 900, 390: 844}
THEMES = ("light", "dark")
STARTS = {"desk": (1360, "light"), "phone": (390, "dark")}
"""Where a page is opened. From there the window is resized and the system's theme changed, until
all four views were looked at."""

# Changes of the system's theme are told to a page when it is drawn next.
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

# Elements of the article that stick out of the window, unless something around them scrolls.
STICKING_OUT = """() => [...document.querySelectorAll("article *, .bd-article *")].filter(e => {
    if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let p = e; p && p !== document.body; p = p.parentElement)
        if (getComputedStyle(p).overflowX !== "visible") return false;
    return e.getClientRects().length > 0 && getComputedStyle(e).position !== "absolute";
}).slice(0, 3).map(e => e.outerHTML.slice(0, 120))"""

UNRENDERED = """() => [...document.querySelectorAll(".math")]
    .filter(e => !e.querySelector("mjx-container, math") || e.querySelector("mjx-merror"))
    .map(e => e.textContent.trim().slice(0, 80))"""

VISIBLE_TEX = r"""() => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
    for (let node; node = walk.nextNode();) {
        const e = node.parentElement;
        if (e.closest("script, style, pre, code, noscript, mjx-container") || !e.getClientRects().length) continue;
        if (/\\\(|\\\[|\\begin\{|\$\$/.test(node.data)) found.push(node.data.trim().slice(0, 80));
    }
    return found;
}"""

# Text that the theme leaves hardly visible: WCAG's contrast ratio against the ground behind it. Program text
# may be paler (comments), formulas and icons are of the text's own colour.
CONTRAST_LIMIT = 3.5
FAINT = """limit => {
    const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
    const ground = e => {
        for (; e; e = e.parentElement) {
            const c = parse(getComputedStyle(e).backgroundColor);
            if (c.length === 3 || c[3] > 0.5) return c;
        }
        return [255, 255, 255];
    };
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = new Set();
    for (let node; node = walk.nextNode();) {
        const e = node.parentElement;
        if (!node.data.trim() || !e.closest("article, .bd-sidebar-primary, .bd-toc") || !e.getClientRects().length) continue;
        if (e.closest("script, style, pre, mjx-container, button") || !e.checkVisibility({opacityProperty: true})) continue;
        const style = getComputedStyle(e), a = light(parse(style.color)), b = light(ground(e));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < limit && !e.closest(".headerlink")) found.add(`${ratio.toFixed(1)}: ${node.data.trim().slice(0, 60)}`);
    }
    return [...found].slice(0, 5);
}"""


def views(start):
    """The four views of a page, from the one it is opened in: the width changes first, then the theme."""
    width, theme = STARTS[start]
    other_width = next(one for one in HEIGHTS if one != width)
    other_theme = next(one for one in THEMES if one != theme)
    yield from (
        (width, theme),
        (other_width, theme),
        (other_width, other_theme),
        (width, other_theme),
    )


def complaints(context, address: str, start: str) -> list[str]:
    """Open the page as a reader would, resize it, change the theme; list what is wrong in each view."""
    found = []
    page = context.new_page()
    page.add_init_script("localStorage.setItem('mode', 'auto'); localStorage.removeItem('theme')")
    listen(page, urlsplit(address).netloc, found)
    try:
        for width, theme in views(start):
            page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            if page.url == "about:blank":
                load(page, address)
            found += (f"at {width} px, {theme}: {text}" for text in in_view(page, width, theme))
    finally:
        page.close()
    return found


def load(page, address):
    """Open the page and wait for its formulas and fonts."""
    page.goto(address, wait_until="load")
    if page.query_selector(".math"):
        page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate("() => document.fonts.ready.then(() => true)")


def listen(page, host, found):
    """Note requests to another host, failed ones and errors of scripts, while the page lives."""

    def on_request(request):
        if (
            urlsplit(request.url).scheme in ("http", "https", "ws", "wss")
            and urlsplit(request.url).netloc != host
        ):
            found.append(f"request to another host: {request.url}")

    def on_response(response):
        if response.status >= 400:
            found.append(f"{response.status} for {response.url}")

    def on_console(message):
        if message.type == "error":
            found.append(f"console error: {message.text}")

    page.on("request", on_request)
    page.on("response", on_response)
    page.on("console", on_console)
    page.on("pageerror", lambda error: found.append(f"script error: {error}"))


def in_view(page, width, theme):
    """What the page shows wrongly in a window of this width and in this theme."""
    page.evaluate(DRAWN)
    shown = page.evaluate("() => document.documentElement.dataset.theme")
    if shown not in (None, theme):
        yield f"got the {shown} theme"
    wide = page.evaluate(
        "() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
    )
    if wide > width:
        yield f"the page is {wide} px wide in a window of {width} px"
    yield from (f"sticks out of the window: {html}" for html in page.evaluate(STICKING_OUT))
    yield from (f"formula not rendered: {text}" for text in page.evaluate(UNRENDERED))
    yield from (f"raw TeX on the page: {text}" for text in page.evaluate(VISIBLE_TEX))
    faint = page.evaluate(FAINT, CONTRAST_LIMIT)
    yield from (f"hardly visible, contrast {text}" for text in faint)
