"""Settings: from the environment and a file, every wrong one named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent import config
from tests.agent.conftest import ROOT, AgentStarter


def load(path: Path | None = Path("/dev/null"), **environ: str) -> config.Config:
    return config.load({"API": "http://hub:8000", "AGENT_ID": "a", **environ}, path)


@pytest.mark.parametrize(
    "api", ["https://hub:8000", "https://hub:8000/", "https://hub:8000/api", "https://hub:8000/api/"]
)
def test_a_trailing_slash_or_api_is_tolerated(api: str) -> None:
    assert load(API=api).api == "https://hub:8000"


def test_defaults_are_those_of_the_readme() -> None:
    settings = load()
    assert (settings.interval, settings.settle_sec, settings.allow.entries) == (10, 5, [])
    assert settings.state_dir == Path("/var/lib/pmonitor-agent")


def test_a_default_file_of_roots_is_left_to_the_unit_that_gives_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "agent.env")
    (tmp_path / "agent.env").write_text("ALLOW=*:*")
    monkeypatch.setattr("os.access", lambda *_: False)
    assert load(None).allow.entries == []
    monkeypatch.undo()
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "agent.env")
    assert load(None).allow.entries == ["*:*"]


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "agent.env"
    file.write_text("# the hub\nAPI=http://from-file\n\nINTERVAL='30'\nALLOW=\"restart:a stop:b\"\n")
    settings = load(file, API="http://from-env")
    assert (settings.api, settings.interval, settings.allow.entries) == ("http://from-env", 30, ["restart:a", "stop:b"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API", "hub:8000"),
        ("API", "ftp://hub"),
        ("API", "http://"),
        ("API", "http://hub:99999"),
        ("API", "http://user:pw@hub"),
        ("AGENT_ID", "a b"),
        ("AGENT_ID", "x" * 65),
        ("INTERVAL", "soon"),
        ("INTERVAL", "0"),
        ("INTERVAL", "nan"),
        ("SETTLE_SEC", "-1"),
        ("CA_FILE", "/no/such/file"),
        ("ACT_BY", "su"),
        ("ALLOW", "everything"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        load(Path("/dev/null"), **{name: value})
    assert len(caught.value.problems) == 1
    assert name in caught.value.problems[0]
    assert value in caught.value.problems[0]


def test_every_wrong_value_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "agent.env"
    file.write_text("INTERVAL=x\nthis is no setting\n")
    with pytest.raises(config.ConfigError) as caught:
        config.load({"AGENT_ID": "é"}, file)
    text = str(caught.value)
    assert all(word in text for word in ("INTERVAL", "line 2", "AGENT_ID", "API is not set"))


def test_a_missing_config_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match=r"missing\.env cannot be read"):
        load(tmp_path / "missing.env")


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_wrong_settings_end_the_agent_with_2_and_one_line_each() -> None:
    done = run("--config", "/dev/null", API="nowhere", AGENT_ID="a", INTERVAL="x")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2


def test_without_token_or_key_it_says_so(tmp_path: Path) -> None:
    done = run("--config", "/dev/null", API="http://127.0.0.1:9", AGENT_ID="a", STATE_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "ENROLMENT_KEY" in done.stderr


def test_an_unwritable_state_folder_is_one_clear_line() -> None:
    done = run("--config", "/dev/null", API="http://127.0.0.1:9", AGENT_ID="a", STATE_DIR="/proc/nothing")
    assert done.returncode == 2
    assert "STATE_DIR='/proc/nothing' cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_second_agent_on_the_same_state_is_refused(start_agent: AgentStarter, tmp_path: Path) -> None:
    first = start_agent(AGENT_TOKEN="t")
    second = start_agent(AGENT_TOKEN="t")
    ended = {agent.pid: agent for agent in (first, second)}
    while all(agent.poll() is None for agent in ended.values()):
        os.sched_yield()
    codes = sorted(str(agent.poll()) for agent in ended.values())
    assert codes == ["2", "None"]
    assert "already running" in (tmp_path / "agent.log").read_text()


def test_check_says_what_it_found_and_keeps_secrets() -> None:
    done = run(
        "--check", "--config", "/dev/null", API="http://h", AGENT_ID="a", ENROLMENT_KEY="very-secret", ALLOW="stop:a"
    )
    assert done.returncode == 0
    assert "stop:a" in done.stderr
    assert "very-secret" not in done.stderr


@pytest.mark.parametrize(
    ("option", "words"), [("--version", "0."), ("--print-unit", "[Service]"), ("--help", "--config")]
)
def test_options_that_only_print(option: str, words: str) -> None:
    done = run(option)
    assert done.returncode == 0
    assert words in done.stdout


def test_an_unknown_option_is_named() -> None:
    done = run("--verbose")
    assert done.returncode == 2
    assert "--verbose is not an option" in done.stderr
