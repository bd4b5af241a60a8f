"""The cell explorer of chapter 4 in Chromium, against what lstm_lib computes from the same numbers."""

import numpy as np
import pytest

from lstm_lib.equations import lstm_step

PAGE = "chapters/04-lstm-cell/index.html"
GATES = "ifgo"
LAST_DIGIT = 0.5e-4 * (1 + 1e-6)  # of the four that are shown


@pytest.fixture(scope="module")
def address(site, serve):
    with serve(site) as url:
        yield f"{url}/{PAGE}"


@pytest.fixture(scope="module", params=[(1360, "light"), (390, "dark")], ids=["desk", "phone"])
def page(chromium, address, request):
    """The chapter's page, with a list of all that its scripts complain about."""
    width, theme = request.param
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=theme)
    context.add_init_script(f"localStorage.setItem('mode', '{theme}')")
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.goto(address, wait_until="load")
    page.wait_for_selector(".cell-explorer input[type=range]")
    yield page
    context.close()


def number(text):
    return float(text.replace("−", "-"))


def shown(page):
    """The results on the page, by symbol."""
    elements = page.locator(".cell-explorer [data-result]").all()
    return {e.get_attribute("data-result"): number(e.text_content()) for e in elements}


def expected(values):
    """What lstm_lib computes for one unit from what the sliders are set to."""
    weight_ih, weight_hh, bias = (
        np.array([values[kind + gate] for gate in GATES]) for kind in "WUb"
    )
    x, h, c = (np.array([[values[name]]]) for name in "xhc")
    step = lstm_step(x, h, c, weight_ih[:, None], weight_hh[:, None], bias)
    return {name: getattr(step, name).item() for name in "ifgoch"}


def settings(page):
    """What the sliders are set to, by name."""
    return {
        e.get_attribute("name"): float(e.input_value())
        for e in page.locator(".cell-explorer input[type=range]").all()
    }


def move(page, values):
    """Set sliders as a hand would: input while it moves, change when it lets go."""
    for name, value in values.items():
        page.locator(f".cell-explorer input[name={name}]").evaluate(
            """(slider, value) => {
                slider.value = value;
                slider.dispatchEvent(new Event("input", {bubbles: true}));
                slider.dispatchEvent(new Event("change", {bubbles: true}));
            }""",
            value,
        )


def press(page, name):
    page.locator(".cell-explorer").get_by_role("button", name=name, exact=True).click()


def assert_shows(page, wanted):
    found = shown(page)
    assert set(found) == set(wanted) == set("ifgoch")
    for name, value in wanted.items():
        assert abs(found[name] - value) <= LAST_DIGIT, (name, found[name], value)


def drawn(rng, scale):
    """A random setting on the sliders' grid."""
    names = [kind + gate for kind in "WUb" for gate in GATES]
    values = {name: scale * rng.uniform(-10, 10) for name in names}
    values |= {"x": rng.uniform(-2, 2), "h": rng.uniform(-1, 1), "c": rng.uniform(-6, 6)}
    return {name: round(value, 2) for name, value in values.items()}


@pytest.mark.parametrize("scale", [0.05, 0.2, 1.0])
def test_sliders_give_the_numbers_of_the_library(page, scale):
    for seed in range(3):
        values = drawn(np.random.default_rng(seed), scale)
        move(page, values)
        assert settings(page) == pytest.approx(values, abs=1e-9)
        assert_shows(page, expected(values))


def test_both_ends_of_every_slider_are_finite(page):
    for end in ("min", "max"):
        ends = {
            e.get_attribute("name"): float(e.get_attribute(end))
            for e in page.locator(".cell-explorer input[type=range]").all()
        }
        assert len(ends) == 15
        move(page, ends)
        assert_shows(page, expected(ends))


@pytest.mark.parametrize(
    "name", ["all ones", "all zeros", "keep", "overwrite", "add (counter)", "clear"]
)
def test_presets_give_the_numbers_of_the_library(page, name):
    move(page, {"x": -1.3, "bf": 3.3})
    press(page, name)
    assert_shows(page, expected(settings(page)))


def test_next_step_goes_through_the_worked_example(page):
    """The string "(())" with four equal units, which are one unit with U = 4."""
    h = c = np.zeros((1, 4))
    press(page, "all ones")
    for k, x in enumerate((1.0, 1.0, -1.0, -1.0)):
        if k:
            press(page, "next step, x = 1" if x > 0 else "next step, x = −1")
        step = lstm_step(np.array([[x]]), h, c, np.ones((16, 1)), np.ones((16, 4)), np.ones(16))
        h, c = step.h, step.c
        assert_shows(page, {name: getattr(step, name)[0, 0] for name in "ifgoch"})


def test_the_counter_counts(page):
    press(page, "add (counter)")
    for x in "(()))"[1:]:
        press(page, "next step, x = 1" if x == "(" else "next step, x = −1")
    assert shown(page)["c"] == pytest.approx(-np.tanh(1), abs=2e-3)
    press(page, "next step, x = 1")
    assert shown(page)["c"] == pytest.approx(0, abs=2e-3)


def test_it_can_be_used_without_a_mouse(page):
    press(page, "all ones")
    first = page.locator(".cell-explorer input[name=x]")
    first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert settings(page)["x"] == pytest.approx(0.97)
    assert_shows(page, expected(settings(page)))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "h"
    page.keyboard.press("End")
    assert_shows(page, expected(settings(page) | {"h": 1.0}))


def test_every_slider_and_button_has_a_name_of_its_own(page):
    sliders = page.locator(".cell-explorer").get_by_role("slider").all()
    names = [e.get_attribute("aria-label") for e in sliders]
    assert len(sliders) == 15 and len(set(names)) == 15 and all(names)
    assert "forget gate, bias" in names
    for button in page.locator(".cell-explorer button").all():
        assert button.text_content().strip()


def test_the_results_stay_in_sight_on_a_phone(page):
    if page.viewport_size["width"] > 600:
        pytest.skip("on a desk they stand beside the sliders")
    for name in ("x", "Wg", "bo"):
        slider = page.locator(f".cell-explorer input[name={name}]")
        slider.evaluate("e => e.scrollIntoView({block: 'start', behavior: 'instant'})")
        bars = page.locator(".cell-explorer .results").bounding_box()
        assert 0 <= bars["y"]
        assert bars["y"] + bars["height"] <= slider.bounding_box()["y"], name


def test_no_script_complains(page):
    press(page, "all zeros")
    assert page.complaints == []


def test_what_has_changed_is_spoken(page):
    live = page.locator(".cell-explorer output[aria-live=polite]")
    press(page, "add (counter)")
    before = live.text_content()
    move(page, {"x": -1.0})
    after = live.text_content()
    assert before != after
    assert "x = −1.00" in after and "from 0.00 to −0.76" in after


def test_without_javascript_there_is_a_still_figure(chromium, address):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    figure = page.locator(".cell-explorer img")
    assert figure.is_visible()
    assert "all weights one" in figure.get_attribute("alt")
    assert page.locator(".cell-explorer input").count() == 0
    assert page.get_by_text("needs JavaScript").is_visible()
    context.close()
