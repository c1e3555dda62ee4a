"""The live page in a real browser, on a real engine with a real broker."""

import re
import signal
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import feed
from browser import DESK, PHONE, chromium
from harness import Broker, Engine, replay, wait_until
from tables import TABLES

MINUTE_MS = 60_000
FIRST = feed.SONGS[0]
# Longer than a tick, a reconnection's longest wait and a slow machine together.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)


class World:
    """A broker, an engine, and listeners who play songs now."""

    def __init__(self, broker, engine, folder):
        self.broker, self.engine, self.folder = broker, engine, folder
        self.feed = feed.Feed(users=300)
        self.now = int(time.time() * 1000)
        self.sent = 0
        self.process = None

    def send(self, **events):
        """Sends events, by table."""
        self.sent += 1
        files = {}
        for table, rows in events.items():
            files[table] = [feed.write(self.folder / f"{self.sent}-{table}.jsonl", rows)]
        replay(self.broker, self.folder, files, 1)

    def start(self):
        self.process = self.engine.start("run")
        wait_until(lambda: self.process.poll() or self.answers(), "readiness", 60)
        assert self.process.poll() is None, self.process.tail()

    def answers(self):
        status = self.engine.get("/api/v1/status")
        return status and status["state"] == "running"

    def stop(self):
        self.process.send(signal.SIGTERM)
        assert self.process.wait(60).code == 0, self.process.tail()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with Broker(folder / "kafka") as broker:
        engine = Engine(broker, folder / "engine", windows__idle_after="1s", lake__upload_interval="2s")
        world = World(broker, engine, folder)
        start = world.now - 3 * 60 * MINUTE_MS
        world.send(
            listen_events=world.feed.listens(start, world.now, 6000),
            page_view_events=world.feed.views(start, world.now, 2000),
            auth_events=[], status_change_events=[],
        )
        world.start()
        yield world
        world.process.__exit__()
        engine.discard()


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


class Watched:
    """Pages that must not complain, and must ask nobody but the engine."""

    def __init__(self, browser, origin):
        self.browser, self.origin = browser, origin
        self.complaints, self.contexts = [], []
        # While the engine is down the browser says so on the console itself.
        self.engine_is_down = False

    def open(self, path="/?window=1h", viewport=DESK, ready="#rows tr", **options):
        context = self.browser.new_context(viewport=viewport, **{"locale": "en-GB", "timezone_id": "UTC", **options})
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", self.heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self.asked)
        page.goto(self.origin + path)
        page.wait_for_selector(ready)
        return page

    def heard(self, message):
        if message.type in ("error", "warning") and not (self.engine_is_down and "ERR_" in message.text):
            self.complaints.append(message.text)

    def asked(self, request):
        if not request.url.startswith(self.origin + "/"):
            self.complaints.append(f"asked {request.url}")


@pytest.fixture
def watched(world, browser):
    watched = Watched(browser, f"http://127.0.0.1:{world.engine.port}")
    yield watched
    for context in watched.contexts:
        context.close()
    assert not watched.complaints, watched.complaints


def accessible(page):
    """Axe's rules find nothing, once what fades has faded."""
    expect(page.locator("body")).not_to_have_class("switching")
    # What breathes for ever is no fading. (`wait_for_function` would evaluate text, which the page's policy forbids.)
    fading = """document.getAnimations().some(animation =>
        animation.playState === "running" && animation.effect.getTiming().iterations !== Infinity)"""
    wait_until(lambda: not page.evaluate(fading), "the end of all fading", PATIENCE / 1000)
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def rows(page):
    """What the table shows: rank, movement, title, artist, plays, listeners."""
    return page.eval_on_selector_all(
        "#rows tr",
        """rows => rows.map(row => [".rank", ".move .unseen", ".title", ".artist", ".plays", ".listeners"]
            .map(cell => row.querySelector(cell).textContent))""",
    )


def expected_rows(answer):
    """The same of the API's answer."""
    def moved(song):
        if answer["previous"]["plays"] == 0:
            return ""
        before = song["previous_rank"]
        places = 0 if before is None else before - song["rank"]
        return "new" if before is None else f"up {places}" if places > 0 else f"down {-places}" if places else "unchanged"

    return [
        [str(song["rank"]), moved(song), song["song"], song["artist"], f"{song['plays']:,}", f"{song['listeners']:,}"]
        for song in answer["songs"][:25]
    ]


def shows(world, page, window="1h", at="live"):
    """Waits until the page shows what the API answers."""
    def agree():
        answer = world.engine.get(f"/api/v1/charts/songs?window={window}&at={at}")
        return answer and answer["songs"] and rows(page) == expected_rows(answer)
    try:
        wait_until(agree, f"{window} {at} on the page", PATIENCE / 1000)
    except AssertionError:
        shown, answer = rows(page), world.engine.get(f"/api/v1/charts/songs?window={window}&at={at}")
        differing = [pair for pair in zip(shown, expected_rows(answer)) if pair[0] != pair[1]]
        raise AssertionError(f"{len(shown)} rows are shown; {differing[:3]}") from None


