"""Small files in the official formats, after the publishers' layouts.

One writer per layout, all from the same few numbers, so that a test can have the same table in
every form.
"""

import csv
import gzip
import io
from pathlib import Path

import numpy as np

CITY_A = [f"E0100{i:04d}" for i in range(1, 31)]
CITY_B = [f"E0102{i:04d}" for i in range(1, 13)]
LSOAS = CITY_A + CITY_B
AUTHORITIES = {"E09000001": "alpha", "E08000025": "beta"}

_rng = np.random.default_rng(7)
RESIDENTS = _rng.integers(900, 2500, len(LSOAS))
BAD = _rng.integers(20, 120, len(LSOAS))
VERY_BAD = _rng.integers(5, 40, len(LSOAS))
HOUSEHOLDS = _rng.integers(400, 900, len(LSOAS))
CROWDED_1 = _rng.integers(10, 120, len(LSOAS))
CROWDED_2 = _rng.integers(0, 60, len(LSOAS))
UNEMPLOYED = _rng.integers(10, 150, len(LSOAS))
NO_QUALIFICATION = _rng.integers(50, 300, len(LSOAS))
LEVEL_1 = _rng.integers(50, 200, len(LSOAS))
DOMAINS = (
    "Index of Multiple Deprivation (IMD)",
    "Income",
    "Employment",
    "Education, Skills and Training",
    "Health Deprivation and Disability",
    "Crime",
    "Barriers to Housing and Services",
    "Living Environment",
)
RANKS = {domain: _rng.permutation(32_844)[: len(LSOAS)] + 1 for domain in DOMAINS}
MEAN = _rng.integers(250, 900, len(CITY_A)) * 100
MEDIAN = _rng.integers(200, 600, len(CITY_A)) * 100

# Table, the dimension that bulk files write first, and its columns in the order of the publication.
CENSUS = {
    "QS302EW": (
        "General health",
        "General Health",
        {
            "All categories: General health": RESIDENTS,
            "Very good health": RESIDENTS - BAD - VERY_BAD - 300,
            "Good health": np.full(len(LSOAS), 200),
            "Fair health": np.full(len(LSOAS), 100),
            "Bad health": BAD,
            "Very bad health": VERY_BAD,
        },
    ),
    "QS408EW": (
        "Occupancy rating (rooms)",
        "Occupancy Rating",
        {
            "All categories: Occupancy rating (rooms)": HOUSEHOLDS,
            "Occupancy rating (rooms) of +2 or more": HOUSEHOLDS - CROWDED_1 - CROWDED_2 - 30,
            "Occupancy rating (rooms) of +1": np.full(len(LSOAS), 20),
            "Occupancy rating (rooms) of 0": np.full(len(LSOAS), 10),
            "Occupancy rating (rooms) of -1": CROWDED_1,
            "Occupancy rating (rooms) of -2 or less": CROWDED_2,
        },
    ),
    "KS403EW": (
        "Rooms, bedrooms and central heating",
        "Central Heating",
        {
            "All categories: Type of central heating in household": HOUSEHOLDS,
            "Does not have central heating": np.full(len(LSOAS), 5),
            "Does have central heating": HOUSEHOLDS - 5,
            "Occupancy rating (rooms) of -1 or less": CROWDED_1 + CROWDED_2,
            "Occupancy rating (bedrooms) of -1 or less": CROWDED_2,
        },
    ),
    "QS601EW": (
        "Economic activity",
        "Economic Activity",
        {
            "All categories: Economic activity": RESIDENTS - 200,
            "Economically active: Employee: Full-time": np.full(len(LSOAS), 400),
            "Economically active: Unemployed": UNEMPLOYED,
            "Economically active: Full-time student": np.full(len(LSOAS), 20),
            "Economically inactive: Total": RESIDENTS - 620 - UNEMPLOYED,
        },
    ),
    "KS601EW": (
        "Economic activity",
        "Economic Activity",
        {
            "All usual residents aged 16 to 74": RESIDENTS - 200,
            "Economically active": np.full(len(LSOAS), 500),
            "Economically active: Unemployed": UNEMPLOYED,
            "Economically inactive": RESIDENTS - 700,
        },
    ),
    "QS501EW": (
        "Highest level of qualification",
        "Qualification",
        {
            "All categories: Highest level of qualification": RESIDENTS - 150,
            "No qualifications": NO_QUALIFICATION,
            "Level 1 qualifications": LEVEL_1,
            "Level 2 qualifications": np.full(len(LSOAS), 100),
        },
    ),
    "KS501EW": (
        "Qualifications and students",
        "Qualifications",
        {
            "All categories: Highest level of qualification": RESIDENTS - 150,
            "No qualifications": NO_QUALIFICATION,
            "Highest level of qualification: Level 1 qualifications": LEVEL_1,
            "Highest level of qualification: Level 2 qualifications": np.full(len(LSOAS), 100),
            "Full-time students: Age 18 to 74: Economically active: Unemployed": LEVEL_1 * 0 + 3,
        },
    ),
}
POPULATIONS = {
    "QS302EW": "All usual residents",
    **dict.fromkeys(("QS408EW", "KS403EW"), "All households"),
    **dict.fromkeys(("QS601EW", "KS601EW"), "All usual residents aged 16 to 74"),
    **dict.fromkeys(("QS501EW", "KS501EW"), "All usual residents aged 16 and over"),
}
SHARES = {
    "self_reported_health": (BAD + VERY_BAD) / RESIDENTS,
    "occupancy_rating": (CROWDED_1 + CROWDED_2) / HOUSEHOLDS,
    "unemployment": UNEMPLOYED / (RESIDENTS - 200),
    "education": (NO_QUALIFICATION + LEVEL_1) / (RESIDENTS - 150),
}
INFUSE = {
    "F1777-p-generalhealth-verybad": VERY_BAD,
    "F1782-p-generalhealth-bad": BAD,
    "F1778-p-generalhealth-total": RESIDENTS,
    "F2375-hh-occup-rating-rooms--1orless": CROWDED_1 + CROWDED_2,
    "F2376-hh-occup-rating-rooms-total": HOUSEHOLDS,
    "F1399-p-econ-unemployed": UNEMPLOYED,
    "F1391-p-econ-total": RESIDENTS - 200,
    "F187-p-highest-qual-no": NO_QUALIFICATION,
    "F188-p-highest-qual-level1": LEVEL_1,
    "F186-p-highest-qual-total": RESIDENTS - 150,
}
FOOTNOTES = ("In order to protect", "against disclosure, records", "have been swapped")
POSTCODES_PER_LSOA = 4


