"""Secrets never leave the server in a command line."""

from __future__ import annotations

import time

import pytest

from agent import scrub

SECRET = "hunter2Sesame"

HIDDEN = [
    ["app", f"--password={SECRET}"],
    ["app", "--password", SECRET],
    ["app", "-password", SECRET],
    ["app", "--db-password", SECRET],
    ["app", "--password", f"two words {SECRET}"],
    ["app", f"--api-key={SECRET}"],
    ["app", f"--apikey={SECRET}"],
    ["app", "--api_key", SECRET],
    ["app", f"token={SECRET}"],
    ["app", f"--auth-token:{SECRET}"],
    ["mysql", f"-p{SECRET}", "db"],
    ["/usr/bin/mysqldump", "-u", "root", f"-p{SECRET}"],
    ["sshpass", f"-p{SECRET}", "ssh", "host"],
    ["sshpass", "-p", SECRET, "ssh", "host"],
    ["redis-cli", "-a", SECRET],
    ["redis-server", "--requirepass", SECRET],
    ["ldapsearch", "-w", SECRET],
    ["curl", "-u", f"bob:{SECRET}", "https://x"],
    ["curl", f"--user=bob:{SECRET}"],
    ["curl", "-H", f"Authorization: Bearer {SECRET}"],
    ["curl", "-H", f"authorization: Basic {SECRET}=="],
    ["curl", "--header", f"X-Api-Key: {SECRET}"],
    ["curl", f"-HX-Auth-Token: {SECRET}"],
    ["curl", f"https://bob:{SECRET}@example.org/x"],
    ["worker", f"postgres://app:p@{SECRET}@db:5432/x"],
    ["git", "clone", f"https://{SECRET}{SECRET}@github.com/a/b"],
    ["env", f"FOO_SECRET={SECRET}", "run"],
    ["env", f"AWS_SECRET_ACCESS_KEY={SECRET}", "run"],
    ["env", f"PGPASSWORD={SECRET}", "psql"],
    ["sh", "-c", f"DB_PASSWORD={SECRET} exec run"],
    ["sh", "-c", f"run --token '{SECRET} with blanks' --fast"],
    ["sh", "-c", f"curl -H 'Authorization: Bearer {SECRET}' x"],
    ["java", f"-Dspring.datasource.password={SECRET}", "-jar", "x.jar"],
    ["kubectl", "create", "secret", f"--from-literal=password={SECRET}"],
    ["node", "app.js", f'{{"password": "{SECRET}"}}'],
    ["openssl", "rsa", "-passin", f"pass:{SECRET}"],
    [f"postgres: app token={SECRET} idle"],
    ["agent", f"ENROLMENT_KEY={SECRET}"],
    ["app", "--client-secret", SECRET],
]


@pytest.mark.parametrize("argv", HIDDEN, ids=" ".join)
def test_a_secret_is_hidden(argv: list[str]) -> None:
    shown = scrub.command_line(argv)
    assert SECRET not in shown
    assert "***" in shown
    assert shown.startswith(argv[0].split()[0])


@pytest.mark.parametrize(
    "key", ["AKIAIOSFODNN7EXAMPLE", "ghp_abcdefghij0123456789", "xoxb-1234567890-abc", "sk_live_abcdefghij123"]
)
def test_a_key_is_known_by_its_shape(key: str) -> None:
    assert scrub.command_line(["run", key]) == "run ***"


@pytest.mark.parametrize(
    "argv",
    [
        ["nginx: worker process"],
        ["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1"],
        ["postgres", "-D", "/var/lib/postgresql/15/main", "-c", "config_file=/etc/postgresql/15/main/postgresql.conf"],
        ["ssh", "-p", "2222", "host"],
        ["java", "-Xmx1g", "-jar", "keycloak.jar", "--port=8080"],
        ["curl", "https://example.org:8443/path?x=1"],
        ["mysqld", "--port=3306"],
        ["cp", "-p2", "a", "b"],
        ["monkey", "--turkey=3", "--compass=north"],
    ],
    ids=" ".join,
)
def test_what_is_no_secret_stays(argv: list[str]) -> None:
    assert scrub.command_line(argv) == " ".join(argv)


def test_the_user_of_an_address_stays() -> None:
    assert scrub.command_line(["x", "amqp://bob:pw@mq/v"]) == "x amqp://bob:***@mq/v"


def test_a_long_line_is_cut() -> None:
    assert len(scrub.command_line(["x", "y" * 5000])) == 1024


def test_nothing_is_shown_for_a_kernel_thread() -> None:
    assert scrub.command_line([]) == ""


@pytest.mark.parametrize("piece", ["a-", "a.", "a_", "password", "x://", "a:", "token ", "--a-", "x-a"])
def test_no_command_line_takes_long(piece: str) -> None:
    started = time.process_time()
    scrub.command_line(["x", (piece * 4096)[:4096]])
    assert time.process_time() - started < 1.0
