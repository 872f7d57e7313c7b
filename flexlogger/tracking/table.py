"""Rows and columns of anything, images among them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any, Self

import numpy as np
import torch

from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.records import Datum
from flexlogger.runs.format import jsonable, utf8
from flexlogger.tracking.media import Html, Image
from flexlogger.tracking.pictures import from_uri, to_uri

Row = tuple[Any, ...]


class Table:
    """Rows of cells: None, numbers, text and `Image`; anything else becomes text.

    `data` is a list of rows (lists, or dicts by column), an array (rows, columns) or a data frame; `dataframe` is the
    same frame by another name. `columns` names the columns; if not given, they are called as the frame or the dicts
    call them, else 0, 1, 2 …

    What is logged is the table as it is then: rows that are added later are not in it. The run log holds every row;
    the dashboard shows the first 1,000 of them, and how many there are.

    Raises ValueRefusedError for rows that have not one cell a column.

    >>> table = Table(columns=["x", "y"], data=[[1, 0.5], [2, float("nan")]])
    >>> table.add_data(3, "three")
    >>> table.get_column("x"), len(table)
    ([1, 2, 3], 3)
    """

    def __init__(self, data: Any = None, columns: Sequence[Any] | None = None, dataframe: Any = None) -> None:
        if data is not None and dataframe is not None:
            raise ValueRefusedError("Table: expected data or dataframe, but got both")
        names, rows = _read(data if dataframe is None else dataframe, columns)
        self.columns = _names(names)
        self._rows: list[Row] = []
        self.nbytes = 0
        for row in rows:
            if not isinstance(row, Iterable) or isinstance(row, str):
                got = f"got {row!r}; the names of columns go into columns="
                raise ValueRefusedError(f"Table: row {len(self._rows)}: expected a list of cells, but {got}")
            self.add_data(*row)

    @property
    def data(self) -> list[list[Any]]:
        """The rows, as lists of cells."""
        return [list(row) for row in self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def add_data(self, *row: Any) -> None:
        """Add one row: `add_data(3, 0.9)`. Raises ValueRefusedError unless it has one cell a column."""
        if len(row) != len(self.columns):
            wanted = f"expected {len(self.columns)} cells ({', '.join(self.columns)})"
            raise ValueRefusedError(f"Table: row {len(self._rows)}: {wanted}, but got {len(row)}")
        cells = tuple(map(_cell, row))
        self._rows.append(cells)
        self.nbytes += sum(map(_weight, cells))

    def add_column(self, name: str, data: Iterable[Any]) -> None:
        """Add a column of one cell a row. Raises ValueRefusedError for another number of cells, or a name in use."""
        cells = list(map(_cell, _listed(data)))
        if self.columns and len(cells) != len(self._rows):
            raise ValueRefusedError(f"Table: column {name!r}: expected {len(self._rows)} cells, but got {len(cells)}")
        columns = _names([*self.columns, name])
        rows = self._rows if self.columns else [()] * len(cells)
        self._rows = [(*row, cell) for row, cell in zip(rows, cells, strict=True)]
        self.columns = columns
        self.nbytes += sum(map(_weight, cells))

    def get_column(self, name: str, convert_to: str | None = None) -> Any:
        """Return the cells of a column, as a list, or as an array with `convert_to="numpy"`.

        Raises UnknownNameError for a column that is not there.

        >>> Table([[1, 2]], columns=["loss", "step"]).get_column("los")
        Traceback (most recent call last):
        flexlogger.errors.UnknownNameError: Table: unknown column 'los'; did you mean 'loss'?
        """
        if convert_to not in (None, "numpy"):
            raise ValueRefusedError(f"Table: convert_to: expected 'numpy' or None, but got {convert_to!r}")
        if str(name) not in self.columns:
            raise UnknownNameError(f"Table: {unknown('column', str(name), self.columns)}")
        at = self.columns.index(str(name))
        cells = [row[at] for row in self._rows]
        return np.array(cells) if convert_to else cells

    def copy(self) -> Table:
        """Return the table as it is now."""
        other = Table(columns=self.columns)
        other._rows = list(self._rows)
        other.nbytes = self.nbytes
        return other

    def to_json(self) -> str:
        """Return the whole table as JSON, `{"columns": […], "rows": [[…]]}`, which `from_json` reads.

        A cell that JSON has no word for is an object: {"image": data URI[, "caption": …]}, {"number": "NaN"}.

        >>> Table([[1, float("inf")]], columns=["x", "y"]).to_json()
        '{"columns": ["x", "y"], "rows": [[1, {"number": "Infinity"}]]}'
        """
        rows = [[_encoded(cell) for cell in row] for row in self._rows]
        return json.dumps({"columns": self.columns, "rows": rows}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the table that `to_json` wrote. Raises ValueRefusedError for anything else."""
        try:
            found = json.loads(text)
            columns, rows = found["columns"], found["rows"]
            return cls([[_decoded(cell) for cell in row] for row in rows], columns)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueRefusedError(f"Table: expected JSON of {{columns, rows}}: {error}") from error

    def to_datum(self, name: str) -> Datum:
        """Return it as kind table."""
        return Datum(name, "table", self.to_json())

    def __repr__(self) -> str:
        return f"Table({len(self._rows):,} rows of {', '.join(self.columns)})"


def _read(data: Any, columns: Sequence[Any] | None) -> tuple[Iterable[Any], Iterable[Any]]:
    """Return columns and rows of whatever holds them."""
    if hasattr(data, "itertuples") and hasattr(data, "columns"):
        chosen = data if columns is None else data[list(columns)]
        return chosen.columns, chosen.itertuples(index=False, name=None)
    rows = _listed(data) if data is not None else []
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(key for row in rows for key in row)) if columns is None else list(columns)
        return names, [[row.get(name) for name in names] for row in rows]
    width = len(rows[0]) if rows and isinstance(rows[0], Sized) else 0
    return range(width) if columns is None else columns, rows


def _listed(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _names(columns: Iterable[Any]) -> list[str]:
    names = [utf8(column) for column in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueRefusedError(f"Table: expected columns of different names, but got {twice!r} twice")
    return names


def _cell(value: Any) -> Any:
    """Return a cell as it is kept: None, a bool, an int, a float, a string or an `Image`."""
    if value is None or isinstance(value, Image) or type(value).__name__ in ("NAType", "NaTType"):
        return value if isinstance(value, Image) else None
    if isinstance(value, np.generic | np.ndarray | torch.Tensor) and math.prod(value.shape) == 1:
        value = str(value) if getattr(value.dtype, "kind", "") in ("m", "M") else value.reshape(()).item()
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return utf8(value.html if isinstance(value, Html) else value)


def _weight(cell: Any) -> int:
    return cell.nbytes if isinstance(cell, Image) else 64 + (len(cell) if isinstance(cell, str) else 0)


def _encoded(cell: Any) -> Any:
    if isinstance(cell, Image):
        return {"image": to_uri(cell.pixels())} | ({"caption": cell.caption} if cell.caption else {})
    if isinstance(cell, float) and not math.isfinite(cell):
        return {"number": jsonable(cell)}
    return cell


def _decoded(cell: Any) -> Any:
    if not isinstance(cell, Mapping):
        return cell
    return Image(from_uri(cell["image"]), cell.get("caption")) if "image" in cell else float(cell["number"])