def nomis_query(table: str, *, extra_lines: int = 0, lsoas=LSOAS) -> str:
    """A query download: title, preamble, blank lines, header, rows, footnotes."""
    (title, _, columns), population = CENSUS[table], POPULATIONS[table]
    rows: list[list] = [
        [],
        *[[f"{table} - {title}"], ["ONS Crown Copyright Reserved [from Nomis on 11 July 2017]"]],
        ["Population :", population],
        ["Units      :", "Households" if population == "All households" else "Persons"],
        ["Date       :", "2011"],
        *[["Rural Urban:", "Total"]] * (1 + extra_lines),
        [],
        ["2011 super output area - lower layer", "mnemonic", *columns],
        [],
        *[
            [f"Place {code}", code, *(int(counts[i]) for counts in columns.values())]
            for i, code in enumerate(lsoas)
        ],
        [],
        *[["", note] for note in FOOTNOTES],
    ]
    return _csv(rows, quoting=csv.QUOTE_NONNUMERIC)


def nomis_bulk(table: str, *, by_sex: bool = False) -> str:
    """A bulk file; key statistics by sex repeat every column for males and females."""
    _, dimension, columns = CENSUS[table]
    prefixes = [("Sex: All persons; ", 0), ("Sex: Males; ", 7)] if by_sex else [("", 0)]
    header = ["date", "geography", "geography code", "Rural Urban"]
    header += [f"{p}{dimension}: {name}; measures: Value" for p, _ in prefixes for name in columns]
    rows = [
        ["2011", f"Place {code}", code, "Total"]
        + [max(0, int(counts[i]) - less) for _, less in prefixes for counts in columns.values()]
        for i, code in enumerate(LSOAS)
    ]
    return _csv([header, *rows])


def infuse(*, renamed: bool = True, only: tuple[str, ...] = ()) -> str:
    """InFuse's layout; under its own names it has a row of descriptions and a trailing comma."""
    chosen = {k: v for k, v in INFUSE.items() if not only or k.startswith(only)}
    names = list(chosen) if renamed else [name.split("-")[0] for name in chosen]
    header = ["CDU_ID", "GEO_CODE", "GEO_LABEL", "GEO_TYPE", "GEO_TYP2", *names, ""]
    described = ["", "", "", "", "", *[f"Something : {n} - Unit : Persons" for n in names], ""]
    rows = [
        [i, code, f"Place {code}", "Lower Super Output Areas and Data Zones", "LSOADZ"]
        + [int(counts[i]) for counts in chosen.values()]
        + [""]
        for i, code in enumerate(LSOAS)
    ]
    other = [
        [900, "E09000001", "Alpha", "Local Authorities", "LA", *[99_999] * len(names), ""],
        [901, "S01000001", "Zone", "Data Zones", "LSOADZ", *[1] * len(names), ""],
        [902, "95AA01S1", "Area", "Super Output Areas", "LSOADZ", *[1] * len(names), ""],
    ]
    return _csv([header, *([] if renamed else [described]), *rows, *other])


