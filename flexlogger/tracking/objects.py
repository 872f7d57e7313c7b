"""Tables and media as files of an artifact that other programs read too, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flexlogger.errors import ValueRefusedError
from flexlogger.records import Datum

CAPTION = "Description"
"""The key that PNG itself names for what a picture shows."""


class Form(NamedTuple):
    """How one kind of value is kept: the end of its file's name, and what writes and reads the file."""

    suffix: str
    write: Callable[[Datum, Path], None]
    read: Callable[[Path], Any]


def write(value: Any, name: str, target: Path) -> str:
    """Write what has a `to_datum` (a table, an image …) to `target`, and return its path in the artifact.

    Raises ValueRefusedError for anything else.
    """
    to_datum = getattr(value, "to_datum", None)
    datum = to_datum(name) if callable(to_datum) and not isinstance(value, type) else None
    form = FORMS.get(datum.kind) if isinstance(datum, Datum) else None
    if datum is None or form is None:
        raise ValueRefusedError(
            f"artifact: add: expected a Table, an Image, Html or a Histogram, but got a {type(value).__name__}; "
            "files go in with add_file and add_dir"
        )
    form.write(datum, target)
    return name if name.endswith(form.suffix) else name + form.suffix


def form_of(path: str) -> Form | None:
    """The form a file of an artifact is kept in, None where it is only a file.

    >>> form_of("iris.table.json").suffix, form_of("iris.csv")
    ('.table.json', None)
    """
    return next((form for form in FORMS.values() if path.endswith(form.suffix)), None)


def _write_text(datum: Datum, path: Path) -> None:
    path.write_text(str(datum.value), encoding="utf-8")


def _read_table(path: Path) -> Any:
    from flexlogger.tracking.table import Table

    return Table.from_json(path.read_text(encoding="utf-8"))


def _write_image(datum: Datum, path: Path) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for caption in datum.captions:
        info.add_itxt(CAPTION, caption)
    Image.fromarray(np.asarray(datum.value)).save(path, "PNG", pnginfo=info)


def _read_image(path: Path) -> Any:
    from PIL import Image as Pillow

    from flexlogger.tracking.media import Image

    with Pillow.open(path) as picture:
        picture.load()
        return Image(picture, caption=picture.info.get(CAPTION))


def _read_html(path: Path) -> Any:
    from flexlogger.tracking.media import Html

    return Html(path.read_text(encoding="utf-8"))


def _write_histogram(datum: Datum, path: Path) -> None:
    edges, counts = np.asarray(datum.value)
    shown = {"edges": edges.tolist(), "counts": counts[:-1].tolist(), "notes": datum.captions}
    path.write_text(json.dumps(shown), encoding="utf-8")


def _read_histogram(path: Path) -> Any:
    from flexlogger.tracking.media import Histogram

    found = json.loads(path.read_text(encoding="utf-8"))
    return Histogram(np_histogram=(found["counts"], found["edges"]))


FORMS: dict[str, Form] = {
    "table": Form(".table.json", _write_text, _read_table),
    "image": Form(".image.png", _write_image, _read_image),
    "text": Form(".html", _write_text, _read_html),
    "histogram": Form(".histogram.json", _write_histogram, _read_histogram),
}
