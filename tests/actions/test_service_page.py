"""The page of one service and its log: who may read it, what is asked, how lines are shown, what stays hidden."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import format_html

from actions import live, reads, service_page, states
from actions.models import AuditEntry, Read
from pmonitor.live import Broadcast, View, Watched
from servers.models import Server, Service
from tests.actions.making import NGINX, command, newest, service
from tests.actions.pages import text

pytestmark = pytest.mark.django_db
PAGE = f"/servers/srv-web-01/services/{NGINX}/"
HTMX = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{PAGE}"}
LINE = {"t": "2026-11-25T10:00:01.500Z", "level": 6, "by": "nginx[123]", "text": "GET /"}


@pytest.fixture
def nginx(web1: Server) -> Service:
    newest(web1, facts={"features": ["reads"]})
    return service(web1, description="A <b>web</b> server", unit_file_state="enabled", tasks=9)


def answered(agent: Client, **answer: Any) -> Read:
    """The agent answers what was asked last."""
    agent.get("/api/actions/queue/srv-web-01")
    read = Read.objects.latest("id")
    body = {"answer": {"lines": [], "cursor": "s=1;i=2", "source": "journal", "levels": True, **answer}}
    told = agent.post(f"/api/actions/queue/srv-web-01/reads/{read.uuid}", body, content_type="application/json")
    assert told.status_code == 200, told.content
    return Read.objects.get(pk=read.pk)


def ask(client: Client, **given: str) -> str:
    return text(client.post(f"{PAGE}log/", given, headers=HTMX))


def test_the_page_shows_state_buttons_and_the_services_own_commands(
    as_operator: Client, nginx: Service, web1: Server
) -> None:
    mine, other = command(web1, states.SUCCEEDED), command(web1, states.SUCCEEDED, target="ssh.service")
    shown = text(as_operator.get(PAGE))
    assert f'id="svc-{nginx.pk}"' in shown
    assert f'href="{PAGE}restart/"' in shown
    assert "A &lt;b&gt;web&lt;/b&gt; server" in shown
    assert "enabled" in shown
    assert f'id="cmd-{mine.pk}"' in shown
    assert f'id="cmd-{other.pk}"' not in shown
    assert not Read.objects.exists(), "nothing is asked before somebody presses"


def test_the_servers_list_links_to_it(as_operator: Client, nginx: Service) -> None:
    shown = text(as_operator.get("/servers/srv-web-01/"))
    assert f'href="{PAGE}"' in shown
    assert f'href="{PAGE}#log"' in shown


def test_only_in_scope_and_only_what_is_there(as_outsider: Client, as_operator: Client, nginx: Service) -> None:
    assert as_outsider.get(PAGE).status_code == 404
    assert as_outsider.post(f"{PAGE}log/").status_code == 404
    assert as_operator.get("/servers/srv-web-01/services/no.service/").status_code == 404
    assert as_operator.post(PAGE).status_code == 405
    assert as_operator.get(f"{PAGE}log/").status_code == 405


def test_viewers_are_told_that_operators_may_read_it(as_viewer: Client, nginx: Service) -> None:
    shown = text(as_viewer.get(PAGE))
    assert "Operators may read this log." in shown
    assert 'id="log-form"' not in shown
    assert as_viewer.post(f"{PAGE}log/").status_code == 403
    assert not Read.objects.exists()


@pytest.mark.parametrize(
    ("level", "args"),
    [("", {}), ("warning", {"level": 4}), ("err", {"level": 3}), ("nonsense", {})],
)
def test_a_level_asks_for_the_newest_lines_and_is_on_record(
    as_operator: Client, nginx: Service, level: str, args: dict[str, Any]
) -> None:
    shown = ask(as_operator, level=level)
    read = Read.objects.get()
    assert (read.kind, read.target, read.args) == ("logs", NGINX, {"lines": 200, **args})
    assert "Asking the server…" in shown
    assert f'data-topic="read:{read.pk}"' in shown
    assert shown.count('aria-pressed="true"') == 1
    entry = AuditEntry.objects.get()
    assert (entry.event, entry.actor, entry.target) == ("read.logs", "oleg", NGINX)
    assert f"Log of {NGINX}" in text(as_operator.get("/audit/"))


def test_lines_are_shown_with_time_level_and_source_and_nothing_of_them_acts(
    as_operator: Client, nginx: Service, agent: Client
) -> None:
    ask(as_operator)
    evil = {"text": "<script>alert(1)</script>\x1b[31m‮x", "level": 3, "by": "<i>"}
    shown = reads.html(answered(agent, lines=[LINE, evil, {"text": "careful", "level": 4}]))
    assert "10:00:01" in shown
    assert "nginx[123]" in shown
    assert "<div>" in shown
    assert "GET /" in shown
    assert '<span class="err">err: &lt;script&gt;alert(1)&lt;/script&gt;␛[31m\\u202ex</span>' in shown
    assert '<span class="wrn">warning: careful</span>' in shown
    assert "<script" not in shown
    assert 'data-cursor="s=1;i=2"' in shown


@pytest.mark.parametrize(
    ("level", "answer", "said"),
    [
        ("", {}, "Nothing is logged."),
        ("err", {}, "Nothing this bad is in the log."),
        ("err", {"levels": False, "lines": [{"text": "x"}]}, "This log tells no levels: every line is shown."),
        ("", {"cut": True, "lines": [LINE]}, "Older lines did not fit"),
    ],
)
def test_what_there_is_to_say_about_the_lines(
    as_operator: Client, nginx: Service, agent: Client, level: str, answer: dict[str, Any], said: str
) -> None:
    ask(as_operator, level=level)
    assert said in reads.html(answered(agent, **answer))


def test_following_asks_from_the_cursor_and_gets_lines_alone(
    as_operator: Client, nginx: Service, agent: Client
) -> None:
    ask(as_operator)
    answered(agent, lines=[LINE])
    for _ in range(3):
        shown = ask(as_operator, after="s=1;i=2")
        assert shown.startswith('<div id="read-')
        assert "Asking" not in shown, "nothing flickers"
        read = answered(agent, missed=True)
        assert read.args == {"lines": 200, "follow": True, "after": "s=1;i=2"}
    assert "lines are missing here" in reads.html(read)
    assert "Nothing is logged" not in reads.html(read)
    assert AuditEntry.objects.filter(event="read.logs").count() == 1, "one look, one entry"


@pytest.mark.parametrize(
    "line", [{}, {"text": 5}, {"text": "x", "level": 8}, {"text": "x", "t": "soon"}, {"text": "x" * 4097}]
)
def test_an_answer_that_is_no_log_is_refused(
    as_operator: Client, nginx: Service, agent: Client, line: dict[str, Any]
) -> None:
    ask(as_operator)
    agent.get("/api/actions/queue/srv-web-01")
    address = f"/api/actions/queue/srv-web-01/reads/{Read.objects.get().uuid}"
    answer = agent.post(address, {"answer": {"lines": [line]}}, content_type="application/json")
    assert answer.status_code == 400
    assert all(name.startswith("answer.lines[0]") for name in answer.json()["fields"])


def test_a_silent_server_is_said_at_once(as_operator: Client, nginx: Service) -> None:
    Server.objects.update(state="silent")
    shown = ask(as_operator)
    assert "This server is silent, so it was not asked." in shown
    assert "data-topic" not in shown


def test_without_script_the_page_itself_shows_it(
    as_operator: Client, as_admin: Client, nginx: Service, agent: Client
) -> None:
    sent = as_operator.post(f"{PAGE}log/", {"level": "warning"})
    assert sent.status_code == 302
    assert "Look again" in text(as_operator.get(sent["Location"]))
    answered(agent, lines=[LINE])
    assert "GET /" in text(as_operator.get(sent["Location"]))
    assert "GET /" not in text(as_admin.get(sent["Location"])), "an answer is for who asked"
    assert "Not read yet" in text(as_operator.get(f"{PAGE}?read=nonsense"))


def test_too_many_are_refused_in_words(as_operator: Client, nginx: Service, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "reads": (0, 60)}
    assert "Too many requests" in ask(as_operator)
    following = ask(as_operator, after="")
    assert "Too many requests" in following
    assert 'data-state="warning"' in following, "which ends the following"
    plain = as_operator.post(f"{PAGE}log/")
    assert "Too many requests" in text(plain, 429)


def test_a_commands_page_offers_the_log(as_operator: Client, nginx: Service, web1: Server) -> None:
    failed = command(web1, states.FAILED, evidence={"log": ["it broke"]})
    shown = text(as_operator.get(f"/commands/{failed.uuid}/"))
    assert "it broke" in shown
    assert f'hx-post="{PAGE}log/"' in shown
    nginx.delete()
    assert "log-form" not in text(as_operator.get(f"/commands/{failed.uuid}/"))


def test_one_service_is_a_part_of_its_servers_topic(
    operator: User, outsider: User, nginx: Service, web1: Server, db1: Server
) -> None:
    part = f"{web1.pk}/{nginx.pk}"
    asked = {part, f"{web1.pk}", f"{db1.pk}/{nginx.pk}", f"{web1.pk}/0", f"{web1.pk}/", f"{web1.pk}/x", "x/1"}
    assert live.may_watch_services(operator, asked) == {part, f"{web1.pk}"}
    assert not live.may_watch_services(outsider, {part})
    watching = Broadcast()
    for topic in (f"services:{part}", "services:99/1"):
        watching.watched[(topic, View("en", "viewer"))] = Watched()
    assert watching._meant([f"services:{web1.pk}"]) == {f"services:{part}"}


def test_what_changes_is_pushed_and_a_service_that_went_is_left_alone(nginx: Service, web1: Server) -> None:
    key, view = f"{web1.pk}/{nginx.pk}", View("en", "operator")
    before, messages = live.services(key, view, None)
    assert len(messages) == 4
    command(web1, states.RUNNING)
    after, moved = live.services(key, view, before)
    assert len(moved) == 3, "the version, the row, the commands"
    assert "Restarting" in "".join(moved)
    nginx.delete()
    assert live.services(key, view, after)[1] == []


def test_other_parts_add_their_panels(as_viewer: Client, nginx: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_page, "PARTS", [lambda one, role: format_html("<p>{} {}</p>", one.name, role)])
    assert f"<p>{NGINX} viewer</p>" in text(as_viewer.get(PAGE))
