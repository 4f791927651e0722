"""What the page shows on which a rollout is planned and started."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from actions import protection, verbs
from actions.rollouts import selection, words
from actions.rollouts.forms import RolloutForm
from actions.rollouts.start import Plan
from actions.service_rows import GLYPHS
from actions.verdicts import service_word
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Server, Service
from servers.states import SILENT
from servers.twins import told_apart

MOST_NAMED = 5


class Planned(NamedTuple):
    """One server of the plan, with the state of its service now."""

    agent: str
    hostname: str
    name: str
    state: str
    word: str


def context(user: Any, form: RolloutForm) -> dict[str, Any]:
    """The form, and the servers that can be ticked once a service is named."""
    target = str(form["target"].value() or "").strip()
    return {
        "fields": form.laid_out(),
        "names": [visible(name) for name in form.names],
        "seed": form["seed"].value(),
        "target": visible(target),
        "ticks": selection.having(user, target)[:500] if target else [],
        "ticked": form.data.getlist("server"),  # type: ignore[attr-defined]
        "errors": {},
    }


def planned(form: RolloutForm, made: Plan) -> dict[str, Any]:
    """The plan: its batches, what to know before, and the words of its button."""
    wanted = form.wanted()
    service = visible(wanted.target).removesuffix(".service")
    words_ = {"title": verbs.titled(wanted.cmd, service), "n": show.plain(made.total)}
    kind = protection.kind_of(wanted.cmd, wanted.target)
    in_words = [words.batch_size(wanted.batch), words.at_failure(wanted.max_failures)]
    in_words += [_("probe %(url)s") % {"url": visible(wanted.probe)}] if wanted.probe else []
    return {
        "plan": made,
        "title": words.titled(wanted.cmd, wanted.target),
        "cells": [[_cell(one) for one in batch] for batch in made.batches],
        "in_words": ", ".join(in_words),
        "between": _("then hold %(n)s s") % {"n": show.plain(wanted.pause)} if wanted.pause else _("then the next"),
        "warnings": warnings(made, wanted.silent == "skip"),
        "without": [visible(agent) for agent in wanted.selection.without],
        "protected": protection.sentence(kind) if kind else "",
        "typed_name": service,
        "verb": verbs.VERBS[wanted.cmd],
        "confirms": ngettext("%(title)s on %(n)s server", "%(title)s on %(n)s servers", made.total) % words_,
    }


def warnings(made: Plan, skips: bool) -> list[str]:
    """What is not as one would expect of the chosen servers."""
    said = []
    if made.silent:
        then = _("They are skipped if they still are.") if skips else _("The first of them halts it if it still is.")
        silent = _("Silent now: %(names)s.") % {"names": _names(made.silent)}
        said.append(f"{silent} {then}")
    if made.unable:
        names = {"names": _names(made.unable)}
        said.append(_("Cannot probe, agent too old: %(names)s. They fail before anything is done there.") % names)
    if made.barred:
        said.append(
            _("Left out, because this is not allowed or not possible there: %(names)s.")
            % {"names": _names(made.barred)}
        )
    if made.lacking:
        said.append(_("Left out, because there is no such service: %(names)s.") % {"names": _names(made.lacking)})
    return said


def _names(servers: list[Server]) -> str:
    first = ", ".join(show.first_label(visible(server.hostname)) for server in servers[:MOST_NAMED])
    more = len(servers) - MOST_NAMED
    return _("%(names)s and %(n)s more") % {"names": first, "n": show.plain(more)} if more > 0 else first


def _cell(service: Service) -> Planned:
    server = service.server
    state = "silent" if server.state == SILENT else GLYPHS.get(service.active_state, "running")
    name = told_apart(server.hostname, server.agent_id, getattr(service, "twin", False))
    return Planned(server.agent_id, visible(server.hostname), name, state, visible(service_word(service.active_state)))
