"""YAML text to a located tree: parsed event by event, so that nothing is built before it is judged.

Only the parser of PyYAML's safe loader is used; no tag constructs anything. What would grow (aliases, depth, size) is
refused where it starts, in time linear in the text.
"""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from flexlogger.catalog import describe
from flexlogger.config.scalars import resolve
from flexlogger.config.sources import MAX_BYTES
from flexlogger.config.tree import MAX_DEPTH, MAX_VALUES, Entry, Items, Leaf, Node, Problems, Table, join
from flexlogger.errors import Place

MAX_ALIASES = 100
_TAG = "tag:yaml.org,2002:"
_IN_OTHER_WORDS = {
    "mapping values are not allowed here": "a colon does not fit here; mend the indentation, or quote the value",
    "found character '\\t' that cannot start any token": "a tab cannot indent or start a value; use spaces",
    "found character '@' that cannot start any token": "a value cannot start with @; quote it",
    "found character '`' that cannot start any token": "a value cannot start with a backtick; quote it",
    "found character '%' that cannot start any token": "a value cannot start with %; quote it",
}
_COLLECTIONS = {yaml.MappingStartEvent: f"{_TAG}map", yaml.SequenceStartEvent: f"{_TAG}seq"}


class _Refused(Exception):
    """The text cannot be read any further; the problem is already noted."""


class _Sized(msgspec.Struct):
    """A node with what it would weigh when its aliases are written out."""

    node: Node
    values: int = 1
    height: int = 0


class _Open:
    """A mapping or list whose end has not come yet."""

    def __init__(self, place: Place, path: str, anchor: str | None, is_mapping: bool) -> None:
        self.place, self.path, self.anchor, self.is_mapping = place, path, anchor, is_mapping
        self.entries: dict[str, Entry] = {}
        self.nodes: list[Node] = []
        self.key: tuple[str | None, Place] | None = None  # (None, …) where the key is refused
        self.is_key = False
        self.values, self.height = 1, 0

    def close(self) -> _Sized:
        node: Node = Table(self.entries, self.place) if self.is_mapping else Items(tuple(self.nodes), self.place)
        return _Sized(node, self.values, self.height)


def parse(text: str | bytes, file: str, problems: Problems) -> Table | None:
    """Return the tree of one YAML document, or None where the text cannot be read; what is wrong goes to `problems`.

    >>> from flexlogger.config.tree import plain
    >>> plain(parse("plots: {loss: {type: line}}", "a.yaml", Problems()))
    {'plots': {'loss': {'type': 'line'}}}
    """
    builder = _Builder(file, problems)
    try:
        return builder.build(_decode(text, file, problems))
    except _Refused:
        return None


def _decode(text: str | bytes, file: str, problems: Problems) -> str:
    size = len(text)
    if size > MAX_BYTES:
        problems.add(Place(file, 1, 1), "", f"expected at most {MAX_BYTES:,} bytes, but got {size:,} or more")
        raise _Refused
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = text[: error.start].decode("utf-8-sig", errors="replace")
        problems.add(_place_after(before, file), "", f"expected UTF-8 text, but got byte 0x{text[error.start]:02x}")
        raise _Refused from None


def _place_after(text: str, file: str) -> Place:
    return Place(file, text.count("\n") + 1, len(text) - text.rfind("\n"))


