"""What only a browser can see of a page; complaints come back as text."""

from urllib.parse import urlsplit

# Each theme is opened at one width and then pulled to the other, as a window is resized or a phone turned.
HEIGHTS = {1360: 900, 390: 844}
VISITS = {"light": (1360, 390), "dark": (390, 1360)}

# Elements of the article that stick out of the window, unless something around them scrolls.
STICKING_OUT = """() => [...document.querySelectorAll("article *, .bd-article *")].filter(e => {
    if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let p = e; p && p !== document.body; p = p.parentElement)
        if (getComputedStyle(p).overflowX !== "visible") return false;
    return e.getClientRects().length > 0 && getComputedStyle(e).position !== "absolute";
}).slice(0, 3).map(e => e.outerHTML.slice(0, 120))"""

UNRENDERED = """() => [...document.querySelectorAll(".math")]
    .filter(e => !e.querySelector("mjx-container") || e.querySelector("mjx-merror"))
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


def complaints(browser, address: str, widths: tuple[int, ...], theme: str) -> list[str]:
    """Open the page as a reader would, resize it, and list what is wrong with it at each width."""
    found = []
    context = browser.new_context(
        viewport={"width": widths[0], "height": HEIGHTS[widths[0]]}, color_scheme=theme
    )
    context.add_init_script(
        f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
    )
    page = context.new_page()
    listen(page, urlsplit(address).netloc, found)
    try:
        page.goto(address, wait_until="load")
        if page.query_selector(".math"):
            page.evaluate("() => window.MathJax?.startup?.promise")
        page.evaluate("() => document.fonts.ready.then(() => true)")
        for width in widths:
            page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            found += (f"at {width} px: {complaint}" for complaint in at_this_width(page, width))
        shown = page.evaluate("() => document.documentElement.dataset.theme")
        if shown not in (None, theme):
            found.append(f"asked for the {theme} theme, got {shown}")
    finally:
        context.close()
    return found


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


def at_this_width(page, width):
    """What the page shows wrongly in a window of this width."""
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
