"""Names of models put together: the embedding of one, the classes of another, the entities of a third."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from mtdemo.errors import CheckpointError, CheckpointNotFoundError, InvalidCheckpointError
from mtdemo.models.repository.ids import read_hub_id

SEPARATOR = "+"
_SUFFIX = ".json"
_EXAMPLE = "embedded+owner/classifier+embedded"


@dataclass(frozen=True, slots=True)
class PartNames:
    """Whose embedding, classes and entities are put together.

    Attributes:
        embedding: `embedded`, an id of the hub, or a directory where an operator names one.
        classes: the same.
        entities: the same.
    """

    embedding: str
    classes: str
    entities: str

    def __iter__(self) -> Iterator[str]:
        return iter(astuple(self))


def is_put_together(name: str) -> bool:
    """Tell if a name is one of several models.

    It is for names that an operator gives; one that exists is a directory.
    """
    return not Path(name).is_dir() and (name.endswith(_SUFFIX) or (SEPARATOR in name and read_hub_id(name) is None))


def read_parts(name: str) -> PartNames | None:
    """Read an operator's name, of a file or of models.

    Raises:
        CheckpointNotFoundError, InvalidCheckpointError: as `read_part_file` and `read_part_names`.
    """
    return read_part_file(Path(name).expanduser()) if name.endswith(_SUFFIX) else read_part_names(name)


def read_part_names(name: str) -> PartNames | None:
    """Read `EMBEDDING+CLASSES+ENTITIES`; None for one model.

    Raises:
        CheckpointNotFoundError: there are not three names.
    """
    if SEPARATOR not in name or read_hub_id(name) is not None:
        return None
    names = [part.strip() for part in name.split(SEPARATOR)]
    if len(names) != len(fields(PartNames)) or not all(names):
        raise CheckpointNotFoundError(
            f"{name!r} does not name three models. Write whose embedding, classes and entities are wanted, in this order "
            f"and with {SEPARATOR} between them: {_EXAMPLE}, for instance."
        )
    return PartNames(*map(_canonical, names))


def read_part_file(path: Path) -> PartNames:
    """Read the same from a JSON file.

    `{"embedding": "embedded", "classes": "owner/classifier", "entities": "embedded"}`

    Raises:
        CheckpointNotFoundError: there is no such file.
        InvalidCheckpointError: it is no object of these three names.
    """
    names = [field.name for field in fields(PartNames)]
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointNotFoundError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InvalidCheckpointError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict) or set(content) != set(names) or not all(map(_is_name, content.values())):
        raise InvalidCheckpointError(
            f"{path} puts no models together. It holds one JSON object with the keys {', '.join(names)}, each with a "
            "model's name."
        )
    return PartNames(*(_canonical(content[name]) for name in names))


def refuse_to_train(name: str, parts: PartNames) -> CheckpointError:
    """Make the error for who wants one backbone."""
    choices = ", ".join(dict.fromkeys(parts))
    return InvalidCheckpointError(
        f"{name!r} is put together from several models, so it has no single backbone to train, explain, measure or save. "
        f"Choose one of them: {choices}."
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _canonical(name: str) -> str:
    """Write an id in one way only."""
    found = read_hub_id(name)
    return name.strip() if found is None else f"{found.name}@{found.revision}" if found.revision else found.name