class _Builder:
    def __init__(self, file: str, problems: Problems) -> None:
        self._file, self._problems = file, problems
        self._open: list[_Open] = []
        self._anchors: dict[str, _Sized | None] = {}  # None while the anchored node is still open
        self._aliases = 0
        self._documents = 0
        self._root: _Sized | None = None

    def build(self, text: str) -> Table:
        try:
            loader = yaml.SafeLoader(text)
        except yaml.reader.ReaderError as error:
            place = _place_after(text[: error.position], self._file)
            raise self._refuse(place, f"not valid YAML: character {chr(error.character)!r} is not allowed") from None
        while (event := self._next(loader)) is not None:
            self._take(event)
        if self._root is None:
            raise self._refuse(Place(self._file, 1, 1), "expected a mapping such as {extends: loss}, but got nothing")
        if not isinstance(self._root.node, Table):
            raise self._refuse(self._root.node.place, "expected a mapping such as {extends: loss} at the top")
        return self._root.node

    def _next(self, loader: yaml.SafeLoader) -> Any:
        try:
            return loader.get_event() if loader.check_event() else None  # type: ignore[no-untyped-call]  # stubs lack it
        except yaml.MarkedYAMLError as error:
            mark, message = _explain(error)
        except (ValueError, OverflowError):  # PyYAML passes on what chr() and int() say of an impossible escape
            mark, message = loader.get_mark(), "an escape or directive holds an impossible number"
        raise self._refuse(self._at(mark), f"not valid YAML: {message}") from None

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._refuse(self._at(event.start_mark), "expected one document, but a second one starts here")
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = self._open.pop()
            sized = closed.close()
            if closed.anchor:
                self._anchors[closed.anchor] = sized
            if not closed.is_key:
                self._put(sized, None)

    def _start(self, event: Any) -> None:
        place = self._at(event.start_mark)
        if len(self._open) >= MAX_DEPTH:
            raise self._refuse(place, f"expected at most {MAX_DEPTH} levels of nesting")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", _COLLECTIONS[type(event)]):
            self._refuse_tag(event.tag, place)
        opened = _Open(place, self._path(), event.anchor, is_mapping)
        if event.anchor:
            self._anchors[event.anchor] = None
        if self._open and self._open[-1].is_mapping and self._open[-1].key is None:
            opened.is_key = True
            self._open[-1].key = self._refused_key("a list or mapping", place)
        self._open.append(opened)

    def _alias(self, event: Any) -> None:
        place = self._at(event.start_mark)
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._refuse(place, f"expected at most {MAX_ALIASES} aliases")
        if event.anchor not in self._anchors:
            raise self._refuse(place, f"unknown alias *{event.anchor}; an anchor &{event.anchor} must come before it")
        target = self._anchors[event.anchor]
        if target is None:
            raise self._refuse(place, f"alias *{event.anchor} stands inside its own anchor: a cycle")
        if len(self._open) + target.height > MAX_DEPTH:
            raise self._refuse(place, f"expected at most {MAX_DEPTH} levels of nesting")
        self._put(target, place)

    def _scalar(self, event: Any) -> None:
        place = self._at(event.start_mark)
        sized = _Sized(Leaf(self._value(event, place), place))
        if event.anchor:
            self._anchors[event.anchor] = sized
        self._put(sized, place)

    def _value(self, event: Any, place: Place) -> Any:
        text, tag = event.value, event.tag
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            self._problems.add(place, self._path(), "expected text, but got half of a surrogate pair")
            return ""
        if tag in ("!", f"{_TAG}str") or (tag is None and not event.implicit[0]):
            return text
        if tag is not None and tag.removeprefix(_TAG) not in ("int", "float", "bool", "null"):
            self._refuse_tag(tag, place)
            return text
        try:
            return resolve(text)
        except ValueError as error:
            self._problems.add(place, self._path(), str(error))
            return 0

    def _put(self, sized: _Sized, place: Place | None) -> None:
        """Hand a finished node to the mapping or list around it, first as key, then as value."""
        if not self._open:
            self._root = sized
            return
        parent = self._open[-1]
        parent.values += sized.values
        parent.height = max(parent.height, sized.height + 1)
        if parent.values > MAX_VALUES:
            where = place or sized.node.place
            raise self._refuse(where, f"expected at most {MAX_VALUES:,} values, aliases written out")
        if not parent.is_mapping:
            parent.nodes.append(sized.node)
        elif parent.key is None:
            parent.key = self._key(sized.node, place or sized.node.place)
        else:
            key, key_place = parent.key
            parent.key = None
            if key is not None and key not in parent.entries:
                parent.entries[key] = Entry(key_place, sized.node)

    def _key(self, node: Node, place: Place) -> tuple[str | None, Place]:
        parent = self._open[-1]
        if not isinstance(node, Leaf):
            return self._refused_key("a list or mapping", place)
        if not isinstance(node.value, str):
            return self._refused_key(f"{describe(node.value)}; quote it", place)
        first = parent.entries.get(node.value)
        if first is not None:
            self._problems.add(place, join(parent.path, node.value), f"duplicate key; it stands first at {first.place}")
        return node.value, place

    def _refused_key(self, came: str, place: Place) -> tuple[None, Place]:
        self._problems.add(place, self._open[-1].path, f"expected a string as key, but got {came}")
        return None, place

    def _path(self) -> str:
        """The key path of the node that comes next."""
        if not self._open:
            return ""
        parent = self._open[-1]
        if parent.is_mapping:
            key = parent.key[0] if parent.key else None
            return parent.path if key is None else join(parent.path, key)
        return join(parent.path, len(parent.nodes))

    def _refuse_tag(self, tag: str, place: Place) -> None:
        shown = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
        self._problems.add(place, self._path(), f"tag {shown[:60]} is not allowed; a declaration holds plain data only")

    def _refuse(self, place: Place, message: str) -> _Refused:
        self._problems.add(place, self._path(), message)
        return _Refused()

    def _at(self, mark: Any) -> Place:
        return Place(self._file, mark.line + 1, mark.column + 1)


def _explain(error: yaml.MarkedYAMLError) -> tuple[Any, str]:
    """Say where the writer has to look, and what is wrong there."""
    mark, problem = error.problem_mark or error.context_mark, error.problem or "it cannot be parsed"
    if problem == "could not find expected ':'":
        return error.context_mark, "expected a colon and a space after this key"
    if problem in _IN_OTHER_WORDS:
        return mark, _IN_OTHER_WORDS[problem]
    opened = ""
    if error.context_mark is not None and error.context_mark.line != getattr(mark, "line", None):
        opened = f" ({error.context}, which starts at line {error.context_mark.line + 1})"
    return mark, problem + opened
