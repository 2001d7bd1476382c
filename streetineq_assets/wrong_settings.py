"""What is wrong with settings, in words: the file's text, the key, its value, and what is right.

pydantic says what kind of value it expected, and neither which was there nor which key was meant.
"""

import codecs
import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel, Tag, ValidationError
from pydantic.fields import FieldInfo

from streetineq_assets.errors import StudyError

_MOST = 3  # faults in one message
_LONGEST = 60  # characters of a value


@dataclass(frozen=True)
class FieldsOf:
    """Says of a free table, in its annotation, whose settings it may hold."""

    model: type[BaseModel]


def written_as(pattern: str, what: str) -> Callable[[str], str]:
    """A validator that says in words how a text must be written."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {what}")
        return text

    return check


def path_below(name: str) -> str:
    """The name of a file below the study's folder, as it is written.

    Raises:
        ValueError: it leaves the folder, or is no name.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or {"\\", "\0"} & set(name):
        raise ValueError(
            "must be a file below the study's folder, such as inputs/weights/own.h5, with slashes "
            "and without `..`: put the file, or a link to it, there"
        )
    return name


def read_text(path: Path) -> str:
    """The file's text, whatever mark of its encoding an editor put before it.

    Raises:
        StudyError: it is neither UTF-8 nor marked as UTF-16.
    """
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")
    try:
        # No text has a zero byte, but UTF-16 without its mark.
        return raw.replace(b"\0", b"\xff").decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise StudyError(
            f"{path}, line {line}, is not valid TOML: its text is not UTF-8: save the file as "
            "UTF-8 in your editor"
        ) from error


def in_words(error: ValidationError, model: type[BaseModel]) -> str:
    """The faults of some settings in one line.

    Args:
        error: of validating against `model`.
    """
    faults = error.errors()
    inner = {fault["loc"][:-1] for fault in faults}
    # Where an item of a list is wrong, pydantic says too that the list is now too short.
    own = [fault for fault in faults if fault["type"] != "too_short" or fault["loc"] not in inner]
    told = [_fault(fault, model) for fault in own[:_MOST]]
    more = f"; and {len(own) - _MOST} more" if len(own) > _MOST else ""
    return "; ".join(told) + more


def nearest(name: str, names: Mapping[str, Any] | list[str]) -> str:
    """`; did you mean x?` where one of the names looks like it, else nothing."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _fault(fault: Mapping[str, Any], model: type[BaseModel]) -> str:
    place = tuple(part for part in fault["loc"] if part != "[key]")
    key, said = _key(place), fault["msg"]
    if fault["type"] == "missing" and place and isinstance(place[-1], int):
        place, said = place[:-1], f"item {place[-1] + 1} is missing"
        key = _key(place)
    elif fault["type"] == "missing":
        return f"{key} is missing{_described(place, model)}"
    elif fault["type"] == "extra_forbidden":
        return f"{key} is no setting{_meant(place, model)}"
    return _wrong_value(key, said, fault)


def _wrong_value(key: str, said: str, fault: Mapping[str, Any]) -> str:
    if fault["type"] == "union_tag_invalid":
        return _no_such_kind(key, fault["ctx"])
    shown = f"{key} = {_value(fault['input'])}: " if key else ""
    if fault["type"] == "literal_error":
        choices = fault["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return f"{shown}must be one of {', '.join(choices)}{nearest(str(fault['input']), choices)}"
    if fault["type"] in ("model_type", "dict_type"):
        return f"{shown}must be a table, [{key}]"
    if fault["type"] == "tuple_type":
        return f"{shown}must be a list, [...]"
    said = said.removeprefix("Value error, ").replace("Input should be", "must be")
    said = said.replace("Tuple should have", "must have")
    return shown + said.partition(", unable")[0].partition(" after validation")[0]


def _key(place: tuple[str | int, ...]) -> str:
    """A setting's name; a part in brackets says which of several kinds its table is."""
    return ".".join(str(part) for part in place if not str(part).startswith("["))


def _no_such_kind(key: str, told: Mapping[str, str]) -> str:
    """Of a table of several kinds, told apart by its `family`."""
    choices = [each.strip("'[]") for each in told["expected_tags"].split(", ")]
    given = told["tag"].strip("[]")
    shown = f"{key}.family = {_value(given)}"
    return f"{shown}: must be one of {', '.join(choices)}{nearest(given, choices)}"


def _value(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


# -- keys ------------------------------------------------------------------------------------------


def _described(place: tuple[str | int, ...], model: type[BaseModel]) -> str:
    """What a setting is, in brackets."""
    owner = _table(place[:-1], model)
    field = owner.model_fields.get(str(place[-1])) if owner else None
    return f" ({field.description})" if field and field.description else ""


def _meant(place: tuple[str | int, ...], model: type[BaseModel]) -> str:
    """Where a setting of this name belongs, or which one of its table looks like it."""
    name, table = str(place[-1]), _table(place[:-1], model)
    for home, fields in _tables(model):
        if name in fields and fields is not (table and table.model_fields):
            return f" there: it belongs {home}"
    known = list(_names(table)) if table else []
    return nearest(name, known) or (f"; there are {', '.join(known)}" if known else "")


def _table(place: tuple[str | int, ...], model: type[BaseModel]) -> type[BaseModel] | None:
    """The settings that lie at a place."""
    table: type[BaseModel] | None = model
    kinds: Mapping[str, type[BaseModel]] = {}
    inside_many = False
    for part in place:
        if inside_many:  # the part is a key of many tables of one kind, as cities have
            inside_many = False
            continue
        if part in kinds:
            table, kinds = kinds[str(part)], {}
            continue
        field = table.model_fields.get(str(part)) if table else None
        table = _settings_of(field) if field else None
        kinds = _kinds(field) if field else {}
        inside_many = bool(field and _is_many(field))
    return table


def _tables(model: type[BaseModel]) -> Iterator[tuple[str, Mapping[str, FieldInfo]]]:
    """Each table of a study file in words, and its settings."""
    yield "above the first [table]", model.model_fields
    for name, field in model.model_fields.items():
        kinds = iter(_kinds(field).values())
        if not (table := _settings_of(field) or next(kinds, None)):
            continue
        yield f"under [{name}{'.<key>' if _is_many(field) else ''}]", table.model_fields
        for inner, free in table.model_fields.items():
            for known in free.metadata:
                if isinstance(known, FieldsOf):
                    yield f"under [{name}.{inner}]", known.model.model_fields


def _names(table: type[BaseModel]) -> Iterator[str]:
    for name, field in table.model_fields.items():
        alias = field.validation_alias
        yield from map(str, alias.choices) if isinstance(alias, AliasChoices) else [name]


def _settings_of(field: FieldInfo) -> type[BaseModel] | None:
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _kinds(field: FieldInfo) -> dict[str, type[BaseModel]]:
    """The settings of each kind, of a table of several, by what marks it in a fault's place."""
    kinds = {}
    for kind in get_args(field.annotation):
        marks = [each.tag for each in getattr(kind, "__metadata__", ()) if isinstance(each, Tag)]
        kinds |= dict.fromkeys(marks, get_args(kind)[0] if marks else None)
    return kinds


def _is_many(field: FieldInfo) -> bool:
    kind = _settings_of(field)
    return kind is not None and kind is not field.annotation
