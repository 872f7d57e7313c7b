"""`extends`: the declarations a dashboard is made of, in the order in which they are merged."""

from __future__ import annotations

from flexlogger.catalog import describe
from flexlogger.config.environment import interpolate
from flexlogger.config.sources import Folders, Source, Unreadable, find, split
from flexlogger.config.tree import MAX_DEPTH, Items, Leaf, Node, Problems, Table, join
from flexlogger.errors import Place, UnknownNameError


class Chain:
    """Collects trees: what a declaration extends comes before it, from left to right, each once.

    `complete` is False where something could not be read, so that nobody complains of names that stand there.
    """

    def __init__(self, folders: Folders, problems: Problems) -> None:
        self.tables: list[Table] = []
        self.sources: list[Source] = []
        self.complete = True
        self._folders, self._problems = folders, problems
        self._taken: set[str] = set()
        self._open: dict[str, str] = {}

    def add_table(self, table: Table, folder: str = "") -> None:
        """Add a tree, after all that it extends; relative paths start from `folder`."""
        extends = table.get("extends")
        if extends is not None:
            self._extend(interpolate(extends, self._problems, "extends"), folder)
        self.tables.append(Table({k: v for k, v in table.entries.items() if k != "extends"}, table.place))

    def add_expression(self, expression: str, place: Place, path: str, folder: str = "") -> None:
        """Add what a preset's name, a path or `a+b` of them stands for."""
        parts = split(expression)
        if not parts:
            self._refuse(place, path, "expected a preset's name or a path, but got an empty string")
        for part in parts:
            try:
                self.add_source(find(part, folder, self._folders), place, path)
            except UnknownNameError as error:
                self._refuse(place, path, str(error))
            except Unreadable as error:
                self._refuse(place, path, f"{part!r}: {error}")

    def add_source(self, source: Source, place: Place, path: str) -> None:
        """Add a YAML text, unless it is there already."""
        if source.key in self._open:
            names = [*self._open.values(), source.file]
            self._refuse(place, path, f"a cycle: {' extends '.join(names[list(self._open).index(source.key) :])}")
        elif len(self._open) >= MAX_DEPTH:
            self._refuse(place, path, f"expected at most {MAX_DEPTH} files that extend each other")
        elif source.key not in self._taken:
            self._taken.add(source.key)
            self._open[source.key] = source.file
            from flexlogger.config.document import parse  # and PyYAML: a dashboard in code does without

            table = parse(source.text, source.file, self._problems)
            if table is not None:
                self.add_table(table, source.folder)
                self.sources.append(source)
            self.complete = self.complete and table is not None
            del self._open[source.key]

    def _extend(self, node: Node, folder: str) -> None:
        listed = isinstance(node, Items)
        for index, item in enumerate(node.nodes if isinstance(node, Items) else (node,)):
            path = join("extends", index) if listed else "extends"
            if isinstance(item, Leaf) and isinstance(item.value, str):
                self.add_expression(str(item.value), item.place, path, folder)
            elif not (isinstance(item, Leaf) and item.value is None and not listed):
                came = describe(item.value) if isinstance(item, Leaf) else "a list or mapping"
                self._refuse(item.place, path, f"expected a preset's name or a path, but got {came}")

    def _refuse(self, place: Place, path: str, message: str) -> None:
        self._problems.add(place, path, message)
        self.complete = False
