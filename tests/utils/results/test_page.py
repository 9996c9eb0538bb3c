"""The page of an edit, as text and in a browser."""

import base64
import html.parser
import json
import re

import numpy as np
import pytest

from utils.pictures.images import encode
from utils.results.page import Outline, Row, write_page

NASTY = "</script><script>document.title = \"x\"</script> & 'q'"


def picture(value, size=8):
    return encode(np.full((size, size, 3), value, np.uint8))


def rows(names=("eyes", "nose"), measured=True):
    """Two samples of each direction in three steps; every picture is of another grey."""
    made = []
    for number, name in enumerate(names):
        for sample in range(2):
            grey = 100 * number + 50 * sample
            row = Row(
                name,
                sample,
                ["-4", "0", "+4"],
                picture(10 * sample),
                [picture(grey + i) for i in (20, 30, 40)],
                title=name.capitalize(),
                commands=[f"python manipulate.py {name} {head}" for head in ("-4", "0", "+4")],
            )
            change = {key: [0.2, 0, 0.4 + sample] for key in ("change_inside", "mse_inside")}
            change |= {key: [0.02, 0, 0.1 + number] for key in ("change_outside", "mse_outside")}
            made.append(
                row
                if not measured
                else row._replace(
                    region="eyes",
                    heat=[picture(grey + i) for i in (1, 2, 3)],
                    outline=Outline(8, 8, "M2 2h3"),
                    measures=change,
                )
            )
    return made


