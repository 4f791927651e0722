"""What a new server downloads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client


def test_the_script_knows_the_hub(client: Client) -> None:
    answer = client.get("/agent/install.sh")
    assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (200, "text/x-shellscript")
    script = answer.content.decode()
    assert script.startswith("#!/bin/sh\n")
    assert "HUB=http://testserver KEY=''" in script
    assert "curl -fsSL http://testserver/agent/install.sh" in script
    checked = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_script_names_the_address_servers_are_told(client: Client, settings: LazySettings) -> None:
    settings.HUB_URL = "https://monitor.example.net/it's"
    script = client.get("/agent/install.sh").content.decode()
    assert """HUB='https://monitor.example.net/it'"'"'s' KEY=''""" in script


def test_the_agents_file_runs(client: Client, tmp_path: Path) -> None:
    answer = client.get("/agent/pmonitor-agent.pyz")
    assert answer.status_code == 200
    file = tmp_path / "pmonitor-agent.pyz"
    file.write_bytes(answer.content)
    ran = subprocess.run(
        [sys.executable, str(file), "--version"], cwd=tmp_path, text=True, capture_output=True, check=True, env={}
    )
    assert ran.stdout.strip()
    unit = subprocess.run(
        [sys.executable, str(file), "--print-unit"], cwd=tmp_path, text=True, capture_output=True, check=True, env={}
    )
    assert "[Service]" in unit.stdout


def test_the_agents_file_is_sent_again_only_when_it_changed(client: Client) -> None:
    first = client.get("/agent/pmonitor-agent.pyz")
    again = client.get("/agent/pmonitor-agent.pyz", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/agent/pmonitor-agent.pyz", headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("path", ["/agent/install.sh", "/agent/pmonitor-agent.pyz"])
def test_they_are_only_read(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
    assert client.head(path).status_code == 200
