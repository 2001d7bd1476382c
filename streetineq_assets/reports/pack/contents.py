"""What a file of a pack is: its name, what is in it, and in which format."""

from dataclasses import dataclass

import pyarrow as pa

CSV = "text/csv"
MARKDOWN = "text/markdown"
JSON = "application/json"
JSON_LD = "application/ld+json"
PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class PackFile:
    """One file.

    Attributes:
        title: what is in it, in one phrase.
        media_type: of its format.
        columns: of a table, for the dictionary.
    """

    name: str
    title: str
    media_type: str
    columns: pa.Schema | None = None