class Reader(html.parser.HTMLParser):
    """Collects tags with their attributes, the text, and the data for the script."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.data = json.loads(
            re.search(r'type="application/json">(.*?)</script>', self.source, re.DOTALL)[1]
        )

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def nasty_page(folder):
    """A page in which every text is hostile."""
    path = folder / "page.html"
    changed = {"heads": [NASTY] * 3, "region": NASTY, "title": NASTY, "commands": [NASTY] * 3}
    hostile = [row._replace(**changed) for row in rows([NASTY])]
    write_page(
        path,
        f"title {NASTY}",
        f"summary {NASTY}",
        hostile,
        {f"name {NASTY}": f"footer {NASTY} × …"},
    )
    return path


def test_self_contained(tmp_path):
    """Nothing is fetched: no address of the web, and every picture is in the page."""
    page = Reader(nasty_page(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!.#)", page.source)
    assert not [tag for tag, _ in page.tags if tag in ("iframe", "object", "embed")]
    assert all(
        address.startswith("data:")
        for _, attributes in page.tags
        for name, address in attributes.items()
        if name in ("src", "href")
    )
    assert "{{" not in page.source


def test_pictures(tmp_path):
    """The data holds the pictures of each row under their steps, and what occurs several times only
    once."""
    write_page(tmp_path / "page.html", "t", "s", rows(), {})
    data = Reader(tmp_path / "page.html").data
    decoded = [
        base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))
        for address in data["pictures"]
    ]
    assert (
        len(decoded) == len(set(decoded)) == 2 + 4 * 6
    )  # the originals of two samples, not of four rows
    for row, plain in zip(rows(), data["rows"], strict=True):
        assert decoded[plain["original"]] == row.original
        assert [decoded[place] for place in plain["steps"]] == list(row.steps)
        assert [decoded[place] for place in plain["heat"]] == list(row.heat)


def test_outlines_are_there_once(tmp_path):
    """An outline that rows share is in the page once, however long it is."""
    long = Outline(8, 8, "M2 2h3" * 1000)
    made = [row._replace(outline=long if row.sample else row.outline) for row in rows()]
    write_page(tmp_path / "page.html", "t", "s", made, {})
    data = Reader(tmp_path / "page.html").data
    assert len(data["outlines"]) == 2
    assert [data["outlines"][row["outline"]]["path"] for row in data["rows"]] == [
        row.outline.path for row in made
    ]


def test_names_like_places_of_the_template(tmp_path):
    """A name such as that of a place for something else stays as it is."""
    write_page(
        tmp_path / "page.html",
        "{{data}}",
        "{{script}}",
        rows(["{{footer}}"]),
        {"{{style}}": "{{title}}"},
    )
    page = Reader(tmp_path / "page.html")
    assert page.data["rows"][0]["direction"] == "{{footer}}"
    assert all(name in page.text for name in ("{{data}}", "{{script}}", "{{style}}", "{{title}}"))
    assert (tmp_path / "page.html").stat().st_size < 50_000


def test_webp(tmp_path):
    """A WebP picture is announced as one."""
    large = rows(["eyes"])[0]._replace(original=picture(0, 256))
    write_page(tmp_path / "page.html", "t", "s", [large], {})
    assert (
        Reader(tmp_path / "page.html")
        .data["pictures"][0]
        .startswith("data:image/webp;base64,UklGR")
    )


def test_names_are_escaped(tmp_path):
    """Whatever is in a name is shown as it is, and is no markup."""
    page = Reader(nasty_page(tmp_path))
    for part in ("title", "summary", "name", "footer"):
        assert f"{part} {NASTY}" in page.text
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [
        {"id": "data", "type": "application/json"},
        {},
    ]
    assert page.data["rows"][0]["direction"] == NASTY


def test_a_step_without_a_head_is_an_error(tmp_path):
    """A row with more or fewer pictures than heads is a mistake, and writes nothing."""
    with pytest.raises(ValueError, match="3 steps and 3 heat maps under 1 heads"):
        write_page(tmp_path / "page.html", "t", "s", [rows()[0]._replace(heads=["a"])], {})
    assert not list(tmp_path.iterdir())


def test_size_of_a_hundred_rows(tmp_path):
    """100 rows of an original and 8 steps, photographs of 256 pixels, take less than 10 MB."""
    generator = np.random.Generator(np.random.PCG64(0))
    waves = np.add.outer(np.arange(256), np.arange(256))[..., None] / 256 * [6, 9, 12]
    made = []
    for direction in range(10):
        for sample in range(10):
            steps = [
                128
                + 90 * np.sin(waves + sample + step / 9)
                + generator.normal(0, 2.5, (256, 256, 3))
                for step in range(9 if not made else 1)
            ]  # other rows reuse the bytes under a number of their own
            files = [encode(np.clip(step, 0, 255).astype(np.uint8)) for step in steps]
            files = (
                files
                if len(files) == 9
                else [file + bytes([direction, sample]) for file in made[0].steps] + files
            )
            made.append(Row(f"d{direction}", sample, ["1"] * 8, files[-1], files[:8]))
    write_page(tmp_path / "page.html", "t", "s", made, {})
    assert 1e6 < (tmp_path / "page.html").stat().st_size < 10e6


# In a browser -------------------------------------------------------------------------------------


@pytest.fixture
def opened(browser, tmp_path):
    """opened(path): the browser with the page; afterwards nothing may have been logged or
    fetched."""

    def opened(path=None):
        if path is None:
            path = tmp_path / "page.html"
            write_page(path, "t", "s", rows(), {})
        browser.get(path.as_uri())
        return browser

    browser.get_log("performance")  # forgets earlier ones
    yield opened
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [
        message["params"]["request"]["url"]
        for message in sent
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert addresses
    fetched = [
        address for address in addresses if not address.startswith(("data:", "chrome"))
    ]  # its own empty tab
    assert fetched == [(tmp_path / "page.html").as_uri()]


def cards(browser):
    """Name, edited picture and numbers of the cards, in the order shown."""
    return browser.execute_script("""return [...document.querySelectorAll("article")].map(card => ({
        name: [...card.querySelectorAll("h2 > *")].map(node => node.textContent).join(" "),
        edited: card.querySelector(".edited").src, original: card.querySelector(".original").src,
        step: card.querySelector("output").textContent,
        heat: card.querySelector(".heat").hidden ? null : card.querySelector(".heat").src,
        numbers: [...card.querySelectorAll("tbody td")].map(cell => cell.textContent)}))""")


def address(file):
    return f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"


def test_slider(opened):
    """Arrow keys on a focused slider change picture, distance and numbers of its card, and of no
    other."""
    page = opened()
    slider = page.find_element("css selector", "article:nth-child(2) input")
    seen = []
    for _ in range(3):
        shown = cards(page)
        assert shown[0]["edited"] == address(rows()[0].steps[2])
        assert shown[1]["original"] == address(rows()[1].original)
        seen.append(
            (
                shown[1]["edited"],
                shown[1]["step"],
                shown[1]["numbers"],
                slider.get_attribute("aria-valuetext"),
            )
        )
        slider.send_keys("\ue012")  # left
    edited = [address(file) for file in reversed(rows()[1].steps)]
    assert seen == [
        (
            edited[0],
            "+4",
            ["1.4000", "0.1000", "14.0", "1.40000", "0.10000", "14.0"],
            "distance +4",
        ),
        (edited[1], "0", ["0.0000", "0.0000", "–", "0.00000", "0.00000", "–"], "distance 0"),
        (
            edited[2],
            "-4",
            ["0.2000", "0.0200", "10.0", "0.20000", "0.02000", "10.0"],
            "distance -4",
        ),
    ]


def test_all_at_once(opened):
    """The slider on top moves all others."""
    page = opened()
    page.find_element("id", "everything").send_keys("\ue011")  # home
    assert [card["edited"] for card in cards(page)] == [address(row.steps[0]) for row in rows()]


def test_sorting_and_filtering(opened):
    """Cards are shown in the order asked for, by the numbers shown, those of one direction alone if
    asked for, and their number."""
    page = opened()

    def choose(menu, value):
        page.find_element("css selector", f"#{menu} option[value='{value}']").click()
        return [card["name"].replace(" sample", "") for card in cards(page)]

    assert choose("sort", "order") == ["Eyes 0", "Eyes 1", "Nose 0", "Nose 1"]
    assert choose("sort", "sample") == ["Eyes 0", "Nose 0", "Eyes 1", "Nose 1"]
    assert choose("sort", "inside") == ["Eyes 1", "Nose 1", "Eyes 0", "Nose 0"]
    assert choose("sort", "outside") == ["Eyes 0", "Eyes 1", "Nose 0", "Nose 1"]
    assert choose("sort", "ratio") == ["Eyes 1", "Eyes 0", "Nose 1", "Nose 0"]
    page.find_element("id", "everything").send_keys("\ue011")  # home: the ratios are others there
    page.execute_script("document.getElementById('everything').dispatchEvent(new Event('change'))")
    names = [card["name"].replace(" sample", "") for card in cards(page)]
    assert names == ["Eyes 0", "Eyes 1", "Nose 0", "Nose 1"]
    assert choose("filter", "nose") == ["Nose 0", "Nose 1"]
    assert page.find_element("id", "count").text == "2 of 4"
    assert len(choose("filter", "")) == 4


def test_fading(opened):
    """Between two steps their pictures fade into each other; released, the slider rests on one."""
    page = opened()
    page.execute_script("""
        const slider = document.querySelector("article input");
        slider.value = 1.75;
        slider.dispatchEvent(new Event("input"));""")
    next_picture = page.find_element("css selector", "article .next")
    assert cards(page)[0]["edited"] == address(rows()[0].steps[1])
    assert next_picture.get_attribute("src") == address(rows()[0].steps[2])
    assert next_picture.value_of_css_property("opacity") == "0.75"
    page.execute_script(
        "document.querySelector('article input').dispatchEvent(new Event('change'))"
    )
    assert not next_picture.is_displayed()
    assert cards(page)[0]["edited"] == address(rows()[0].steps[2])


def test_large_picture(opened):
    """A click shows a picture large, its original while held, and gives the command of its step."""
    from selenium.webdriver.support.ui import WebDriverWait

    page = opened()
    page.find_element("css selector", "article:nth-child(2) .edited").click()
    large = page.find_element("id", "large")
    edited, original = (
        large.find_element("css selector", f".{name}") for name in ("edited", "original")
    )
    assert edited.get_attribute("src") == address(rows()[1].steps[2])
    page.execute_script("document.querySelector('.hold').dispatchEvent(new Event('pointerdown'))")
    assert original.is_displayed()
    assert original.get_attribute("src") == address(rows()[1].original)
    page.execute_script("document.querySelector('.hold').dispatchEvent(new Event('pointerup'))")
    assert not original.is_displayed()
    large.find_element("css selector", "input").send_keys("\ue012\ue012")
    large.find_element("css selector", ".copy").click()
    told = large.find_element("css selector", "[role=status]")
    WebDriverWait(page, 5).until(lambda _: told.text.endswith("python manipulate.py eyes -4"))
    large.find_element("css selector", ".close").click()
    assert not large.is_displayed()
    assert cards(page)[1]["step"] == "-4"


def test_one_face_with_all_its_directions(opened):
    """In the other layout each face stands once, with a card for each direction under it."""
    page = opened()
    page.find_element("css selector", "#layout option[value='faces']").click()
    faces = page.find_elements("css selector", ".face")
    names = [
        [part.text for part in face.find_elements("css selector", "h2 span")] for face in faces
    ]
    assert names == [["Eyes", "Nose"]] * 2
    assert [face.find_element("css selector", "figcaption").text for face in faces] == [
        "sample 0",
        "sample 1",
    ]
    page.find_element("css selector", "#layout option[value='cards']").click()
    assert len(page.find_elements("css selector", "#cards > article")) == 4


def test_heat_maps(opened):
    """The switch lays the heat map of the step over each picture, explains it, and takes it away
    again."""
    page = opened()
    switch, legend = page.find_element("id", "heat"), page.find_element("id", "legend")
    assert not legend.is_displayed()
    switch.send_keys(" ")
    assert legend.is_displayed()
    assert [card["heat"] for card in cards(page)] == [address(row.heat[2]) for row in rows()]
    page.find_element("css selector", "article input").send_keys("\ue012")
    assert cards(page)[0]["heat"] == address(rows()[0].heat[1])
    assert page.find_element("css selector", "article svg").is_displayed()
    assert page.find_element("css selector", "article path").get_attribute("d") == "M2 2h3"
    switch.click()
    assert [card["heat"] for card in cards(page)] == [None] * 4


def test_without_measures(opened, tmp_path):
    """Without a region there is no table, no switch, no outline, and nothing to sort by numbers."""
    write_page(tmp_path / "page.html", "t", "s", rows(measured=False), {})
    page = opened(tmp_path / "page.html")
    assert not page.find_element("css selector", "article path").get_attribute("d")
    assert cards(page)[0]["numbers"] == []
    assert not page.find_element("id", "heat").is_displayed()


def test_names_are_text_in_the_browser(opened, tmp_path):
    """Hostile names run nothing and are shown letter by letter."""
    page = opened(nasty_page(tmp_path))
    assert page.title == f"title {NASTY}"
    assert cards(page)[0]["name"].startswith(NASTY)
    assert page.find_element("css selector", "#filter option:nth-child(2)").text == NASTY


def test_on_a_phone(opened, browser):
    """On a narrow screen nothing stands out at the side."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 700, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        assert opened().execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_everything_has_a_name(opened):
    """Each control and picture has a name for those who do not see it."""
    page = opened()
    unnamed = page.execute_script("""
        return [...document.querySelectorAll("input, select, img:not([hidden])")]
            .filter(part => !(part.alt || part.ariaLabel || part.labels?.length))
            .map(part => part.outerHTML)""")
    assert [part for part in unnamed if 'class="heat"' not in part] == []
