"""The explorer page in a browser: everything it offers, no error in its console, no request to anywhere else."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = os.environ.get("WORDGEO_TEST_BROWSER") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 300  # seconds, of a machine that is busy with other things
ANSWERED = "!document.querySelector('#answers').hidden && !document.querySelector('#answers').hasAttribute('aria-busy')"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here (set WORDGEO_TEST_BROWSER)")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=1000 * PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Makes pages of a browser that has been nowhere."""
    contexts = []

    def visit(url: str, **options):
        contexts.append(browser.new_context(**{"base_url": url, "viewport": {"width": 1280, "height": 900}, **options}))
        contexts[-1].set_default_timeout(1000 * PATIENCE)
        return contexts[-1].new_page()

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture
def page(visit, service):
    """A page that is watched; afterwards: nothing in the console, nothing asked elsewhere."""
    page = visit(service.url)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=service.url)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    page.close()
    assert said == []
    elsewhere = [
        url for url in asked if urlsplit(url).netloc != urlsplit(service.url).netloc and not url.startswith("blob:")
    ]
    assert elsewhere == []


def answers(page, list_: int = 0) -> list[str]:
    page.wait_for_selector("#answers:not([hidden]):not([aria-busy]) .card")
    return page.locator("#lists .card").nth(list_).locator("tbody .word").all_inner_texts()


def ask(page, text: str) -> None:
    page.fill("#question", text)
    page.keyboard.press("Enter")
    expect(page, f"document.title.startsWith({json.dumps(text)} + ' ·')")


def expect(page, code: str) -> None:
    """Until `code` is true in the page (its policy forbids what `wait_for_function` does)."""
    end = monotonic() + PATIENCE
    while not page.evaluate(f"() => {code}"):
        assert monotonic() < end, code
        page.wait_for_timeout(20)


def test_an_empty_page_invites(page) -> None:
    page.goto("/")
    expect(page, "document.querySelectorAll('#model option').length === 2")
    assert page.locator(".welcome h2").inner_text() == "Ask a space of words"
    assert page.locator("#answers").is_hidden()
    assert page.locator("#csv").is_disabled()
    page.click("text=man is to king as woman is to ?")
    assert answers(page)[0] == "queen"
    assert page.input_value("#question") == "man king woman"


def test_answers_come_as_one_types(page, wiki) -> None:
    page.goto("/")
    expect(page, "document.querySelectorAll('#model option').length === 2")
    page.locator("#question").press_sequentially("king - man + woman")
    expect(page, f"document.title.startsWith('king - man + woman ·') && {ANSWERED}")
    found = wiki.query("king - man + woman")
    assert answers(page) == list(found.words)
    assert page.locator("#lists .score .number").all_inner_texts() == [f"{score:.3f}" for score in found.scores]
    assert page.locator("#reading").inner_text() == "the words nearest to king - man + woman"
    expect(page, "document.querySelector('#status').textContent === '10 answers, the first queen'")


def test_every_kind_of_question(page, wiki) -> None:
    page.goto("/?q=king")
    assert answers(page) == list(wiki.similar("king").words)
    ask(page, "man king woman")
    page.select_option("#method", "3cosmul")
    expect(page, "location.search.includes('3cosmul') && !document.querySelector('#answers').hasAttribute('aria-busy')")
    assert answers(page) == list(wiki.analogy("man", "king", "woman", method="3cosmul").words)
    ask(page, "king queen")
    assert page.locator(".figure").inner_text() == f"{wiki.similarity('king', 'queen'):.3f}"
    assert "is number 1 among the neighbours of" in page.locator(".pair").inner_text()
    ask(page, "w1, w2, w3, car")
    odd = wiki.odd(["w1", "w2", "w3", "car"])
    assert answers(page)[0] == odd.word
    assert page.locator("tr.marked .word").all_inner_texts() == [odd.word]
    ask(page, '"new york" + king')
    assert answers(page) == list(wiki.query('"new york" + king').words)
    page.fill("#k", "3")
    expect(page, "document.querySelectorAll('#lists tbody tr').length === 3")
    page.select_option("#top", "5000")
    expect(page, "location.search.includes('top=5000')")


def test_unknown_words_and_half_sentences(page) -> None:
    page.goto("/?q=man+quean+woman")
    page.wait_for_selector("#message:not([hidden])")
    assert page.locator("#message h2").inner_text() == "Not in the vocabulary"
    page.click("#message >> text=queen")
    page.wait_for_selector("#answers:not([hidden])")
    assert page.input_value("#question") == "man queen woman"
    page.evaluate(
        """() => {
            const [question, message] = ["question", "message"].map((id) => document.getElementById(id));
            question.addEventListener("input", () => { window.typed = performance.now(); });
            new MutationObserver(() => { window.told ??= performance.now(); }).observe(message, { attributes: true });
        }"""
    )
    page.fill("#question", "king -")
    page.wait_for_selector("#message:not([hidden]) >> text=That did not work")
    assert page.evaluate("window.told - window.typed") > 900, "half a sum is no error while more may come"
    page.fill("#question", "")
    page.wait_for_selector("#welcome:not([hidden])")