def test_numbers_move_while_events_arrive(world, watched):
    page = watched.open()
    shows(world, page)
    users = world.engine.get("/api/v1/active-users?window=1h")["users"]
    expect(page.locator("#users")).to_have_text(f"{users:,}")
    # The rows that stay are the same elements: nothing is drawn anew.
    page.evaluate("document.querySelectorAll('#rows tr').forEach(row => { row.kept = true })")
    newcomer = ("Late Bloomer", "Out of Nowhere")
    world.send(listen_events=[world.feed.play(world.now, newcomer, user) for user in range(290)])
    expect(page.locator("#rows tr").first.locator(".title")).to_have_text(newcomer[1])
    expect(page.locator("#rows tr").first.locator(".move .unseen")).to_have_text("new")
    shows(world, page)
    kept = page.eval_on_selector_all("#rows tr", "rows => rows.filter(row => row.kept).length")
    assert kept >= 20, kept
    assert page.locator("#series path.line").first.get_attribute("d").count("L") > 50
    shades = page.eval_on_selector_all("#states g", "tiles => new Set(tiles.map(tile => tile.className.baseVal)).size")
    assert shades > 2, "the map shows no difference"


def test_every_window_live_and_closed(world, watched):
    page = watched.open()
    for window in ("5m", "24h", "minute", "hour", "day", "1h"):
        page.locator(f"input[value='{window}']").check(force=True)
        shows(world, page, window)
        assert f"window={window}" in page.url
    page.locator("input[value=closed]").check(force=True)
    shows(world, page, at="closed")
    # The address says what is shown, so it can be passed on.
    again = watched.open(re.sub(r"^[^?]*", "/", page.url))
    shows(world, again, at="closed")
    assert again.locator("input[value=closed]").is_checked()


def test_foreign_text_stays_text(world, watched):
    page = watched.open()
    # Searched for: by the time the test runs, the window may have moved so far that it is not among the first.
    page.locator("#q").fill("<script>")
    expect(page.locator("#found")).to_contain_text("1 song in this window with “<script>”")
    title = page.locator(".title", has_text="<script>")
    expect(title).to_have_text(feed.HOSTILE)
    assert page.locator("#rows script, #rows img").count() == 0
    assert page.title() == "Beatlytica live"
    # A right-to-left title begins at the right within its box, and the box does not move.
    assert page.evaluate("getComputedStyle(document.querySelector('.title[dir=auto]')).textAlign") == "left"


def test_nothing_said_and_the_word_null_are_two_groups(world, watched):
    page = watched.open()
    tables = {"level": ("#level", 2), "gender": ("#gender", 2), "state": ("#states-table", 1)}

    def shown():
        return {
            name: page.eval_on_selector_all(f"{table} tbody tr", f"rows => rows.map(row => row.cells[{cell}].textContent)")
            for name, (table, cell) in tables.items()
        }

    def answered():
        splits = world.engine.get("/api/v1/active-users?window=1h&detail=true")["splits"]
        return {name: [f"{group['users']:,}" for group in splits[name]] for name in tables}

    # A row that is not known again shows with the next update but one.
    for turn in range(3):
        plays = [
            {**world.feed.play(world.now, FIRST, 0), "userId": user + turn, **dict.fromkeys(tables, word)}
            for user, word in [(1_000, "null"), (2_000, None)]
        ]
        before = answered()
        world.send(listen_events=plays)
        wait_until(lambda: answered() != before, "the new groups", PATIENCE / 1000)
        wait_until(lambda: shown() == answered(), "them on the page", PATIENCE / 1000)


def test_search_forgives_case_and_accents(world, watched):
    page = watched.open()
    page.get_by_label("Search for a song or an artist").focus()
    page.keyboard.type("OLUDENIZ selin")
    expect(page.locator("#found")).to_contain_text("2 songs in this window")
    expect(page.locator("#songs-title")).to_have_text("Songs found")
    found = {row[2] for row in rows(page)}
    assert found == {"Ölüdeniz", "Ölüdeniz, again"}
    page.locator("#q").fill("nothing is called like this")
    expect(page.locator("#found")).to_contain_text("No song in this window")
    page.keyboard.press("Escape")
    expect(page.locator("#songs-title")).to_have_text("Top songs")
    shows(world, page)


