"""What looks like a secret, and therefore never reaches a run's files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HIDDEN = "***"

_ALWAYS = {"password", "passwd", "pwd", "passphrase", "secret", "secrets", "credential", "credentials", "apikey"}
_AT_THE_END = {"token", "auth", "authorization", "bearer"}
_NO_TOKENS = {"pad", "eos", "bos", "unk", "mask", "cls", "sep", "special", "image", "start", "end", "stop"}
"""Words that make a token a piece of text, as language models have them."""
_KEYS = {"api", "access", "secret", "private", "auth", "encryption", "signing", "ssh", "account", "service", "license"}
_ABOUT_IT = {"file", "path", "dir", "env", "name", "length", "len", "min", "max", "count", "size", "dim", "type"}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_IN_URL = re.compile(r"(?<=://)([^\s/:@]*):[^\s/]+(?=@)")
_ASSIGNED = re.compile(r"""(?<![\w.-])([\w.-]++)["']?\s*+[=:]\s*+""")
"""A name and its sign. It begins only where a word does and gives nothing back, so that a long text takes no longer
than its length."""
_VALUE = re.compile(r""""[^"]*"|'[^']*'|[^\s"'&;,}\]]+""")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")
_WELL_KNOWN = re.compile(r"\b(?:sk-|hf_|gh[opsu]_|github_pat_|glpat-|xox[abprs]-|AKIA)[\w-]{12,}")
_LEAST = 6
"""Shorter values of environment variables are not looked for: they would be found everywhere."""


def looks_secret(name: str) -> bool:
    """True where a setting of this name holds a secret itself, not its file, length or name.

    >>> [looks_secret(name) for name in ("--hf-token", "DB_PASSWORD", "apiKey", "aws_secret_access_key", "key")]
    [True, True, True, True, True]
    >>> [looks_secret(name) for name in ("max_tokens", "pad_token", "label_key", "password_file", "monkey")]
    [False, False, False, False, False]
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or (len(words) > 1 and words[-1] in _ABOUT_IT):
        return False
    before = words[-2] if len(words) > 1 else ""
    if words[-1] == "key":
        return not before or before in _KEYS or not _ALWAYS.isdisjoint(words)
    return not _ALWAYS.isdisjoint(words) or (words[-1] in _AT_THE_END and before not in _NO_TOKENS)


def hide(value: Any) -> Any:
    """Plain JSON data with what looks like a secret hidden: by the name it has, or by its form in a text.

    >>> hide({"lr": 0.1, "api_key": "abc", "db": {"url": "postgres://me:pw@host/db", "password": 1234}})
    {'lr': 0.1, 'api_key': '***', 'db': {'url': 'postgres://me:***@host/db', 'password': '***'}}
    """
    return _hide(value, _of_the_environment())


def hide_command(arguments: Iterable[str]) -> list[str]:
    """A command line with the values of secret-looking options hidden.

    >>> hide_command(["train.py", "--token", "abc", "--lr", "0.1", "db.password=pw", "--key=k"])
    ['train.py', '--token', '***', '--lr', '0.1', 'db.password=***', '--key=***']
    """
    known = _of_the_environment()
    hidden: list[str] = []
    expected = False  # the option before wants a value that is secret
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        option = argument.startswith("-")
        secret = looks_secret(name) and (option or re.fullmatch(r"[+~]*[\w.-]+", name) is not None)
        if expected and not argument.startswith("--"):
            hidden.append(HIDDEN)
        elif secret and equals:
            hidden.append(f"{name}={HIDDEN}")
        else:
            hidden.append(_hide_in_text(argument, known))
        expected = option and secret and not equals
    return hidden


def _hide(value: Any, known: Sequence[str], name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _hide(entry, known, key if looks_secret(str(key)) else name) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hide(entry, known, name) for entry in value]
    if isinstance(value, str):
        return HIDDEN if name and value else _hide_in_text(value, known)
    if name and type(value) is int:
        return value if _ALWAYS.isdisjoint(word.lower() for word in _WORD.findall(name)) else HIDDEN
    return value


def _hide_in_text(text: str, known: Sequence[str]) -> str:
    for secret in known:
        text = text.replace(secret, HIDDEN)
    text = _IN_URL.sub(rf"\1:{HIDDEN}", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _WELL_KNOWN.sub(HIDDEN, text)
    return _hide_assigned(text)


def _hide_assigned(text: str) -> str:
    """Hide the values of secret names; what is assigned to another name may hold such a name itself."""
    parts: list[str] = []
    kept = at = 0
    while found := _ASSIGNED.search(text, at):
        at = found.end()
        value = _VALUE.match(text, at) if looks_secret(found[1]) else None
        if value is not None:
            parts += text[kept:at], HIDDEN
            kept = at = value.end()
    return "".join([*parts, text[kept:]])


def _of_the_environment() -> list[str]:
    """Values of environment variables that look secret, the longest first."""
    named = {value for name, value in os.environ.items() if name != "PWD" and looks_secret(name)}
    return sorted((value for value in named if len(value) >= _LEAST), key=len, reverse=True)
