"""The production compose file: valid, closed, and its settings are those the hub wants."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIRED = {"HUB_DOMAIN": "monitor.example.net", "SECRET_KEY": "k3y-for-tests" * 5, "POSTGRES_PASSWORD": "pa55word"}
OURS = ("web", "worker", "migrate")


def compose_command() -> list[str]:
    """Docker's own plugin where it is installed, else Debian's docker-compose."""
    plugin = ["docker", "compose"]
    if shutil.which("docker") and subprocess.run([*plugin, "version"], capture_output=True).returncode == 0:
        return plugin
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("neither docker compose nor docker-compose is installed")


def config(tmp_path: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env_file = tmp_path / ".env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    surroundings = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    command = [*compose_command(), "--file", str(ROOT / "docker-compose.yml"), "--env-file", str(env_file), "config"]
    return subprocess.run(command, capture_output=True, text=True, env=surroundings, cwd=ROOT)


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    answer = config(tmp_path, REQUIRED)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = yaml.safe_load(answer.stdout)["services"]
    return found


@pytest.mark.parametrize("name", REQUIRED)
def test_without_a_required_variable_it_says_where_to_set_it(tmp_path: Path, name: str) -> None:
    answer = config(tmp_path, {**REQUIRED, name: ""})
    assert answer.returncode != 0
    assert "set it in .env" in answer.stderr


def test_only_the_proxy_is_reachable_from_outside(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if service.get("ports")] == ["proxy"]
    assert [name for name, service in services.items() if "edge" in service["networks"]] == ["proxy", "web"]


def test_nothing_of_the_host_is_mounted(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            assert re.fullmatch(r"\w+", source)


def test_every_part_has_a_health_check_and_the_hub_few_rights(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["migrate"]
    for name in OURS:
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    assert re.search(r"^USER pmonitor$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_web_waits_for_the_migrations(services: dict[str, Any]) -> None:
    for name in ("web", "worker"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"


@pytest.mark.e2e
@pytest.mark.parametrize("name", OURS)
def test_its_settings_pass_the_deployment_check(services: dict[str, Any], name: str) -> None:
    environment = {key: str(value) for key, value in services[name]["environment"].items()}
    answer = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
    )
    assert answer.returncode == 0, answer.stderr


def test_every_variable_of_the_settings_is_explained() -> None:
    settings = (ROOT / "pmonitor" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings))
    compose = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    explained = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {"SECRET_KEY", "DATABASE_URL"} <= read
    assert (read | compose) - explained == set()


def test_the_image_holds_every_package_of_ours() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    let_in = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    packages = set(re.findall(r"^(\w+)/__init__\.py$", tracked, re.MULTILINE)) - {"tests", "bench"}
    assert packages | {"templates", "static", "locale"} <= copied
    assert copied <= let_in


@pytest.mark.skipif(not shutil.which("caddy"), reason="caddy is not installed")
@pytest.mark.parametrize("domain", ["monitor.example.net", "localhost", "192.0.2.7"])
def test_caddy_takes_its_file(domain: str, tmp_path: Path) -> None:
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(ROOT / "deploy" / "Caddyfile")]
    answer = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HUB_DOMAIN": domain},
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("path", ["docker-compose.yml", "deploy/Caddyfile", "scripts/environment", "manage.py"])
def test_a_windows_checkout_keeps_line_ends(path: str) -> None:
    answer = subprocess.run(["git", "check-attr", "eol", path], capture_output=True, text=True, cwd=ROOT, check=True)
    assert answer.stdout.strip().endswith("eol: lf")
