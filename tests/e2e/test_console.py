"""People at the console: a real service, real frames of made-up people, and a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from lfr.access import ForcePolicy, add_person, revoke, set_policy
from lfr.database.tables import Reference
from lfr.models import load_model
from lfr.sources import demo_portraits
from lfr.watchlist import EntryRow, approve, create_watchlist, import_entries, seal
from tests.support.console import ServedConsole, chromium, served_console, violations
from tests.support.served import LISTED, served, write_walk

expect.set_options(timeout=10_000)

FACTORS = dict.fromkeys(("subject_factors", "system_factors", "environmental_factors"), "as it should be")
HOSTILE = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedConsole]:
    model = load_model(threads=1)
    folder = tmp_path_factory.mktemp("console")
    made, clip = served(folder / "home", model), write_walk(folder / "walk.avi", LISTED, frames=30)
    with served_console(made, model, sources={"gate": str(clip)}) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_went_wrong_and_nobody_else_was_asked(console: ServedConsole) -> Iterator[None]:
    console.said.clear()
    console.requested.clear()
    yield
    # A refused sign-in, a lost connection and a conflict are in a browser's log, as they should be.
    expected = re.compile(r"verbose: |Failed to load resource|ERR_INTERNET_DISCONNECTED")
    assert [text for text in console.said if not expected.search(text)] == []
    assert {url for url in console.requested if not url.startswith((console.url, "blob:"))} == set()


def second_operator(console: ServedConsole) -> str:
    store = console.made.open()
    try:
        admin = console.made.principal(store, "admin")
        return add_person(store, admin, name=HOSTILE, rank="constable", roles=["operator"]).key
    finally:
        store.close()


def say_what_was_seen(page: Page) -> None:
    for group in ("The person", "The system", "The place"):
        page.get_by_role("group", name=group).locator("label.chip").first.click()


def decide(page: Page, name: str) -> None:
    say_what_was_seen(page)
    page.get_by_role("button", name=name, exact=True).click()


def test_an_alert_arrives_and_goes_its_way_to_an_outcome(console: ServedConsole, browser: Browser) -> None:
    deployment = console.deployment()
    with console.page(browser, "operator", f"alerts/{deployment}") as page:
        expect(page.get_by_text("Connected")).to_be_visible()
        expect(page.get_by_text("No alert is waiting.")).to_be_visible()
        expect(page.get_by_text("not approved for field use")).to_be_visible()
        (alert,) = console.walk_past(deployment)
        expect(page.get_by_role("heading", name="Wanted on warrant")).to_be_visible()
        expect(page).to_have_title(re.compile(r"^\(1\) Alerts"))
        painted = page.evaluate("performance.getEntriesByName('lfr:painted').map(one => one.duration)")
        assert len(painted) == 1
        assert painted[0] < 300, "the first alert is painted within 300 ms of its event"
        for which in ("The face that the camera saw", "The image on the watchlist"):
            image = page.get_by_role("img", name=which)
            expect(image).to_be_visible()
            assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        expect(page.get_by_text(re.compile(r"Similarity 0\.\d\d, .*over the threshold of 0\.46"))).to_be_visible()
        expect(page.get_by_text(re.compile(r"at most 1\.0% of passers-by"))).to_be_visible()
        expect(page.get_by_text(re.compile(r"Images are deleted in 23 h"))).to_be_visible()
        page.keyboard.press("v")
        expect(page.get_by_text("Say what you saw first: the person.")).to_be_visible()
        say_what_was_seen(page)
        page.keyboard.press("x")
        expect(page.get_by_text("You called it not viable.")).to_be_visible()
        expect(page.get_by_role("button", name=re.compile(r"Undo \(\d+ s\)"))).to_be_visible()
        page.keyboard.press("u")
        expect(page.get_by_text("You called it not viable.")).to_be_hidden()
        expect(page).to_have_title(re.compile(r"^\(1\)"))
        decide(page, "Viable")
        expect(page.get_by_text("Step 2 of 2: what happened?")).to_be_visible()
        page.get_by_role("button", name="A person was engaged").click()
        page.get_by_label("What it came to").select_option("arrest")
        page.get_by_role("button", name="Right person").click()
        expect(page.locator(".final")).to_have_text("Right person")
        expect(page).to_have_title(re.compile(r"^Alerts"))
    history = console.call("operator", "GET", f"/alerts/{alert['alert']}")["history"]
    assert [one["decision"] for one in history["adjudications"]] == ["not_viable", "retracted", "viable"]
    assert [(one["state"], one["kind"]) for one in history["outcomes"]] == [
        ("engaged", None),
        ("confirmed_true", "arrest"),
    ]


def test_other_images_of_the_person_are_one_press_away(console: ServedConsole, browser: Browser) -> None:
    deployment = console.deployment()
    (alert,) = console.walk_past(deployment)
    watchlist = console.call("operator", "GET", f"/deployments/{deployment}")["watchlist"]["id"]
    jpeg = next(one.path for one in demo_portraits() if one.subject_id == "s009").read_bytes()
    store, other = console.made.open(), f"reference-of-{deployment}"
    image = store.keys.load(watchlist).encrypt(jpeg, row=f"{other}:image")
    kept = {"image": image, "image_digest": "d", "template": b"t", "model_digest": "m", "quality": {}}
    with store.database.write() as session:
        session.add(Reference(id=other, entry_id=alert["entry"], watchlist_id=watchlist, ordinal=1, **kept))
    store.close()
    with console.page(browser, "operator", f"alerts/{deployment}") as page:
        portrait = page.get_by_role("img", name="The image on the watchlist")

        def shows(query: str) -> None:
            expect(portrait).to_have_attribute("src", re.compile(re.escape(query)))
            portrait.evaluate("image => image.decode()")  # fails for what is no picture

        shows("aligned=true&number=0")
        page.get_by_role("button", name="Other images (1)").click()
        shows("aligned=true&number=1")
        page.get_by_role("button", name="Other image 1 of 1").click()
        shows("aligned=true&number=0")
        page.get_by_role("button", name="As kept").click()
        shows("aligned=false&number=0")
        assert violations(page) == []
    # A picture that the page still holds need not be asked for again, so a look is counted at least once.
    asked = {url.partition("?")[2].partition("&purpose")[0] for url in console.requested if "images/reference" in url}
    assert asked == {"aligned=true&number=0", "aligned=true&number=1", "aligned=false&number=0"}


def test_undo_goes_away_after_ten_seconds(console: ServedConsole, browser: Browser) -> None:
    deployment = console.deployment()
    console.walk_past(deployment)
    with console.page(browser, "operator", f"alerts/{deployment}") as page:
        decide(page, "Viable")
        undo = page.get_by_role("button", name=re.compile("Undo"))
        expect(undo).to_be_visible()
        expect(undo).to_be_hidden(timeout=13_000)
        expect(page.get_by_text("Step 2 of 2: what happened?")).to_be_visible()


def test_a_lost_network_is_shown_at_once_and_nothing_is_missed(console: ServedConsole, browser: Browser) -> None:
    deployment = console.deployment()
    with console.page(browser, "operator", f"alerts/{deployment}") as page:
        expect(page.get_by_text("Connected")).to_be_visible()
        page.context.set_offline(True)
        expect(page.get_by_text("Connection lost")).to_be_visible(timeout=1_000)
        console.walk_past(deployment)
        console.walk_past(deployment, camera="south")
        expect(page.get_by_text("No alert is waiting.")).to_be_visible()
        page.context.set_offline(False)
        expect(page.get_by_text("Connected")).to_be_visible()
        expect(page.locator(".cards .card")).to_have_count(2)
        expect(page).to_have_title(re.compile(r"^\(2\)"))
        resumed = [url for url in console.requested if url.endswith("/events")]
        assert len(resumed) >= 2


def test_when_another_officer_was_faster_this_one_is_told(console: ServedConsole, browser: Browser) -> None:
    deployment, other = console.deployment(), second_operator(console)
    (alert,) = console.walk_past(deployment)

    def first(route: Route) -> None:
        console.call(other, "POST", f"/alerts/{alert['alert']}/adjudication", {"decision": "not_viable", **FACTORS})
        route.continue_()

    with console.page(browser, "operator", f"alerts/{deployment}") as page:
        page.route("**/adjudication", first)
        decide(page, "Viable")
        expect(page.get_by_text(re.compile(r"person-\w+ was faster: called it not viable"))).to_be_visible()
        expect(page.locator(".final")).to_have_text("Not viable")
        assert page.get_by_role("button", name=re.compile("Undo")).count() == 0


def test_an_answer_that_is_lost_on_its_way_back_is_not_given_twice(console: ServedConsole, browser: Browser) -> None:
    deployment = console.deployment()
    (alert,) = console.walk_past(deployment)

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    with console.page(browser, "operator", f"alerts/{deployment}") as page:
        page.route("**/adjudication", lose_the_answer, times=1)
        decide(page, "Not viable")
        expect(page.get_by_text("You called it not viable.")).to_be_visible()
        expect(page.locator(".final")).to_have_text("Not viable")
    history = console.call("operator", "GET", f"/alerts/{alert['alert']}")["history"]
    assert [one["decision"] for one in history["adjudications"]] == ["not_viable"]


def test_where_two_must_agree_the_second_is_another_person(console: ServedConsole, browser: Browser) -> None:
    store = console.made.open()
    admin = console.made.principal(store, "admin")
    deployment, other = console.deployment(), second_operator(console)
    set_policy(store, admin, ForcePolicy(two_person_rule=True))
    try:
        console.walk_past(deployment)
        with (
            console.page(browser, "operator", f"alerts/{deployment}") as one,
            console.page(browser, other, f"alerts/{deployment}") as two,
        ):
            decide(one, "Viable")
            expect(one.get_by_text("it waits for another person to agree")).to_be_visible()
            expect(two.get_by_text("You are the second.")).to_be_visible()
            decide(two, "Viable")
            for page in (one, two):
                expect(page.get_by_text("Step 2 of 2: what happened?")).to_be_visible()
    finally:
        set_policy(store, admin, ForcePolicy())
        store.close()


def test_a_withdrawal_takes_typing_purges_and_is_seen_at_once_by_whoever_was_deciding(
    console: ServedConsole, browser: Browser
) -> None:
    deployment = console.deployment()
    console.walk_past(deployment)
    with (
        console.page(browser, "operator", f"alerts/{deployment}") as operator,
        console.page(browser, "authorising_officer", f"deployment/{deployment}") as officer,
    ):
        expect(operator.get_by_text("Step 1 of 2: is it viable?")).to_be_visible()
        officer.get_by_role("button", name="Withdraw…").click()
        dialog = officer.get_by_role("dialog", name="Withdraw the authorisation?")
        go = dialog.get_by_role("button", name="Withdraw and purge")
        dialog.get_by_label("Why it is withdrawn").fill("exercise over")
        dialog.get_by_label("Type withdraw to confirm").fill("withdrew")
        expect(go).to_be_disabled()
        dialog.get_by_label("Type withdraw to confirm").fill("withdraw")
        assert violations(officer) == []
        go.click()
        expect(officer.get_by_text("Withdrawn, and everything of it is destroyed.")).to_be_visible()
        proof = json.loads(officer.locator(".proof pre").inner_text())["proof"]
        assert proof["signature"]
        expect(
            operator.get_by_text(re.compile("The deployment was (withdrawn|purged); nothing may come"))
        ).to_be_visible()
        expect(operator.get_by_text("Step 1 of 2: is it viable?")).to_be_hidden()
    assert console.call("operator", "GET", f"/deployments/{deployment}")["state"] == "purged"


def test_a_deployment_ends_and_is_purged_while_another_has_a_dialog_open(
    console: ServedConsole, browser: Browser
) -> None:
    deployment = console.deployment()
    with (
        console.page(browser, "operator", f"deployment/{deployment}") as operator,
        console.page(browser, "authorising_officer", f"deployment/{deployment}") as officer,
    ):
        operator.get_by_role("button", name="End…").click()
        expect(operator.get_by_role("dialog")).to_be_visible()
        officer.get_by_role("button", name="End…").click()
        officer.get_by_label("Type end to confirm").fill("end")
        officer.get_by_role("button", name="End", exact=True).click()
        expect(officer.get_by_text("It has ended.")).to_be_visible()
        expect(operator.get_by_role("dialog")).to_be_hidden()
        expect(operator.get_by_text("This deployment is ended: no new alerts come.")).to_be_visible()
        officer.get_by_role("button", name="Purge…").click()
        officer.get_by_label("Type purge to confirm").fill("purge")
        officer.get_by_role("button", name="Purge", exact=True).click()
        expect(officer.get_by_text("Everything of it is destroyed.")).to_be_visible()
        with officer.expect_download() as download:
            officer.get_by_role("link", name="JSON").click()
        assert json.loads(Path(download.value.path()).read_text())["state"] == "purged"


def test_a_pass_of_a_field_trial_is_logged(console: ServedConsole, browser: Browser) -> None:
    deployment = console.deployment()
    with console.page(browser, "operator", f"deployment/{deployment}") as page:
        page.get_by_label("Subject on the list").fill("s001")
        page.get_by_role("button", name="They begin to walk now").click()
        console.walk_past(deployment)
        page.get_by_role("button", name="They have passed").click()
        expect(page.get_by_text("The pass is logged.")).to_be_visible()
    assert console.call("operator", "GET", f"/deployments/{deployment}/record")["tpir"]["of"] == 1


def test_a_list_with_hostile_text_is_approved_and_sealed(console: ServedConsole, browser: Browser) -> None:
    store = console.made.open()
    manager = console.made.principal(store, "watchlist_manager")
    watchlist = create_watchlist(store, manager, name=HOSTILE, model=console.model)
    said = ("category", "reason", "legal_basis", "image_source")
    values = {**dict.fromkeys(said, HOSTILE), "category": "missing-at-risk", "subject_id": "s009"}
    values |= {"lawfully_held": "yes", "image_date": "2026-01-01", "expires_at": "2099-12-31", "under_18": "no"}
    portrait = next(one.path for one in demo_portraits() if one.subject_id == "s009")
    import_entries(store, manager, watchlist, [EntryRow("line 1", values, (portrait,))], console.model)
    store.close()

    def opened(page: Page) -> None:
        row = page.get_by_role("row").filter(has_text="<script>").first
        row.get_by_role("button").click()
        page.get_by_label(re.compile("Why do you open")).fill("to check it")
        page.locator("form").get_by_role("button", name="Open").click()
        expect(page.get_by_role("cell", name="s009", exact=True)).to_be_visible()
        expect(page.get_by_text(HOSTILE).first).to_be_visible()

    with console.page(browser, "authorising_officer", "watchlists") as officer:
        opened(officer)
        officer.get_by_role("button", name="Approve (1 wait)").click()
        expect(officer.get_by_text("1 approved")).to_be_visible()
    with console.page(browser, "watchlist_manager", "watchlists") as page:
        opened(page)
        page.get_by_role("button", name="Look it over").click()
        expect(page.get_by_text("Nothing stands against sealing it.")).to_be_visible()
        page.get_by_role("button", name="Seal…").click()
        page.get_by_label("Type seal to confirm").fill("seal")
        page.get_by_role("button", name="Seal", exact=True).click()
        expect(page.locator(".notice", has_text="Sealed.")).to_be_visible()
        page.get_by_role("button", name="Suspend s009").click()
        page.get_by_label("Why; name no person").fill("found")
        page.get_by_label("Type suspend to confirm").fill("suspend")
        page.get_by_role("button", name="Suspend", exact=True).click()
        expect(page.get_by_text("s009 is suspended.")).to_be_visible()
        expect(page).not_to_have_title("broken")
        assert page.locator("img[src=x]").count() == 0


def test_an_officer_authorises_what_somebody_else_asked_for_and_it_is_started(
    console: ServedConsole, browser: Browser
) -> None:
    store = console.made.open()
    manager, officer = (console.made.principal(store, role) for role in ("watchlist_manager", "authorising_officer"))
    watchlist = create_watchlist(store, manager, name="made up", model=console.model)
    said = dict.fromkeys(("reason", "legal_basis", "image_source"), "made up")
    values = {**said, "category": "missing-at-risk", "subject_id": "s009", "lawfully_held": "yes", "under_18": "no"}
    values |= {"image_date": "2026-01-01", "expires_at": "2099-12-31"}
    portrait = next(one.path for one in demo_portraits() if one.subject_id == "s009")
    import_entries(store, manager, watchlist, [EntryRow("line 1", values, (portrait,))], console.model)
    approve(store, officer, watchlist)
    seal(store, manager, watchlist)
    store.close()
    texts = ("purpose", "necessity", "proportionality", "place", "why_there", "signage")
    papers = ("dpia", "appropriate_policy_document", "equality_impact_assessment")
    now = datetime.now(UTC)
    asked = {
        **dict.fromkeys((*texts, *papers), "made up"),
        "name": HOSTILE,
        "controller_force": "made-up",
        "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(minutes=30)).isoformat(),
        "categories": ["missing-at-risk"],
        "cameras": ["north"],
        "watchlist": watchlist,
        "calibration": "shipped",
        "demo": True,
    }
    deployment = console.call("operator", "POST", "/deployments", asked)["deployment"]
    with console.page(browser, "authorising_officer", f"deployment/{deployment}") as page:
        expect(page.get_by_role("heading", name="<script>")).to_be_visible()
        page.get_by_role("button", name="Authorise…").click()
        page.get_by_label("Your own reasons").fill("made-up people only")
        page.get_by_label("Type authorise to confirm").fill("authorise")
        page.get_by_role("button", name="Authorise", exact=True).click()
        expect(page.get_by_text("It is authorised.")).to_be_visible()
        page.get_by_role("button", name="Start…").click()
        page.get_by_label("Type start to confirm").fill("start")
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_text("It is live.")).to_be_visible()
        expect(page).not_to_have_title("broken")


def test_an_auditor_filters_the_log_and_checks_the_chain(console: ServedConsole, browser: Browser) -> None:
    with console.page(browser, "auditor", "audit") as page:
        page.get_by_label("What was done").fill("deployment.start")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.get_by_role("cell", name="deployment.authorise")).to_have_count(0)
        expect(page.get_by_role("cell", name="deployment.start").first).to_be_visible()
        page.get_by_role("button", name="Check the whole chain").click()
        expect(page.get_by_text("intact and complete")).to_be_visible()


def test_a_camera_is_seen_and_its_strangers_are_not(console: ServedConsole, browser: Browser) -> None:
    deployment = console.deployment()
    with console.page(browser, "operator", f"cameras/{deployment}") as page:
        north = page.get_by_role("region", name="Camera north")
        expect(north.get_by_text("No frame yet")).to_be_visible()
        north.get_by_role("button", name="Look").click()
        picture = north.get_by_role("img", name=re.compile("Camera north, live"))
        expect(picture).to_be_attached()
        for _ in range(3):
            console.walk_past(deployment, subject="s006")
        expect(north.get_by_text("Sending")).to_be_visible()
        page.wait_for_function("document.querySelector('.camera img').naturalWidth === 640")
        north.get_by_role("button", name="Stop looking").click()
        expect(north.get_by_text("Not looking.")).to_be_visible()


def test_an_operator_has_the_service_read_a_camera_and_sees_how_that_goes(
    console: ServedConsole, browser: Browser
) -> None:
    deployment = console.deployment()
    with console.page(browser, "operator", f"cameras/{deployment}") as page:
        north = page.get_by_role("region", name="Camera north")
        north.get_by_label("Source for north").select_option("gate")
        north.get_by_role("button", name="Read it").click()
        expect(north.get_by_text("Has stopped reading gate: source ended")).to_be_visible(timeout=30_000)
        expect(north.get_by_text("Sending")).to_be_visible()
        assert violations(page) == []
    alerts = console.call("operator", "GET", f"/deployments/{deployment}/alerts")["alerts"]
    assert [alert["subject_id"] for alert in alerts] == [LISTED]


def test_a_key_that_is_revoked_leads_to_signing_in_again(console: ServedConsole, browser: Browser) -> None:
    deployment, key = console.deployment(), second_operator(console)
    with console.page(browser, key, f"alerts/{deployment}") as page:
        expect(page.get_by_text("Connected")).to_be_visible()
        store = console.made.open()
        number = key.removeprefix("lfr_").partition("_")[0]
        revoke(store, console.made.principal(store, "admin"), f"key-{number}")
        store.close()
        expect(page.get_by_text(re.compile("You were signed out: key .* was revoked"))).to_be_visible()
        page.get_by_label("Your key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#wrong")).to_have_text(re.compile("That key is not valid here."))
        page.get_by_label("Your key").fill(console.made.keys["operator"])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Connected")).to_be_visible()
        console.walk_past(deployment)
        expect(page.get_by_text("Step 1 of 2: is it viable?")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Your key")).to_be_visible()
        page.reload()
        expect(page.get_by_label("Your key")).to_be_visible()


def test_the_keyboard_alone_is_enough(console: ServedConsole, browser: Browser) -> None:
    deployment = console.deployment()
    console.walk_past(deployment)
    with console.context(browser, reduced_motion="reduce") as context:
        page = context.new_page()
        console.watch(page)
        page.goto(f"{console.url}/console#alerts/{deployment}")
        expect(page.get_by_label("Your key")).to_be_focused()
        page.keyboard.type(console.made.keys["operator"])
        page.keyboard.press("Enter")
        expect(page.get_by_text("Step 1 of 2: is it viable?")).to_be_visible()
        seen = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "(() => { const e = document.activeElement; const label = e.labels?.[0]?.textContent;"
                " return [e.tagName, label ?? e.textContent, getComputedStyle(e).outlineStyle]; })()"
            )
            if focused[1].strip() not in seen and focused[1].startswith(
                ("Features agree", "Score well over", "Good light")
            ):
                page.keyboard.press("Space")
            seen.add(focused[1].strip())
        assert {"Skip to the page", "Cameras", "Sign out", "✓ ViableV", "✕ Not viableX"} <= seen
        page.get_by_role("button", name="Viable", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("You called it viable.")).to_be_visible()
        expect(page.get_by_role("heading", name="Step 2 of 2: what happened?")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_barrier(console: ServedConsole, browser: Browser, scheme: str) -> None:
    deployment = console.deployment()
    console.walk_past(deployment)
    with console.context(browser, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{console.url}/console")
        expect(page.get_by_label("Your key")).to_be_visible()
        assert violations(page) == []
    pages = [
        ("operator", f"alerts/{deployment}", "Step 1 of 2: is it viable?"),
        ("operator", f"cameras/{deployment}", "Not looking."),
        ("authorising_officer", f"deployment/{deployment}", "So far"),
        ("watchlist_manager", "watchlists", "Digest"),
        ("auditor", "audit", "To what"),
    ]
    for role, where, sign in pages:
        with console.page(browser, role, where, color_scheme=scheme) as page:
            expect(page.get_by_text(sign).first).to_be_visible()
            assert violations(page) == [], where
            for width in (1024, 640, 320):  # a tablet, and a laptop at 200% and at 400%
                page.set_viewport_size({"width": width, "height": 768})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (where, width)
            if "alerts" in where:
                page.set_viewport_size({"width": 1280, "height": 800})
                decide(page, "Viable")
                expect(page.get_by_text("Step 2 of 2: what happened?")).to_be_visible()
                assert violations(page) == [], "the second step"