def test_it_survives_a_restart_of_the_engine(world, watched):
    page = watched.open()
    shows(world, page)
    before = rows(page)
    watched.engine_is_down = True
    world.stop()
    expect(page.locator("#connection")).to_contain_text("The engine does not answer; waiting for it.")
    expect(page.locator("#verdict")).to_contain_text("does not answer")
    assert rows(page) == before, "what was known is gone"
    accessible(page)
    world.start()
    expect(page.locator("#connection")).to_have_text("Connected")
    watched.engine_is_down = False
    shows(world, page)
    again = ("Second Wind", "Back Again")
    world.send(listen_events=[world.feed.play(world.now, again, user) for user in range(299)])
    expect(page.locator("#rows tr").first.locator(".title")).to_have_text(again[1])
    shows(world, page)


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(watched, viewport, scheme):
    page = watched.open(viewport=viewport, color_scheme=scheme)
    for summary in page.locator("summary").all():
        summary.click()
    page.locator("#q").fill("again")
    expect(page.locator("#found")).to_contain_text("songs in this window")
    accessible(page)
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) > 384) == (scheme == "light"), paper


def test_the_keyboard_is_enough(world, watched):
    page = watched.open()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    seen = []
    while len(seen) < 30:
        place = page.evaluate(
            """() => {
                const node = document.activeElement;
                const ring = node.matches(".segments input") ? node.nextElementSibling : node;
                return [node.id || node.value || node.textContent.trim(), getComputedStyle(ring).outlineStyle];
            }"""
        )
        if place[0] in [name for name, _ in seen] or page.evaluate("document.activeElement === document.body"):
            break
        seen.append(place)
        page.keyboard.press("Tab")
    names = [name for name, _ in seen]
    for needed in ("theme", "1h", "live", "q", "more", "verdict-short"):
        assert needed in names, names
    assert all(ring != "none" for _, ring in seen), f"focus is not seen: {seen}"
    page.locator("input[value='1h']").focus()
    page.keyboard.press("ArrowRight")
    shows(world, page, "24h")
    page.locator("#more").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(50)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_the_screen(watched, width):
    page = watched.open(viewport={"width": width, "height": 700})
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cut = page.eval_on_selector_all(
        "#rows .plays, #rows .listeners, .figure",
        "nodes => nodes.filter(node => node.scrollWidth > node.clientWidth + 1 && node.clientWidth).map(node => node.textContent)",
    )
    assert not cut, f"numbers are cut: {cut}"


@pytest.mark.parametrize("locale, shown", [("en-GB", r"\d,\d{3}"), ("de-DE", r"\d\.\d{3}"), ("fr-FR", "\\d\u202f\\d{3}")])
def test_numbers_are_written_as_the_reader_does(watched, locale, shown):
    page = watched.open(locale=locale)
    expect(page.locator("#plays")).to_have_text(re.compile(rf"^{shown}$"))


def test_the_theme_is_remembered(watched):
    page = watched.open(color_scheme="light")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    for name in ("Theme: light", "Theme: dark"):
        page.locator("#theme").click()
        expect(page.locator("#theme")).to_have_text(name)
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    expect(page.locator("#theme")).to_have_text("Theme: dark")
    assert page.evaluate(paper) == dark


def test_reduced_motion_moves_nothing(world, watched):
    page = watched.open(reduced_motion="reduce")
    page.evaluate("""() => {
        window.moved = 0;
        const animate = Element.prototype.animate;
        Element.prototype.animate = function (...given) { moved += 1; return animate.apply(this, given); };
    }""")
    riser = feed.SONGS[15]
    world.send(listen_events=[world.feed.play(world.now, riser, user) for user in range(300)] * 2)
    expect(page.locator("#rows tr").first.locator(".title")).to_have_text(riser[1])
    assert page.evaluate("moved") == 0
    assert page.evaluate("document.getAnimations().length") == 0


def test_before_the_first_event(world, browser):
    """An engine whose topics are not there yet, then there but empty."""
    topics = {f"kafka__topics__{table}": f"quiet_{table}" for table in TABLES}
    quiet = Engine(world.broker, world.folder / "quiet", windows__idle_after="1s", **topics)
    process = quiet.start("run")
    watched = Watched(browser, f"http://127.0.0.1:{quiet.port}")
    try:
        wait_until(lambda: process.poll() or quiet.get("/api/v1/status"), "an answer")
        page = watched.open(ready="#songs-empty")
        expect(page.locator("#songs-empty")).to_contain_text("Waiting for the first event")
        expect(page.locator("#verdict")).to_contain_text("The engine is starting: no partition is assigned yet.")
        expect(page.locator("#audience-empty")).to_be_visible()
        page.locator("input[value=closed]").check(force=True)
        expect(page.locator("#songs-empty")).to_contain_text("No window is closed yet")
        accessible(page)
        assert not watched.complaints, watched.complaints
        page.context.close()
    finally:
        process.__exit__()
        quiet.discard()
