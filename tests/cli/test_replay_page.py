"""The HTML page of an episode in a real browser: Debian's Chromium, headless, from a file, without network."""

import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ptde_core.viewing.replays.battle_drawing import FILL
from ptde_core.viewing.replays.chosen_episodes import Shown, shown_of
from ptde_core.viewing.replays.page import packed, replay_page
from tests.cli.conftest import Pipeline

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; `apt-get install chromium` brings it")
# As root there is no sandbox; the rest keeps the browser from calling home.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")
def shown(pipeline: Pipeline) -> list[Shown]:
    """An episode of the run's teacher, and one of its student from the same start."""
    return shown_of([pipeline.run], 0, 0)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, shown: list[Shown], tmp_path: Path) -> Iterator[object]:  # type: ignore[no-untyped-def]
    """The page, open; a test in which it complains, or asks for anything but its own file, fails."""
    file = tmp_path / "play.html"
    file.write_text(replay_page(shown), encoding="utf-8")
    one = browser.new_page(viewport={"width": 1200, "height": 900})
    complaints: list[str] = []
    asked: list[str] = []
    one.on("console", lambda message: complaints.append(message.text))
    one.on("pageerror", lambda error: complaints.append(str(error)))
    one.on("request", lambda request: asked.append(request.url))
    one.goto(file.as_uri())
    yield one
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    one.close()


def slide(page, step: int) -> None:  # type: ignore[no-untyped-def]
    """Move the slider as a mouse does: the browser tells the page of its new value."""
    page.locator("#slider").fill(str(step))


def colors_at(page, play: int, unit: int) -> set[tuple[int, ...]]:  # type: ignore[no-untyped-def]
    """The colours of the field where the page says that a unit is, in a square of 11 pixels."""
    x, y = map(round, page.evaluate("([play, unit]) => window.placeOnPage(play, unit)", [play, unit]))
    with Image.open(io.BytesIO(page.locator("canvas.field").nth(play).screenshot())) as field:
        square = np.asarray(field.convert("RGB"))[y - 4 : y + 7, x - 4 : x + 7]  # the frame is a pixel wide
    return set(map(tuple, square.reshape(-1, 3).tolist()))


@needs_chromium
def test_the_slider_moves_the_units(page, shown: list[Shown]) -> None:  # type: ignore[no-untyped-def]
    light_blue = tuple(int(FILL[0][k : k + 2], 16) for k in (1, 3, 5))
    units = shown[0].episode.units
    places = []
    for step in (0, 4):
        slide(page, step)
        assert page.locator("#step").inner_text() == f"step {step} of {max(one.episode.length for one in shown)}"
        places.append(page.evaluate("window.placeOnPage(0, 1)"))
        assert light_blue in colors_at(page, 0, 1)
    moved = np.subtract(places[1], places[0])
    truly = [units.x[4, 1] - units.x[0, 1], units.y[0, 1] - units.y[4, 1]]  # rows of a picture grow to the south
    assert np.hypot(*truly) > 0.5
    assert np.allclose(moved / np.hypot(*moved), truly / np.hypot(*truly), atol=0.01)


@needs_chromium
def test_the_buttons_work(page, shown: list[Shown]) -> None:  # type: ignore[no-untyped-def]
    page.locator("#forward").click()
    page.locator("#forward").click()
    page.locator("#back").click()
    assert page.locator("#step").inner_text().startswith("step 1 of")
    page.locator("#play").click()
    page.wait_for_function("Number(document.getElementById('slider').value) >= 3")
    page.locator("#play").click()
    stood = page.locator("#step").inner_text()
    page.wait_for_timeout(400)
    assert page.locator("#step").inner_text() == stood
    assert page.locator("#play").inner_text() == "▶ play"
    page.locator("#first").click()
    assert page.locator("#step").inner_text().startswith("step 0 of")
    page.keyboard.press("End")
    assert page.locator("figcaption .count").first.inner_text().endswith(shown[0].ending)
    before = page.locator("canvas.field").first.screenshot()
    page.locator("#paths").check()
    assert page.locator("canvas.field").first.screenshot() != before


@needs_chromium
def test_an_agent_is_chosen_and_its_mind_shown(page, shown: list[Shown]) -> None:  # type: ignore[no-untyped-def]
    slide(page, 2)
    page.locator("#agents button").nth(2).click()
    title = page.locator("#values-title")
    assert title.inner_text().startswith("Action values of agent 2 at step 2, QMIX_SGI (z sampled)'s episode")
    values = shown[0].episode.minds["teacher"].values[2, 2]
    numbers = page.locator("#values .bars").nth(1).inner_text()  # of "stop"
    assert float(re.search(r"-?\d+\.\d+", numbers)[0]) == pytest.approx(values[1], abs=0.006)
    difference = page.locator("#z-time").screenshot()
    page.locator("#episodes button").nth(1).click()
    assert "QMIX_ASGKD's episode" in title.inner_text()
    assert page.locator("#z-time").screenshot() != difference
    place = page.evaluate("window.placeOnPage(0, 1)")
    page.locator("canvas.field").first.click(position={"x": place[0], "y": place[1]})
    assert "of agent 1 " in title.inner_text()


@needs_chromium
def test_an_address_opens_at_a_step(page) -> None:  # type: ignore[no-untyped-def]
    page.evaluate("location.hash = 'step=3&agent=2&play=1'")
    page.wait_for_function("document.getElementById('step').textContent.startsWith('step 3 of')")
    assert page.locator("#values-title").inner_text() == "Action values of agent 2 at step 3, QMIX_ASGKD's episode"
    page.evaluate("location.hash = 'step=9999&agent=x'")
    page.wait_for_function("document.getElementById('slider').value === document.getElementById('slider').max")


@needs_chromium
def test_a_narrow_window_cuts_nothing_off(page) -> None:  # type: ignore[no-untyped-def]
    page.set_viewport_size({"width": 380, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 380
    fields = page.locator("canvas.field")
    assert fields.nth(1).bounding_box()["y"] > fields.nth(0).bounding_box()["y"] + 100


def test_the_page_needs_nothing_else(shown: list[Shown]) -> None:
    page = replay_page(shown)
    assert len(page) < 2_000_000
    assert "http" not in re.sub(r'"data": ?"[^"]*"', "", page)
    start = page.index(">", page.index('id="data"')) + 1
    data = json.loads(page[start : page.index("</script>", start)])
    assert data["parting"]["step"] is None or data["parting"]["step"] <= shown[0].episode.length
    assert [play["seed"] for play in data["plays"]] == [str(shown[0].episode.seed)] * 2
    assert [mind["role"] for mind in data["plays"][1]["minds"]] == ["teacher", "student"]


def test_arrays_are_packed_row_by_row() -> None:
    found = packed(np.array([[0.5, -1.0], [0.25, 0.0]]))
    assert found["shape"] == (2, 2)
    assert found["scale"] == pytest.approx(1 / 32767)
    assert packed(np.array([1, -2], np.int16)) == {"shape": (2,), "scale": 1.0, "data": "AQD+/w=="}
