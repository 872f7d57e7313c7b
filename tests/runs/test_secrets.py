from __future__ import annotations

from typing import Any

import pytest

from flexlogger.runs.secrets import hide, hide_command, looks_secret

SECRET = (
    "token hf_token --token WANDB_API_KEY apiKey api-key apikey key SSH_KEY secret_key password db.password "
    "POSTGRES_PASSWORD DB_PWD client_secret credentials Authorization auth"
)
HARMLESS = (
    "tokens max_tokens pad_token tokenizer token_count label_key keys monkey key_dim password_file secret_name author "
    "lr passes auth_type SSH_AUTH_SOCK"
)


@pytest.mark.parametrize("name", SECRET.split())
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["", *HARMLESS.split()])
def test_names_that_only_sound_like_it(name: str) -> None:
    assert not looks_secret(name)


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        ({"token": "abc"}, {"token": "***"}),
        ({"token": ""}, {"token": ""}),
        ({"token": None, "auth": True}, {"token": None, "auth": True}),
        ({"tokens": 5, "token": 5}, {"tokens": 5, "token": 5}),
        ({"password": 1234}, {"password": "***"}),
        ({"secrets": {"a": "x", "b": ["y", {"c": "z"}]}}, {"secrets": {"a": "***", "b": ["***", {"c": "***"}]}}),
        ({"a": [{"api_key": "k"}]}, {"a": [{"api_key": "***"}]}),
        ("https://me:pa@ss@host/x?lr=1", "https://me:***@host/x?lr=1"),
        ("https://host/x?token=abc&lr=1", "https://host/x?token=***&lr=1"),
        ("git clone https://host:8080/path@v1", "git clone https://host:8080/path@v1"),
        ("curl -H 'Authorization: Bearer abc.def-123'", "curl -H 'Authorization: *** ***'"),
        ("see sk-abcdefghijklmnop1234", "see ***"),
        ('{"password": "two words", "lr": 1}', '{"password": ***, "lr": 1}'),
        ('--db=\'{"password": "two words"}\'', "--db='{\"password\": ***}'"),
        ("loss=0.1, key: value of no matter", "loss=0.1, key: *** of no matter"),
        ("a plain note about tokens and keys", "a plain note about tokens and keys"),
        (("kept", 1), ["kept", 1]),
    ],
)
def test_what_is_hidden_in_plain_data(value: Any, hidden: Any) -> None:
    assert hide(value) == hidden


def test_values_of_secret_environment_variables_are_hidden_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "planted-value")
    monkeypatch.setenv("OTHER_PASSWORD", "short")
    assert hide({"note": "uses planted-value here", "word": "short"}) == {"note": "uses *** here", "word": "short"}
    assert hide_command(["train.py", "-x", "planted-value"]) == ["train.py", "-x", "***"]


@pytest.mark.parametrize(
    ("command", "hidden"),
    [
        ("--token abc --lr 0.1", "--token *** --lr 0.1"),
        ("--token -abc- x", "--token *** x"),
        ("--auth --lr 0.1", "--auth --lr 0.1"),
        ("--api-key=a=b run", "--api-key=*** run"),
        ("-key k1", "-key ***"),
        ("DB_PASSWORD=pw server.token=t +login.secret=s", "DB_PASSWORD=*** server.token=*** +login.secret=***"),
        ("--url=https://u:p@h/db", "--url=https://u:***@h/db"),
        ("token.py keys token", "token.py keys token"),
        ("--max-tokens 5 --tokenizer bpe", "--max-tokens 5 --tokenizer bpe"),
    ],
)
def test_what_is_hidden_in_a_command_line(command: str, hidden: str) -> None:
    assert hide_command(command.split()) == hidden.split()


def test_a_value_with_spaces_is_hidden_whole() -> None:
    assert hide_command(["--password", "two words", "--secret=three more words"]) == [
        "--password",
        "***",
        "--secret=***",
    ]


@pytest.mark.parametrize("piece", ["x", "ACGT", "a_", "a.b", "token=", "a=", "key: ", " ", "-"])
def test_a_text_of_a_million_characters_takes_no_longer_than_its_length(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert len(hide({"text": text})["text"]) <= len(text)