def test_a_service_that_fails_is_told_of_and_asked_again(visit, service) -> None:
    page = visit(service.url)
    page.goto("/?q=king")
    page.wait_for_selector("#answers:not([hidden])")
    page.route("**/similar", lambda route: route.abort())
    page.fill("#question", "w1")
    page.wait_for_selector("#message:not([hidden]) >> text=The service does not answer")
    page.unroute("**/similar")
    page.click("text=Try again")
    page.wait_for_selector("#answers:not([hidden])")


def test_a_slow_answer_shows_that_it_is_awaited_and_never_overtakes(page, service) -> None:
    held = []

    def hold(route) -> None:
        if '"w1"' in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/similar", hold)
    page.goto("/?q=king")
    answers(page)
    page.fill("#question", "w1")
    page.wait_for_selector("#progress:not([hidden])")
    assert page.get_attribute("#answers", "aria-busy") == "true"
    page.fill("#question", "w2")
    expect(page, "document.querySelector('table caption')?.textContent === 'the nearest neighbours of w2'")
    for route in held:
        route.abort()
    expect(page, "document.querySelector('#progress').hidden")
    assert "w2" in page.locator("table caption").text_content()


def test_two_models_side_by_side_with_stability(page, models) -> None:
    import wordgeo as wg

    page.goto("/?q=king&beside=runs")
    one, other = answers(page, 0), answers(page, 1)
    assert one == list(wg.load(models / "wiki").similar("king").words)
    ensemble = wg.load(models / "runs")
    assert other == list(ensemble[0].similar("king").words)
    assert set(page.locator("tr.marked .word").all_inner_texts()) == set(one) & set(other)
    page.wait_for_selector(".trust")
    agreement = ensemble.agreement(other)
    shown = page.locator(".trust .number").all_inner_texts()
    assert shown == [f"{100 * overlap:.0f} %" for overlap in agreement.overlap]
    sure = ensemble.agreement(["king"]).agreed[0]
    assert page.locator("tr:has(.check) .word").all_inner_texts() == [word for word in other if word in sure]
    assert page.locator(".map svg").count() == 2


def test_the_map(page, service) -> None:
    page.goto("/?q=king")
    page.wait_for_selector(".map svg .node")
    found = service.ask("map", {"item": "king", "k": 36}).json()
    assert page.locator(".map .node").count() == len(found["words"]) == 37
    assert page.locator(".map line").count() == len(found["links"])
    assert f"trustworthiness {found['trustworthiness']:.2f}" in page.locator(".map .note").inner_text()
    page.locator(".map .node", has_text=re.compile(r"^queen")).first.hover()
    assert page.locator(".map line.on").count() > 0
    page.locator(".map .node", has_text=re.compile(r"^queen")).first.locator("circle").click()
    expect(page, "document.querySelector('#question').value === 'queen'")


def test_the_map_by_the_keyboard(page, wiki) -> None:
    page.goto("/?q=king")
    page.wait_for_selector(".map svg .node")
    page.focus(".map .asked")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    nearest = wiki.similar("king").words[0]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(f"{nearest} ")
    assert page.locator(".map .node[tabindex='0']").count() == 1
    assert page.locator(".map line.on").count() > 0
    page.keyboard.press("Enter")
    expect(page, f"document.querySelector('#question').value === '{nearest}'")


