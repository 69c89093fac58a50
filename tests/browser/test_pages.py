"""What a reader does with a page, at a desk and on a telephone."""

import base64

import pytest

pytestmark = pytest.mark.browser
NAMES = ("index", "run", "foreign", "hostile")
WIDTHS = (400, 1600)
TAB, ENTER, SPACE = "\ue004", "\ue007", "\ue00d"


def column(screen, place):
    """Texts of a column of the first sortable table, from the top."""
    rows = "[...document.querySelector('table.searchable').tBodies[0].rows]"
    return screen.run(f"return {rows}.map(row => row.cells[{place}].innerText)")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_from_disk_in_silence_and_asks_for_nothing_else(window, pages, name, width):
    screen = window(width)
    screen.open(pages[name])
    assert screen.requests() == {pages[name].as_uri()}
    assert screen.complaints() == []
    assert screen.run("return window.taken") is None


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_hangs_over_the_side_of_the_screen(window, pages, name, width):
    screen = window(width)
    screen.open(pages[name])
    assert screen.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", NAMES)
def test_the_theme_follows_the_system_and_one_press_of_a_key_turns_it(window, pages, name):
    def paper(screen):
        return screen.run("return getComputedStyle(document.body).backgroundColor")

    light = window(1600)
    light.open(pages[name])
    day = paper(light)
    dark = window(1600, dark=True)
    dark.open(pages[name])
    night = paper(dark)
    assert day != night
    dark.run("document.getElementById('theme').focus()")
    dark.press(SPACE)
    assert paper(dark) == day
    assert dark.find("#theme")[0].text == "Dark theme"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_prints(window, pages, name):
    screen = window(1600, dark=True)
    screen.open(pages[name])
    folded = screen.run(
        "const folds = [...document.querySelectorAll('details')];"
        " window.addEventListener('beforeprint', () => { window.shown = folds.map(each => each.open); });"
        " return folds.map(each => each.open)"
    )
    printed = base64.b64decode(screen.pdf())
    assert printed.startswith(b"%PDF")
    assert len(printed) > 5_000
    assert screen.run("return window.shown") == [True] * len(folded)
    assert screen.run("return [...document.querySelectorAll('details')].map(each => each.open)") == folded
    assert screen.complaints() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_sorts_the_index_and_shows_where_it_is(window, pages, width):
    screen = window(width)
    screen.open(pages["index"])
    screen.run("document.getElementById('workspaces-filter').focus()")
    reached = None
    for _ in range(8):
        screen.press(TAB)
        reached = screen.run("return document.activeElement.textContent")
        if reached == "Trials":
            break
    assert reached == "Trials"
    outline = screen.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    for way in ("descending", "ascending"):
        screen.press(ENTER)
        assert screen.run("return document.activeElement.parentElement.ariaSort") == way
        trials = [int(text) for text in column(screen, 3)]
        assert trials == sorted(trials, reverse=way == "descending")
        assert len(set(trials)) == 3


def test_the_index_filters_by_any_word_of_a_row_and_says_how_many_are_left(window, pages):
    screen = window(1600)
    screen.open(pages["index"])
    screen.find("#workspaces-filter")[0].send_keys("FOREIGN best")
    shown = [row for row in screen.find("#workspaces tbody tr") if row.is_displayed()]
    assert len(shown) == 1
    assert shown[0].text.startswith("foreign")
    assert screen.find("#workspaces-status")[0].text == "1 of 3 rows"


def test_every_name_of_the_index_leads_to_its_page(window, pages):
    screen = window(1600)
    screen.open(pages["index"])
    places = {link.get_attribute("href") for link in screen.find("#workspaces a")}
    assert places == {path.as_uri() for name, path in pages.items() if name != "index"}
    screen.find("#workspaces a")[0].click()
    assert screen.driver.title.endswith("· report")


def test_the_trials_of_a_report_can_be_sorted_by_a_key(window, pages):
    screen = window(1600)
    screen.open(pages["hostile"])
    screen.run("document.querySelector('table.searchable thead button').focus()")
    for way in (1, -1):
        screen.press(ENTER)
        assert column(screen, 0) == [f"trial_{number}" for number in range(12)][::way]


@pytest.mark.parametrize("name", NAMES)
def test_every_control_has_a_name_and_every_picture_words(window, pages, name):
    screen = window(1600)
    screen.open(pages[name])
    nameless = screen.run(
        "return [...document.querySelectorAll('button, a, input, [role=img], [role=region]')].filter(each =>"
        " !(each.textContent.trim() || each.ariaLabel || each.labels?.length ||"
        " each.getAttribute('aria-labelledby'))).map(each => each.outerHTML.slice(0, 80))"
    )
    assert nameless == []
