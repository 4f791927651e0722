"""Every page in Romanian: all of it, accessible, and nothing overflows although its words are longer."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import BROKEN, NGINX, another, begin, finish, procs, take
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent, Hub
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

RO = {"locale": "ro-RO"}
CATALOG = Path(__file__).parents[2] / "locale/ro/LC_MESSAGES/django.mo"
NAMES = {"running", "failed", "admin", "viewer", "Search"}  # systemd's own words, people, a group
FAILED = {"activeState": "failed", "subState": "failed", "result": "exit-code", "settledSec": 5}
SAID = """() => {
  const texts = [document.title], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const ours = element => !element.closest('script, style, [lang=en]');
  while (walk.nextNode()) if (ours(walk.currentNode.parentElement)) texts.push(walk.currentNode.textContent);
  for (const name of ['aria-label', 'title', 'placeholder', 'data-copied', 'data-word-live', 'data-word-offline'])
    for (const one of document.querySelectorAll(`[${name}]`)) if (ours(one)) texts.push(one.getAttribute(name));
  return texts.map(text => text.trim()).filter(Boolean);
}"""
OFFLINE = """() => {
  for (const id of ['offline-notice', 'error-notice'])
    document.getElementById('notices').append(document.getElementById(id).content.cloneNode(true));
  const live = document.getElementById('live'), ours = live.cloneNode(true);  // the page's script keeps its own
  live.replaceWith(ours);
  ours.dataset.state = 'reconnecting';
  ours.querySelector('[role=status]').textContent = ours.dataset.wordReconnecting;
}"""


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server of its own for each test."""
    return another(new_agent, procs(30))


def asked(page_as: PageAs, agent: Agent, service: str = NGINX) -> Page:
    """The page of a command that an operator has just given by the plain form."""
    page = opened(page_as("operator", **RO), f"/servers/{agent.id}/services/{service}/restart/")
    page.fill("#why", "Certificat TLS nou")
    page.click("main [value=run]")
    expect(page.locator("article .pill")).to_have_text("În așteptare")
    return page


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    return page


def sign_in(page_as: PageAs, agent: Agent) -> Page:
    return opened(page_as(None, **RO), "/login/")


def wrong_password(page_as: PageAs, agent: Agent) -> Page:
    page = sign_in(page_as, agent)
    page.fill("[name=username]", "nimeni")
    page.fill("[name=password]", "x")
    page.click("button.primary")
    expect(page.locator("#p-e")).to_contain_text("Numele sau parola sunt greșite. Mai ai")
    return page


def too_many_tries(page_as: PageAs, agent: Agent) -> Page:
    page = sign_in(page_as, agent)
    while page.locator("[name=username]").count():
        page.fill("[name=username]", "altcineva")
        page.fill("[name=password]", "x")
        page.click("button.primary")
        page.wait_for_load_state()
    expect(page.locator("h1")).to_have_text("Prea multe încercări")
    return page


def no_such_page(page_as: PageAs, agent: Agent) -> Page:
    return opened(page_as("viewer", **RO), "/servers/niciunul/")


def fleet(page_as: PageAs, agent: Agent) -> Page:
    page = opened(page_as("operator", **RO), "/")
    expect(page.locator("#live [role=status]")).to_have_text("În direct")
    return page


def fleet_offline(page_as: PageAs, agent: Agent) -> Page:
    page = fleet(page_as, agent)
    page.evaluate(OFFLINE)
    return page


def fleet_without_a_match(page_as: PageAs, agent: Agent) -> Page:
    return opened(page_as("operator", **RO), "/?q=nimic-de-felul&status=silent&group=Kafka")


def the_keys(page_as: PageAs, agent: Agent) -> Page:
    page = fleet(page_as, agent)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    return page


def the_menu(page_as: PageAs, agent: Agent) -> Page:
    page = opened(page_as("admin", **RO), "/")
    page.click("details.menu summary")
    return page


def searched(page_as: PageAs, agent: Agent) -> Page:
    return opened(page_as("operator", **RO), "/search/?q=nginx")


def searched_in_vain(page_as: PageAs, agent: Agent) -> Page:
    return opened(page_as("operator", **RO), "/search/?q=nimic-de-felul")


def add_server(page_as: PageAs, agent: Agent) -> Page:
    page = opened(page_as("admin", **RO), "/add/")
    page.click("main button.primary")
    expect(page.locator("#install")).to_be_visible()
    page.click("details:not(.menu) summary")
    return page


def add_server_wrongly(page_as: PageAs, agent: Agent) -> Page:
    page = opened(page_as("admin", **RO), "/add/")
    page.fill("[name=uses]", "5000")
    page.evaluate("document.querySelector('main form').noValidate = true")
    page.click("main button.primary")
    expect(page.locator("main [aria-invalid]")).to_be_visible()
    return page


def server(page_as: PageAs, agent: Agent) -> Page:
    page = opened(page_as("operator", **RO), f"/servers/{agent.id}/")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    return page


def server_as_viewer(page_as: PageAs, agent: Agent) -> Page:
    return opened(page_as("viewer", **RO), f"/servers/{agent.id}/?range=24h")


