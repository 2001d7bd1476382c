"""Styles of a GeoPackage's layer in the table where QGIS looks for them, `layer_styles`.

A style for each outcome colours areas by predicted decile, in the colours of the report. QGIS takes
that of the first outcome by itself, and offers the others by name.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.plotting import DECILE_COLOURS, MISSING_COLOUR

TABLE = "layer_styles"
_ENDS = {1: "1 worst-off", 10: "10 best-off"}
# As QGIS itself makes it, but that the time has no default.
_CREATE = f"""
CREATE TABLE {TABLE} (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
    f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME)
"""
_INSERT = f"""
INSERT INTO {TABLE} (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,
    styleQML, styleSLD, useAsDefault, description, owner, update_time)
VALUES ('', '', ?, 'geom', ?, ?, '', ?, ?, '', ?)
"""  # noqa: S608 - of constants
_REGISTER = """
INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change)
VALUES (?, 'attributes', ?, ?)
"""


def write_styles(
    path: Path, layer: str, outcomes: Sequence[str], *, of_points: bool, stamp: str
) -> None:
    """Add a style for each outcome to a GeoPackage, the first as the layer's default.

    Args:
        outcomes: keys of outcomes whose deciles the layer has, as `crime_decile`.
        of_points: whether the layer's shapes are points.
        stamp: time of the change that is written.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(_CREATE)
        database.execute(_REGISTER, (TABLE, TABLE, stamp))
        for number, outcome in enumerate(outcomes):
            title = OUTCOMES[outcome].title
            qml = decile_style(f"{outcome}_decile", of_points=of_points)
            about = f"{title}: predicted decile, 1 = worst-off, 10 = best-off"
            database.execute(_INSERT, (layer, title, qml, number == 0, about, stamp))


def decile_style(column: str, *, of_points: bool) -> str:
    """QML that colours shapes by a column of deciles, and those without one grey."""
    root = ET.Element("qgis", version="3.28.0", styleCategories="Symbology")
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr=column)
    renderer.attrib |= {"enableorderby": "0", "forceraster": "0", "symbollevels": "0"}
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    colours = [(str(n), _ENDS.get(n, str(n)), c) for n, c in enumerate(DECILE_COLOURS, start=1)]
    for number, (value, label, colour) in enumerate([*colours, ("", "none", MISSING_COLOUR)]):
        about = {"render": "true", "symbol": str(number), "value": value, "label": label}
        ET.SubElement(categories, "category", about)
        symbols.append(_symbol(number, colour, of_points=of_points))
    ET.indent(root)
    return f"<!DOCTYPE qgis>\n{ET.tostring(root, encoding='unicode')}\n"


def _symbol(number: int, colour: str, *, of_points: bool) -> ET.Element:
    kind, layer = ("marker", "SimpleMarker") if of_points else ("fill", "SimpleFill")
    symbol = ET.Element("symbol", type=kind, name=str(number), alpha="1")
    drawn = ET.SubElement(symbol, "layer", {"class": layer, "enabled": "1", "pass": "0"})
    options = ET.SubElement(drawn, "Option", type="Map")
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    chosen = {
        "color": f"{red},{green},{blue},255",
        "outline_color": "255,255,255,255",
        "outline_style": "solid",
        "outline_width": "0.1",
        "style": "solid",
    } | ({"name": "circle", "size": "2.5"} if of_points else {})
    for name, value in chosen.items():
        ET.SubElement(options, "Option", type="QString", name=name, value=value)
    return symbol
