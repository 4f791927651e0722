"""What a server downloads to get its agent: the install script, and the agent as one file."""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import zipfile
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.http import quote_etag
from django.views.decorators.http import condition, require_safe

from pmonitor.access import public

AGENT = settings.BASE_DIR / "agent"
WANTED = {".py", ".service"}
START = "import agent.__main__\n\nagent.__main__.main()\n"
REASON = "A new server has nothing to show yet, and the agent's code is no secret; joining needs an enrolment key."


def agent_archive() -> bytes:
    """The agent as a Python zip application; the same bytes for the same code."""
    return _archive()[0]


@cache
def agent_version() -> str:
    """The version of the agent that servers download here."""
    found = re.search(r'^__version__ = "([^"]+)"', (AGENT / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else settings.VERSION


@cache
def _archive() -> tuple[bytes, str]:
    """The archive and its ETag, made once in a process."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), START)
        for path in sorted(AGENT.rglob("*")):
            if path.suffix in WANTED and "__pycache__" not in path.parts:
                name = f"agent/{path.relative_to(AGENT).as_posix()}"
                archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    content = b"#!/usr/bin/env python3\n" + target.getvalue()
    return content, quote_etag(hashlib.sha256(content).hexdigest()[:32])


@public(reason=REASON)
@require_safe
def install_script(request: HttpRequest) -> HttpResponse:
    """The install script, which knows this hub's address and so needs no --hub."""
    hub = settings.HUB_URL or request.build_absolute_uri("/").rstrip("/")
    script = (AGENT / "install.sh").read_text(encoding="utf-8")
    filled = script.replace("HUB='' ", f"HUB={shlex.quote(hub)} ", 1).replace("http://HUB", hub)
    return HttpResponse(filled, content_type="text/x-shellscript; charset=utf-8")


@public(reason=REASON)
@require_safe
@condition(etag_func=lambda _request: _archive()[1])
def agent_file(request: HttpRequest) -> HttpResponse:
    """The agent as one file that Python runs."""
    headers = {"Content-Disposition": 'attachment; filename="pmonitor-agent.pyz"'}
    return HttpResponse(agent_archive(), content_type="application/zip", headers=headers)