def test_links_history_and_the_back_button(page, service) -> None:
    page.goto("/?q=king&k=3")
    answers(page)
    page.click("tbody .word >> nth=0")
    expect(page, "document.querySelector('#question').value === 'queen'")
    answers(page)
    assert urlsplit(page.url).query == "q=queen&model=wiki&k=3"
    page.go_back()
    expect(page, "document.querySelector('#question').value === 'king'")
    page.click("#link")
    page.wait_for_selector("#link >> text=Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{service.url}/?q=king&model=wiki&k=3"
    page.goto(copied)
    assert len(answers(page)) == 3
    page.click("#history summary")
    page.click("#past >> text=queen")
    expect(page, "document.querySelector('#question').value === 'queen'")
    page.click("#forget")
    assert page.locator("#history").is_hidden()


def test_export(page, wiki) -> None:
    page.goto("/?q=king&k=4")
    answers(page)
    with page.expect_download() as download:
        page.click("#csv")
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    found = wiki.similar("king", 4)
    assert lines[0] == "model,question,place,word,score,stability"
    assert [line.split(",")[3] for line in lines[1:]] == list(found.words)
    assert [float(line.split(",")[4]) for line in lines[1:]] == found.to_dict()["scores"]


def test_words_are_completed(page) -> None:
    page.goto("/")
    expect(page, "document.querySelectorAll('#model option').length === 2")
    page.locator("#question").press_sequentially("king - wo")
    expect(page, "[...document.querySelectorAll('#completions option')].some((one) => one.value === 'king - woman')")


def test_the_keyboard_is_enough(page) -> None:
    page.goto("/?q=king")
    answers(page)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "question"
    seen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        if seen[-1] == "word":
            break
    assert {"k", "top", "link", "csv", "word"} <= set(seen)
    page.keyboard.press("Enter")
    expect(page, "document.querySelector('#question').value === 'queen'")
    page.goto("/?q=king")
    answers(page)
    page.focus(".skip")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "answers"


@pytest.mark.parametrize("path", ["/", "/?q=king&beside=runs", "/?q=king+queen", "/?q=quean", "/?q=w1+w2+w3+car"])
def test_axe_finds_nothing(visit, service, path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(service.url, bypass_csp=True, reduced_motion="reduce")
    page.goto(path)
    page.wait_for_selector("#welcome:not([hidden]), #message:not([hidden]), #answers:not([hidden])")
    if "quean" not in path and path != "/":
        answers(page)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        found = axe.run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == [], theme


def test_nothing_is_wider_than_the_screen(visit, service) -> None:
    page = visit(service.url)
    for path in ("/", "/?q=king&beside=runs", "/?q=" + "a" * 300):
        page.goto(path)
        page.wait_for_selector("#welcome:not([hidden]), #message:not([hidden]), #answers:not([hidden])")
        for width in (1280, 768, 390, 320):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_model_of_other_words_invites_with_its_own(visit, serve, tmp_path) -> None:
    import numpy as np

    import wordgeo as wg
    from wordgeo.formats import save

    words = ["roi", "king", "reine", "homme", "femme", "demain", "matin"]
    vectors = np.random.default_rng(0).standard_normal((7, 8), dtype=np.float32)
    save(wg.from_arrays(words, vectors), tmp_path / "other")
    save(wg.from_arrays(["king", "chat"], vectors[:2]), tmp_path / "small")
    with serve(tmp_path / "other", tmp_path / "small") as running:
        page = visit(running.url)
        page.goto("/")
        expect(page, "document.querySelectorAll('#examples .own').length === 5")
        shown = page.locator("#examples li:visible b").all_inner_texts()
        assert shown == ["king", "reine", "homme", "femme", "demain", "matin"]
        page.click("#examples >> text=reine")
        assert set(answers(page)) == set(words) - {"reine"}
        page.select_option("#beside", "small")  # which does not know the word: the other's answers stay
        expect(page, "document.querySelectorAll('#lists .card').length === 2")
        assert set(answers(page)) == set(words) - {"reine"}
        assert "not among the 2 words" in page.locator("#lists .card").nth(1).inner_text()


def test_words_are_text_and_never_markup(visit, serve, tmp_path) -> None:
    import numpy as np

    import wordgeo as wg
    from wordgeo.formats import save

    evil = ["<img src=x onerror=alert(1)>", "<b>bold</b>", '"quoted"', "plain", "javascript:alert(1)"]
    save(wg.from_arrays(evil, np.random.default_rng(0).standard_normal((5, 8))), tmp_path / "evil")
    with serve(tmp_path / "evil") as running:
        page = visit(running.url)
        page.on("dialog", lambda dialog: pytest.fail("a word was run"))
        page.goto("/?q=plain")
        assert set(answers(page)) == set(evil) - {"plain"}
        assert page.locator("#answers img, #answers b").count() == 0


def test_a_key_is_asked_for(visit, serve, models, tmp_path) -> None:
    from wordgeo.service.keys import new_key

    secret, line = new_key("me")
    (tmp_path / "keys").write_text(line)
    with serve(models / "wiki", "--keys", tmp_path / "keys") as running:
        page = visit(running.url)
        page.goto("/?q=king")
        page.wait_for_selector("#key-dialog[open]")
        page.fill("#key", secret)
        page.keyboard.press("Enter")
        assert answers(page)[0] == "queen"


def test_the_documentation_works_offline(page) -> None:
    page.goto("/docs")
    page.wait_for_selector(".opblock-summary-path >> nth=20")
    assert "wordgeo" in page.locator(".info .title").inner_text()
