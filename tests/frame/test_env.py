"""Settings out of the environment: right ones are read, wrong ones end the program with one clear line."""

from __future__ import annotations

import pytest

from pmonitor import env


def test_a_databases_address_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "postgres://us%2Fer:pa%40ss@[::1]:5433/na%2Fme")
    read = env.database("WHERE")
    assert (read["USER"], read["PASSWORD"], read["HOST"], read["PORT"]) == ("us/er", "pa@ss", "::1", "5433")
    assert read["NAME"] == "na/me"


@pytest.mark.parametrize("given", ["mysql://h/db", "postgres://h", "postgres://h/", "postgres://h/db?sslmode=require"])
def test_another_databases_address_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("WHERE", given)
    with pytest.raises(env.BadSetting, match="Setting WHERE: "):
        env.database("WHERE")


def test_a_mail_servers_address_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL", "smtps://us%40er:pa%2Fss@mail.example.net")
    assert env.mail("MAIL") == env.Mail("mail.example.net", 465, True, "us@er", "pa/ss")
    monkeypatch.setenv("MAIL", "smtp://localhost:587")
    assert env.mail("MAIL") == env.Mail("localhost", 587, False, "", "")
    monkeypatch.setenv("MAIL", "")
    assert env.mail("MAIL") is None


@pytest.mark.parametrize("given", ["mail.example.net", "smtp://", "smtp://h:0", "smtp://h:x", "http://h", "smtp://h/x"])
def test_another_mail_servers_address_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("MAIL", given)
    with pytest.raises(env.BadSetting, match="Setting MAIL: "):
        env.mail("MAIL")
