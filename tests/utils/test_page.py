"""The page of an edit."""

import base64
import html.parser
import re

import pytest

from utils.page import Row, write_page

NASTY = '<script>alert("x")</script> & \'q\''


class Reader(html.parser.HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def page(tmp_path) -> Reader:
    """A page of two rows in which every text is hostile."""
    rows = [Row(f"{NASTY} 0", [b"one", b"two"], True), Row(f"{NASTY} 1", [b"three", b"four"], False)]
    path = tmp_path / "page.html"
    write_page(path, f"title {NASTY}", f"summary {NASTY}", [f"head {NASTY}", "+4"], rows, f"footer {NASTY} × …")
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
    reader = Reader()
    reader.source = path.read_text(encoding="utf-8")
    reader.feed(reader.source)
    return reader


def test_self_contained(page):
    """Nothing is fetched: no address of the web, and every picture is in the page."""
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page.source)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "object", "embed")]
    assert all(attributes["src"].startswith("data:image/jpeg;base64,") for tag, attributes in page.tags if tag == "img")


def test_pictures_in_order(page):
    """The pictures are those of the rows, row by row."""
    pictures = [attributes["src"].split(",")[1] for tag, attributes in page.tags if tag == "img"]
    assert [base64.b64decode(picture) for picture in pictures] == [b"one", b"two", b"three", b"four"]


def test_names_are_escaped(page):
    """Whatever is in a name is shown as it is, and is no markup."""
    for part in ("title", "summary", "head", "footer"):
        assert f"{part} {NASTY}" in page.text
    assert f"{NASTY} 1" in page.text
    alternatives = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert alternatives[0] == f"{NASTY} 0, head {NASTY}"
    assert [attributes for tag, attributes in page.tags if tag == "tr"][1:] == [{"class": "first"}, {}]


def test_pictures_without_a_head_are_an_error(tmp_path):
    """A row with more or fewer pictures than heads is a mistake, and writes nothing."""
    with pytest.raises(ValueError, match="zip"):
        write_page(tmp_path / "page.html", "t", "s", ["a"], [Row("r", [b"1", b"2"], True)], "f")
    assert not list(tmp_path.iterdir())
