"""What every column of every table of a pack means: `data_dictionary.csv`, from the schemas."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from streetineq_assets.reports.exports import write_csv
from streetineq_assets.reports.pack.contents import CSV, PackFile
from streetineq_assets.tables import column, conform, description_and_unit, schema

DICTIONARY = schema(
    column("file", "string", "name of the file"),
    column("column", "string", "name of the column"),
    column("type", "string", "type of its values, by Arrow's name"),
    column("unit", "string", "of its values; empty for codes, names, keys and counts"),
    column("nullable", "bool", "whether a value may be missing; in CSV an empty cell"),
    column("description", "string", "what it means"),
)
FILE = PackFile("data_dictionary.csv", "What every column of every table means", CSV, DICTIONARY)


def write_dictionary(files: Iterable[PackFile], folder: Path) -> None:
    """Write a row for every column of the tables among these files."""
    rows = [
        (file.name, field.name, str(field.type), unit, field.nullable, description)
        for file in files
        for field in file.columns or ()
        for description, unit in [description_and_unit(field)]
    ]
    frame = pd.DataFrame(rows, columns=DICTIONARY.names)
    write_csv(conform(frame, DICTIONARY), folder / FILE.name)