def file_7_rows(edition: str = "2015", *, whole: bool = True) -> list[list]:
    """File 7 by edition; `whole` adds scores, deciles and columns that are not read."""
    year = {"2015": "2013", "2019": "2019"}[edition]
    header = [
        "LSOA code (2011)",
        "LSOA name (2011)",
        f"Local Authority District code ({year})",
        f"Local Authority District name ({year})",
    ]
    rows = [[code, f"Place {code}", "E09000001", "Alpha"] for code in LSOAS]
    for domain, rank in RANKS.items():
        rate = " (rate)" if domain in ("Income", "Employment") else ""
        if whole:
            header.append(f"{domain} Score{rate}")
        header.append(f"{domain} Rank (where 1 is most deprived)")
        if whole:
            header.append(f"{domain} Decile (where 1 is most deprived 10% of LSOAs)")
        for i, r in enumerate(rank):
            rows[i] += [0.125, int(r), 1 + int(r) * 10 // 32_845] if whole else [int(r)]
    return [header, *rows]


def file_7(edition: str = "2015", *, whole: bool = True) -> str:
    """File 7 as CSV."""
    return _csv(file_7_rows(edition, whole=whole))


def file_7_workbook(path: Path, edition: str = "2015") -> None:
    """The ministry's workbook: notes on the first sheet, the table on the second."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Notes"
    book.active.append(["English indices of deprivation"])
    sheet = book.create_sheet(f"ID{edition} Domains")
    for row in file_7_rows(edition):
        sheet.append(row)
    book.save(path)


def income_csv(*, sign: str = "?") -> str:
    """The GLA's CSV with a pound sign before each amount, mangled as downloads are."""
    years = ["2011/12", "2012/13"]
    header = ["Code", "Name", "LAD code", "Borough"]
    header += [f"{name} {year}" for name in ("Mean", "Median") for year in years]
    rows = [
        [code, f"Place {code}", "E09000001", "Alpha"]
        + [f"{sign}{n:,}" for n in (MEAN[i] - 900, MEAN[i], MEDIAN[i] - 900, MEDIAN[i])]
        for i, code in enumerate(CITY_A)
    ]
    return _csv([header, *rows])


def income_workbook(path: Path) -> None:
    """The GLA's workbook, three rows of headings and a blank column between the blocks.

    Saved as XLSX, since no library of ours writes XLS; real XLS is read in the integration tests.
    """
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Metadata"
    book.active.append(["Household income estimates"])
    for name, codes in (("MSOA11", ["E02000001"] * len(CITY_A)), ("LSOA11", CITY_A)):
        sheet = book.create_sheet(name)
        mean, median = (f"Total {s} Annual Household Income estimate" for s in ("Mean", "Median"))
        sheet.append(["", "", "", "", mean, "", "", median, ""])
        sheet.append(["", "", "", "", "2011/12", "2012/13", "", "2011/12", "2012/13"])
        sheet.append(["Code", "Name", "LAD code", "Borough", "", "", "", "", ""])
        for i, code in enumerate(codes):
            amounts = [float(MEAN[i] - 900), float(MEAN[i]), None, float(MEDIAN[i] - 900)]
            sheet.append([code, "Place", "E09000001", "Alpha", *amounts, float(MEDIAN[i])])
    book.save(path)


# -- the postcode directory ------------------------------------------------------------------------

_2012 = (
    "pcd,pcd2,pcds,dointr,doterm,oscty,oslaua,osward,usertype,oseast1m,osnrth1m,osgrdind,oshlthau,"
    "hro,ctry,gor,oa01,casward,park,lsoa01,msoa01,ur01ind,oac01,oldpct,oa11,lsoa11,msoa11"
)
_2017 = (
    "pcd,pcd2,pcds,dointr,doterm,oscty,ced,oslaua,osward,parish,usertype,oseast1m,osnrth1m,osgrdind,"
    "oshlthau,nhser,ctry,rgn,streg,pcon,eer,teclec,ttwa,pct,nuts,statsward,oa01,casward,park,lsoa01,"
    "msoa01,ur01ind,oac01,oa11,lsoa11,msoa11,wz11,ccg,bua11,buasd11,ru11ind,oac11,lat,long,lep1,lep2,"
    "pfa,imd,calncv,stp"
)
_2025 = (
    "pcd7,pcd8,pcds,dointr,doterm,cty25cd,ced25cd,lad25cd,wd25cd,parncp25cd,usrtypind,east1m,north1m,"
    "gridind,hlth19cd,ctry25cd,rgn25cd,oa01cd,lsoa01cd,msoa01cd,oa11cd,lsoa11cd,msoa11cd,wz11cd,lat,"
    "long,imd20ind,oa21cd,lsoa21cd,msoa21cd"
)
_LOOKUP = (
    "pcd7,pcd8,pcds,dointr,doterm,usertype,oa11cd,lsoa11cd,msoa11cd,ladcd,lsoa11nm,msoa11nm,ladnm,"
    "ladnmw"
)
EDITIONS = {"2012": _2012, "2017": _2017, "2025": _2025, "lookup": _LOOKUP}
_SAME = {
    "postcode7": ("pcd", "pcd7"),
    "postcode8": ("pcd2", "pcd8"),
    "postcode": ("pcds",),
    "introduced": ("dointr",),
    "terminated": ("doterm",),
    "authority": ("oslaua", "lad25cd", "ladcd"),
    "usertype": ("usertype", "usrtypind"),
    "oa": ("oa11", "oa11cd"),
    "area": ("lsoa11", "lsoa11cd"),
    "msoa": ("msoa11", "msoa11cd"),
    "oa21": ("oa21cd",),
    "area21": ("lsoa21cd",),
    "msoa21": ("msoa21cd",),
    "lat": ("lat",),
    "long": ("long",),
}


def postcodes() -> list[dict[str, str]]:
    """Four postcodes in each area, one terminated and one of a large user; and three oddities."""
    rows = []
    for i, lsoa in enumerate(LSOAS):
        authority = "E09000001" if lsoa in CITY_A else "E08000025"
        rows += [
            _postcode(
                f"AB{i + 1} {j + 1}A{chr(65 + j)}",
                authority=authority,
                area=lsoa,
                oa=f"E00{i:04d}0{j // 2}",
                msoa=f"E02{i // 5:06d}",
                terminated="201203" if j == 3 else "",
                usertype="1" if j == 2 else "0",
                lat=f"{51 + i / 100:.6f}",
                long=f"{-0.1 - j / 100:.6f}",
            )
            for j in range(POSTCODES_PER_LSOA)
        ]
    rows += [
        _postcode("ZE1 0AA", authority="S12000027", area="S01012375", oa="S00999999", lat="60.1"),
        _postcode("IM1 1AA", authority="M99999999", area="M99999999", oa="M99999999"),
        _postcode("QQ1 1QQ", authority="", area="", oa="", lat="99.999999", long="0.000000"),
    ]
    return rows


def directory(edition: str, rows: list[dict[str, str]] | None = None) -> str:
    """The postcode directory under an edition's column names."""
    header = EDITIONS[edition].split(",")
    ours = {theirs: name for name, names in _SAME.items() for theirs in names}
    rows = postcodes() if rows is None else rows
    cells = [[row.get(ours.get(name, ""), "X9") for name in header] for row in rows]
    return _csv([header, *cells], quoting=csv.QUOTE_ALL)


def _postcode(pcds: str, **fields: str) -> dict[str, str]:
    outward, inward = pcds.split()
    return {
        "postcode": pcds,
        "postcode7": f"{outward:<4}{inward}",
        "postcode8": f"{outward:<4} {inward}",
        "introduced": "198001",
        "terminated": "",
        "usertype": "0",
        "msoa": "",
        "lat": "",
        "long": "",
        **fields,
    }


# -- whole inputs ----------------------------------------------------------------------------------


def write(path: Path, text: str, *, encoding: str = "utf-8", packed: bool = False) -> Path:
    """Write a text file, in any encoding, gzipped or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = text.encode(encoding)
    path.write_bytes(gzip.compress(raw, mtime=0) if packed else raw)
    return path


def write_inputs(inputs: Path) -> Path:
    """A complete set of inputs, in the layouts that most people download."""
    for table in ("QS302EW", "QS408EW", "QS601EW", "KS501EW"):
        write(inputs / "census" / f"{table}.csv", nomis_query(table))
    write(inputs / "iod" / "File_7.csv", file_7())
    write(inputs / "household_income" / "income.csv", income_csv())
    write(inputs / "onspd" / "ONSPD_AUG_2017_UK.csv", directory("2017"))
    return inputs


def _csv(rows: list[list], quoting=csv.QUOTE_MINIMAL) -> str:
    sink = io.StringIO()
    csv.writer(sink, quoting=quoting, lineterminator="\n").writerows(rows)
    return sink.getvalue()