def server_filtered(page_as: PageAs, agent: Agent) -> Page:
    page = server(page_as, agent)
    page.fill("#proc-filter", "nimic-de-felul")
    page.fill("#svc-filter", "nimic-de-felul")
    page.click("[data-only=failed]")
    expect(page.locator("#services-none")).to_contain_text("nimic-de-felul eșuate")
    return page


def the_dialog(page_as: PageAs, agent: Agent) -> Page:
    page = server(page_as, agent)
    page.get_by_role("link", name=f"Repornește {BROKEN}", exact=True).click()
    expect(page.locator("#confirm h2")).to_have_text(f"Repornești {BROKEN} pe {agent.id}?")
    page.keyboard.press("Enter")
    expect(page.locator("#why-e")).to_contain_text("Spune de ce")
    return page


def command_running(page_as: PageAs, agent: Agent) -> Page:
    page = asked(page_as, agent)
    given = take(agent)
    begin(agent, given)
    expect(page.locator("article .pill")).to_have_text("În execuție")
    server_page = server(page_as, agent)
    expect(server_page.locator("#services")).to_contain_text("Se repornește")
    whole(server_page)
    finish(agent, given)
    return opened(page, page.url)


def command_failed(page_as: PageAs, agent: Agent) -> Page:
    page = asked(page_as, agent)
    given = take(agent)
    begin(agent, given)
    log = ["03:11:52 nginx[83390]: [emerg] mmap failed " + "x" * 200]
    finish(agent, given, outcome="failed", exitCode=1, after=FAILED, output="Job for nginx.service.", log=log)
    expect(page.locator("article .pill")).to_have_text("Eșuată")
    expect(page.locator("article")).to_contain_text("A fost oprit și nu a mai pornit.")
    return page


def audit(page_as: PageAs, agent: Agent) -> Page:
    asked(page_as, agent)
    return opened(page_as("operator", **RO), "/audit/")


def audit_filtered(page_as: PageAs, agent: Agent) -> Page:
    asked(page_as, agent)
    filters = f"server={agent.id}&from=2020-01-01&state=queued&q=TLS&who=operator"
    page = opened(page_as("operator", **RO), f"/audit/?{filters}")
    expect(page.locator("main")).to_contain_text("1 înregistrare")
    return page


def audit_wrongly(page_as: PageAs, agent: Agent) -> Page:
    return opened(page_as("operator", **RO), "/audit/?from=ieri")


OPENERS = [
    sign_in, wrong_password, too_many_tries, no_such_page, fleet, fleet_offline, fleet_without_a_match, the_keys,
    the_menu, searched, searched_in_vain, add_server, add_server_wrongly, server, server_as_viewer, server_filtered,
    the_dialog, command_running, command_failed, audit, audit_filtered, audit_wrongly,
]  # fmt: skip


def whole(page: Page) -> None:
    """It is Romanian, and says nothing that the catalog has other words for."""
    with CATALOG.open("rb") as file:
        catalog = gettext.GNUTranslations(file)
    assert page.get_attribute("html", "lang") == "ro"
    said = set(page.evaluate(SAID))
    assert {text for text in said - NAMES if catalog.gettext(text) != text} == set()
    assert not [text for text in said if set(text) & set("şţŞŢ")]


@pytest.mark.parametrize("opener", OPENERS, ids=lambda opener: opener.__name__)
def test_is_whole_accessible_and_fits(page_as: PageAs, agent: Agent, opener: Callable[[PageAs, Agent], Page]) -> None:
    page = opener(page_as, agent)
    said = watch_console(page)
    whole(page)
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    assert said == []


def test_the_first_server_is_asked_for_in_romanian(page_as: PageAs, empty_hub: Hub) -> None:
    page = opened(page_as("operator", on=empty_hub, **RO), "/")
    whole(page)
    for width in WIDTHS:
        fits(page, width)


@pytest.mark.parametrize("address", ["/", "/?status=up&sort=name", "/servers/{}/?range=24h", "/audit/?from=2020-01-01"])
def test_the_switch_keeps_the_page(page_as: PageAs, agent: Agent, address: str) -> None:
    address = address.format(agent.id)
    page = opened(page_as("operator"), address)
    for language, button in (("en", "RO, Română"), ("ro", "EN, English")):
        assert page.get_attribute("html", "lang") == language
        page.get_by_role("button", name=button, exact=True).click()
        page.wait_for_load_state()
        assert page.url.endswith(address)
    assert page.get_attribute("html", "lang") == "en"


def test_what_is_pushed_is_romanian_too(page_as: PageAs, agent: Agent) -> None:
    page = server(page_as, agent)
    asked(page_as, agent)
    expect(page.locator("#services tr", has_text=NGINX)).to_contain_text("În așteptare")
    given = take(agent)
    expect(page.locator("#services tr", has_text=NGINX)).to_contain_text("Livrată")
    begin(agent, given)
    finish(agent, given)
    expect(page.locator("#commands li").first).to_contain_text("Reușită, verificată")
    agent.report(cpu=12.5, memory=2048, procs=procs(30))
    expect(page.locator("#now-mem")).to_have_text("25 %")
    expect(page.locator("#say-mem")).to_have_text("2,0 din 8,0 GB")
    whole(page)
