"""The server of the live page, and the page in a browser."""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from utils.cli.options import CodeOptions
from utils.editing.edits import DirectionFile
from utils.files.arrays import write_npy
from utils.files.sidecar import sha256
from utils.live.keeping import keep_for_page, kept_file
from utils.live.server import MOST_BYTES, LiveServer
from utils.live.session import LiveInputs, LiveSession


@pytest.fixture
def server(tmp_path, monkeypatch, generator, data):
    """One of a small network and a direction, serving in a thread."""
    monkeypatch.chdir(tmp_path)
    network = generator("tf_skip_64")
    rows = network.mapping(np.random.RandomState(0).randn(2, network.z_dim))[:, 0] / 8
    write_npy("mine.npy", rows)
    path = tmp_path / "mine.npy"
    files = [DirectionFile(path, rows, None, sha256(path), None)]
    inputs = LiveInputs(data / "tf_skip_64.pkl", CodeOptions(), files)
    with ThreadPoolExecutor(2) as workers:
        session = LiveSession(network, inputs, workers)
        answers = {
            "start": lambda _: session.start(),
            "image": session.image,
            "find": session.find,
            "keep": lambda content: keep_for_page(session, content),
            "file": lambda content: kept_file(session, content),
        }
        made = LiveServer(answers, session.progress)
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        made.end()
        thread.join()


def ask(server, name="start", body="{}", method="POST", secret=None, **headers):
    """Status and headers of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    here = f"127.0.0.1:{server.port}"
    sent = {"Host": here, "Origin": f"http://{here}"} | {
        key.replace("_", "-"): value for key, value in headers.items()
    }
    sent = {key: value for key, value in sent.items() if value is not None}
    path = f"/{secret or server.secret}/{name}"
    connection.request(method, path, body if method == "POST" else None, sent)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers


ATTACKS = {
    "another origin": {"Origin": "http://evil.example"},
    "no origin": {"Origin": None},
    "the origin of a file": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "a name that leads here": {"Host": "evil.example", "Origin": "http://evil.example"},
    "another site": {"Sec_Fetch_Site": "cross-site"},
    "a guessed secret": {"secret": "x" * 22},
    "a path": {"name": "../../../etc/passwd"},
    "a large body": {"body": "x" * (MOST_BYTES + 1)},
    "a page elsewhere that reads": {"method": "GET", "name": "", "Origin": "http://evil.example"},
    "a file": {"method": "GET", "name": "server.py"},
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_attacks(server, attack):
    """Whatever is not the page's own request is refused, and told nothing."""
    assert ask(server, **attack)[0] == 403


def test_answers(server):
    """The page itself is answered, also under the name localhost; nobody may frame or read it."""
    port = server.port
    assert ask(server)[0] == 200
    local = f"localhost:{port}"
    assert ask(server, Host=local, Origin=f"http://{local}")[0] == 200
    status, headers = ask(server, "", method="GET", Origin=None)
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert server.server_address[0] == "127.0.0.1"
    for body in ("[]", "{", '{"state": 1}', '{"state": {"face": {"number": "../x"}}}'):
        assert ask(server, "image", body)[0] == 400


# In a browser -------------------------------------------------------------------------------------


@pytest.fixture
def opened(browser, server):
    """The browser with the page; afterwards nothing may have been fetched from elsewhere."""
    browser.get_log("performance"), browser.get_log("browser")
    browser.get(server.address)
    wait(lambda: shown(browser))
    yield browser
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [
        message["params"]["request"]["url"]
        for message in sent
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert addresses
    assert [
        each
        for each in addresses
        if not each.startswith((server.address, "data:", "chrome", "about:"))
    ] == []
    browser.get("about:blank")


def wait(is_so):
    """Until it is so."""
    start = time.monotonic()
    while not (value := is_so()):
        assert time.monotonic() - start < 20
        time.sleep(0.02)
    return value


def shown(page):
    """The address of the large picture."""
    return page.find_element("id", "shown").get_attribute("src")


def sliders(page):
    return page.find_elements("css selector", "#sliders input[type=range]")


def test_paint_find_drag_undo_save_reload(opened):
    """Paint, find, drag, undo, keep, reload: each does what it says; nothing is on the console."""
    from selenium.webdriver.common.action_chains import ActionChains

    page, first = opened, shown(opened)
    sliders(page)[0].send_keys("\ue014\ue014\ue014")  # right
    wait(lambda: shown(page) != first)
    page.find_element("id", "zero").click()
    wait(lambda: shown(page) == first)
    page.find_element("id", "undo").click()
    moved = wait(lambda: shown(page) != first and shown(page))
    page.find_element("css selector", "[value=box]").click()
    canvas = page.find_element("id", "paint")
    ActionChains(page).move_to_element(canvas).click_and_hold().move_by_offset(
        90, 60
    ).release().perform()
    page.find_element("id", "find").click()
    found = wait(lambda: page.find_elements("css selector", "#found button"))
    found[0].click()
    wait(lambda: len(sliders(page)) == 2 and shown(page) != moved)
    page.find_element("css selector", "#keep button").click()
    wait(lambda: page.find_elements("css selector", "#kept li"))
    assert "my_edit_region.png" in page.find_element("id", "kept").text
    before = wait(
        lambda: not page.find_element("id", "status").text.startswith("wait") and shown(page)
    )
    page.refresh()
    wait(lambda: shown(page) == before)
    assert len(sliders(page)) == 2
    page.execute_script("window.open(location.href)")  # two tabs do not disturb each other
    page.switch_to.window(page.window_handles[1])
    wait(lambda: shown(page) == before)
    page.find_element("id", "next").click()
    wait(lambda: shown(page) != before)
    page.close()
    page.switch_to.window(page.window_handles[0])
    assert shown(page) == before
    assert page.get_log("browser") == []


def test_on_a_phone_and_named(opened):
    """On a narrow screen nothing stands out at the side; each control has a name."""
    phone = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        assert opened.execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    unnamed = opened.execute_script("""
        return [...document.querySelectorAll("input, select, button, progress")]
            .filter(part => !(part.ariaLabel || part.textContent.trim()
                || part.labels?.length && part.labels[0].textContent.trim()))
            .map(part => part.outerHTML)""")
    assert unnamed == []


def test_a_session_that_has_ended(opened):
    """Without its session, which here cannot be reached, the page says so, and what to do."""
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    opened.execute_cdp_cmd("Network.enable", {})
    opened.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    try:
        opened.find_element("id", "next").click()
        wait(lambda: "has ended" in opened.find_element("id", "status").text)
    finally:
        opened.execute_cdp_cmd("Network.emulateNetworkConditions", offline | {"offline": False})
