"""Whether a service is protected, and what that asks of whoever wants to stop or restart it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from django.utils.translation import gettext as _

from actions import protected
from actions.models import ProtectedUnit
from pmonitor.visible import visible


def kind_of(cmd: str, name: str, listed: Iterable[Sequence[str]] | None = None) -> str | None:
    """Why this verb on this service is guarded: a kind of protected.KINDS; None where it is not.

    listed: pattern and kind of all protected ones, where the caller has read them just now; else one query.
    """
    if cmd not in protected.VERBS:
        return None
    rows = ProtectedUnit.objects.values_list("pattern", "kind") if listed is None else listed
    return next((kind for pattern, kind in rows if _matches(name, pattern)), None)


def _matches(name: str, pattern: str) -> bool:
    """SysV and supervisord say sshd to what systemd calls sshd.service."""
    return fnmatchcase(name, pattern) or fnmatchcase(f"{name}.service", pattern)


def sentence(kind: str) -> str:
    """What stopping a protected service of this kind does."""
    return str(protected.KINDS.get(kind, protected.KINDS[protected.OTHER])[1])


def missing(
    cmd: str, name: str, typed: str, reason: str, listed: Iterable[Sequence[str]] | None = None
) -> dict[str, str]:
    """What a protected service asks for and was not given, by field; empty when all is there, or it is not protected.

    typed: its name as the operator wrote it, with or without `.service`; listed: as `kind_of` takes it.
    """
    if kind_of(cmd, name, listed) is None:
        return {}
    wrong = {}
    if typed.strip().removesuffix(".service") != name.removesuffix(".service"):
        wrong["typed"] = _("must be the name of the protected service: %(name)s") % {"name": visible(name)}
    if not reason.strip():
        wrong["reason"] = _("must say why: the service is protected")
    return wrong
