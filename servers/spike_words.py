"""What explains a stretch, in sentences: one that says it, and those that say how far it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.spike import CPU, Explained, Group
from servers.spike_found import Found

STANDS_OUT = 25  # percent of the rise; a program that added less does not
WHOLE = 95, 105  # percent of the rise between which processes account for all of it
UNEVEN = 0.8  # so much of what one stretch knows the other should know, too


def sentence(found: Found) -> str:
    """The one plain sentence."""
    explained = found.explained
    if not explained.now.samples:
        return _("No process table was reported in this stretch.")
    if not explained.before.samples:
        return _nothing_before(explained)
    if not explained.rose:
        return _no_rise(found)
    top = explained.groups[0] if explained.groups else None
    share = explained.share(top.change) if top else None
    if top is None or share is None or share < 0.5:
        return _("It rose, but no process in the samples used more than before.")
    return _accounts(explained, top, share)


def notes(found: Found) -> list[str]:
    """How far the server's rise is explained, and what the samples do not tell."""
    return [*_how_far(found), *_not_told(found)]


def amount(metric: str, value: float) -> str:
    """A number as sentences and cells have it: CPU with one decimal below 10, memory in whole MB."""
    return show.plain(value, 1 if metric == CPU and abs(value) < 9.95 else 0)


def count(explained: Explained, group: Group) -> int:
    """How many of its processes were there in the stretch; where none was, how many before."""
    return sum(part.key in explained.now.uses for part in group.parts) or len(group.parts)


def called(explained: Explained, group: Group) -> str:
    """The group as a sentence names it."""
    name, many = visible(group.name) or "—", count(explained, group)
    if many == 1:
        return name
    words = {"name": name, "count": show.plain(many)}
    return ngettext("%(name)s (%(count)s process)", "%(name)s (%(count)s processes)", many) % words


def _accounts(explained: Explained, top: Group, share: float) -> str:
    words = {
        "who": called(explained, top),
        "share": show.plain(share),
        "before": amount(explained.metric, top.before or 0.0),
        "now": amount(explained.metric, top.now or 0.0),
    }
    if explained.metric == CPU:
        if share > 100.5:
            said = _("%(who)s rose by more than the server as a whole: %(before)s%% → %(now)s%% of one core.")
        elif share < STANDS_OUT:
            said = _(
                "No program stands out: %(who)s added most, %(share)s%% of it, %(before)s%% → %(now)s%% of one core."
            )
        else:
            said = _("%(who)s accounts for %(share)s%% of the rise: %(before)s%% → %(now)s%% of one core.")
    elif share > 100.5:
        said = _("%(who)s rose by more than the server as a whole: %(before)s → %(now)s MB.")
    elif share < STANDS_OUT:
        said = _("No program stands out: %(who)s added most, %(share)s%% of it, %(before)s → %(now)s MB.")
    else:
        said = _("%(who)s accounts for %(share)s%% of the rise: %(before)s → %(now)s MB.")
    return said % words


def _no_rise(found: Found) -> str:
    explained = found.explained
    before, now = explained.host.before, explained.host.now
    if before is None or now is None:
        before, now = (sum(getattr(group, side) or 0.0 for group in explained.groups) for side in ("before", "now"))
        words = {"before": amount(explained.metric, before), "now": amount(explained.metric, now)}
        if explained.metric == CPU:
            return _("Processes' CPU did not rise: %(before)s%% of one core before, %(now)s%% in this stretch.") % words
        return _("Processes' memory did not rise: %(before)s MB before, %(now)s MB in this stretch.") % words
    words = {"before": amount(explained.metric, found.shown(before)), "now": amount(explained.metric, found.shown(now))}
    if explained.metric == CPU:
        return _("CPU did not rise: %(before)s%% before, %(now)s%% in this stretch.") % words
    return _("Memory did not rise: %(before)s MB before, %(now)s MB in this stretch.") % words


def _nothing_before(explained: Explained) -> str:
    top = explained.groups[0] if explained.groups else None
    if top is None or top.now is None:
        return _("Nothing is known of the stretch before.")
    words = {"who": called(explained, top), "now": amount(explained.metric, top.now)}
    if explained.metric == CPU:
        return _("Nothing is known of the stretch before. %(who)s used most in this: %(now)s%% of one core.") % words
    return _("Nothing is known of the stretch before. %(who)s used most in this: %(now)s MB.") % words


def _how_far(found: Found) -> Iterator[str]:
    explained, cpu = found.explained, found.explained.metric == CPU
    if not explained.rose:
        return
    before, now, share = explained.host.before, explained.host.now, explained.explained
    if before is None or now is None or share is None:
        yield _("The server's own reading is not known here: shares are of what its processes added.")
        return
    words = {
        "before": amount(explained.metric, found.shown(before)),
        "now": amount(explained.metric, found.shown(now)),
        "share": show.plain(max(share, 0.0)),
    }
    if share > WHOLE[1] and cpu:
        said = _("The server rose from %(before)s%% to %(now)s%%; in the samples its processes added more than that.")
        yield said % words
    elif share > WHOLE[1]:
        said = _("The server rose from %(before)s to %(now)s MB; in the samples its processes added more than that.")
        yield said % words
    elif cpu:
        yield _("The server rose from %(before)s%% to %(now)s%%; its processes explain %(share)s%% of that.") % words
    else:
        yield _("The server rose from %(before)s to %(now)s MB; its processes explain %(share)s%% of that.") % words
    if share < WHOLE[0] and cpu:
        yield _("The rest is not seen in samples: processes too short-lived, or the kernel.")
    elif share < WHOLE[0]:
        yield _("The rest is not memory of processes: the kernel's, or files kept in memory.")
    elif share > WHOLE[1] and not cpu:
        yield _("Memory that processes share is counted with each of them.")


def _not_told(found: Found) -> Iterator[str]:
    explained = found.explained
    before, now = explained.before, explained.now
    if cut := before.cut + now.cut:
        words = {"samples": show.plain(cut), "most": show.plain(max(before.most, now.most))}
        yield (
            ngettext(
                "%(samples)s sample tells only the busiest of up to %(most)s processes; the rest counts as nothing.",
                "%(samples)s samples tell only the busiest of up to %(most)s processes; the rest counts as nothing.",
                cut,
            )
            % words
        )
    if explained.unknown:
        yield ngettext(
            "%(count)s process was seen too briefly for its value to be known.",
            "%(count)s processes were seen too briefly for their values to be known.",
            explained.unknown,
        ) % {"count": show.plain(explained.unknown)}
    if found.boots:
        yield _("The server was booted in this time: processes after it are others than those before.")
    if before.samples and min(before.samples, now.samples) < UNEVEN * max(before.samples, now.samples):
        words = {"now": show.plain(now.samples), "before": show.plain(before.samples)}
        yield _("The two stretches are not equally well known: %(now)s samples against %(before)s before.") % words
