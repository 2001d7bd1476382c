"""A pack as an RO-Crate: who published which file of what, in a form that catalogues read.

RO-Crate 1.3, by the library `rocrate`, from which the graph alone is taken: dates and identifiers
are the study's, never the clock's or random.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streetineq_assets.digests import digest_file
from streetineq_assets.reports.pack.attribution import OGL
from streetineq_assets.reports.pack.contents import JSON_LD, PackFile
from streetineq_assets.reports.pack.geofiles import GEOPACKAGE, GEOPARQUET
from streetineq_assets.reports.pack.material import Material
from streetineq_assets.reports.pack.pages import NO_AUTHOR, NO_LICENCE, citation

if TYPE_CHECKING:
    from rocrate.model import Entity
    from rocrate.rocrate import ROCrate

FILE = PackFile("ro-crate-metadata.json", "The pack as an RO-Crate", JSON_LD)
_METHOD = "https://doi.org/10.1038/s41598-019-42036-w"
_METHOD_TITLE = (
    "Measuring social, environmental and health inequalities using deep learning and street imagery"
)
_SPDX = "https://spdx.org/licenses/"
_FORMATS = {
    "application/vnd.apache.parquet": ("Apache Parquet", "https://parquet.apache.org/docs/"),
    "application/geopackage+sqlite3": ("OGC GeoPackage", "https://www.geopackage.org/spec/"),
}


def write_crate(
    material: Material, files: Sequence[PackFile], sums: PackFile, sums_bytes: int, folder: Path
) -> None:
    """Write `ro-crate-metadata.json`.

    Args:
        files: those that are written by now, which get size and digest.
        sums: the file of digests, which is written afterwards, since it has this one's.
        sums_bytes: its size.
    """
    from rocrate.rocrate import ROCrate

    crate, stated = ROCrate(), material.study.publication
    people = list(_authors(crate, material))
    parts = [_file(crate, file, _sealed(folder / file.name)) for file in files]
    parts.append(_file(crate, sums, {"contentSize": str(sums_bytes)}))
    if material.boundaries is not None and not material.synthetic:
        for part in parts:
            if part["name"] in (GEOPARQUET, GEOPACKAGE):
                part["license"] = [_licence(crate, material), _ogl(crate)]
    about: dict[str, Any] = {
        "name": f"{material.study.title}: evidence pack",
        "description": _description(material),
        "datePublished": material.published_on.isoformat(),
        "license": _licence(crate, material),
        "author": people,
        "publisher": people,
        "creditText": citation(material),
        "keywords": ["inequality", "street images", "small areas", "deciles"],
        "hasPart": parts,
        "citation": _add(crate, _METHOD, "ScholarlyArticle", name=_METHOD_TITLE),
        "mentions": _making(crate, material, parts),
    }
    about |= {"identifier": f"https://doi.org/{stated.doi}"} if stated.doi else {}
    for name, value in about.items():
        # A list of one is written as the one.
        crate.root_dataset[name] = (
            value[0] if isinstance(value, list) and len(value) == 1 else value
        )
    graph = crate.metadata.generate()
    text = json.dumps(graph, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / FILE.name).write_text(text + "\n", encoding="utf-8")


def _description(material: Material) -> str:
    what = (
        "Deciles of small areas predicted from street images, out of fold, with metrics, map and "
        f"provenance: {len(material.current)} pairs of city and outcome."
    )
    said = [what]
    if material.synthetic:
        said.insert(0, f"Synthetic: {material.synthetic}. Of no real place.")
    if material.study.publication.date is None:
        said.append("No day of publication was stated: the study's date stands in its place.")
    return " ".join(said)


def _sealed(path: Path) -> dict[str, str]:
    return {"contentSize": str(path.stat().st_size), "sha256": digest_file(path)}


def _file(crate: "ROCrate", file: PackFile, size: Mapping[str, str]) -> "Entity":
    """A file; it stands under the licence of the whole where it names none."""
    formats: list[Any] = [file.media_type]
    if file.media_type in _FORMATS:
        name, address = _FORMATS[file.media_type]
        formats.append({"@id": _add(crate, address, "WebPage", name=name).id})
    about: dict[str, Any] = {"name": file.name, "description": file.title, **size}
    about["encodingFormat"] = formats if len(formats) > 1 else formats[0]
    return crate.add_file(dest_path=file.name, properties=about)


def _licence(crate: "ROCrate", material: Material) -> "Entity":
    chosen = material.study.publication.licence
    if chosen is None:
        return _add(crate, "#no-licence", "CreativeWork", name="No licence", description=NO_LICENCE)
    address = chosen if chosen.startswith("https://") else f"{_SPDX}{chosen}"
    return _add(
        crate, address, "CreativeWork", name=chosen, description=f"Licence of this pack: {chosen}"
    )


def _authors(crate: "ROCrate", material: Material) -> Iterator["Entity"]:
    """Those whom the study names; else one to be named."""
    authors = material.study.publication.authors
    for number, author in enumerate(authors, start=1):
        key = f"https://orcid.org/{author.orcid}" if author.orcid else f"#author-{number}"
        more = {}
        if author.affiliation:
            name = author.affiliation
            more["affiliation"] = _add(crate, f"#affiliation-{number}", "Organization", name=name)
        if contact := material.study.publication.contact:
            more["contactPoint"] = _contact(crate, contact)
        yield _add(crate, key, "Person", name=author.name, **more)
    if not authors:
        yield _add(crate, "#author", "Person", name=NO_AUTHOR)


def _contact(crate: "ROCrate", contact: str) -> "Entity":
    by = "url" if contact.startswith("https://") else "email"
    key = contact if by == "url" else f"mailto:{contact}"
    return _add(
        crate, key, "ContactPoint", name="Questions", contactType="questions", **{by: contact}
    )


def _making(crate: "ROCrate", material: Material, parts: Sequence["Entity"]) -> "Entity":
    """How the files came about: the software, what it read, what it made."""
    provenance = material.provenance
    code = material.study.publication.code
    software = _add(
        crate,
        "#streetineq",
        "SoftwareApplication" if code else "CreativeWork",  # an application must have an address
        name="streetineq",
        description="The platform that made every file",
        version=provenance.version,
        **({"url": code} if code else {}),
    )
    return _add(
        crate,
        "#making",
        "CreateAction",
        name="streetineq run",
        description="Every step of the study, from official files and images to this pack",
        instrument=software,
        object=list(_inputs(crate, material)),
        result=list(parts),
    )


def _inputs(crate: "ROCrate", material: Material) -> Iterator["Entity"]:
    """What the study was given, none of which is here; the images are listed by city."""
    invented = "Synthetic, in the format of: " if material.synthetic else ""
    for number, each in enumerate(material.provenance.sources, start=1):
        official = not each.title.startswith("Weights") and not material.synthetic
        more: dict[str, Any] = {"license": _ogl(crate)} if official else {}
        if each.edition:
            more["version"] = each.edition
        yield _add(
            crate,
            f"#input-{number}",
            "CreativeWork",
            name=f"{invented}{each.title}",
            description=f"For {each.provides}; not part of the pack",
            sha256=each.sha256,
            **more,
        )
    for key, city in material.provenance.cities.items():
        yield _add(
            crate,
            f"#images-{key}",
            "CreativeWork",
            name=f"{'Synthetic s' if material.synthetic else 'S'}treet images of {city.title}",
            description="Not part of the pack; the report says under which terms they stand",
        )


def _ogl(crate: "ROCrate") -> "Entity":
    return _add(crate, OGL, "CreativeWork", name="Open Government Licence v3.0")


def _add(crate: "ROCrate", key: str, kind: str, **properties: Any) -> "Entity":
    """An entity that is no file."""
    from rocrate.model import ContextEntity

    return crate.add(ContextEntity(crate, key, {"@type": kind, **properties}))
