"""Labels at national size against pandas' default engine: time and memory.

    uv run python -m streetineq_tests.benchmarks.bench_labels [--postcodes 2600000] [--rounds 5]

The files are generated: 2.6 million postcodes in the 2017 layout with its 50 columns, and 34,753
LSOAs in each table, of which the Indices rank England's. Both rivals refuse a postcode that comes
twice or a malformed code, and write the same postcodes and labels, which is asserted; pandas reads
only the needed columns. Each round runs both, in processes of their own, and the order alternates;
times are medians, memory is the greatest peak. Exits with 1 when a figure is missed.
"""

import argparse
import multiprocessing as mp
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import pandas as pd

from streetineq_assets.area_vintages import LSOA11
from streetineq_assets.demo.census import SIZES
from streetineq_assets.labels.labelling import build_tables
from streetineq_assets.labels.outcomes import DOMAINS, OUTCOMES
from streetineq_assets.labels.postcode_directory import find_directory
from streetineq_assets.labels.postcodes import city_areas, write_postcodes
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_assets.study import Study, load_study
from streetineq_tests.conftest import REPOSITORY
from streetineq_tests.labels import official

AT_LEAST_TIMES_AS_FAST = 3.0
BELOW_GB = 2.0
HEADER = official.EDITIONS["2017"].split(",")
DIRECTORY = "onspd/ONSPD_AUG_2017_UK.csv"
FILLER = {
    **dict.fromkeys(("osgrdind", "streg", "ur01ind", "ru11ind"), "1"),
    **dict.fromkeys(("oac01", "oac11"), "3C2"),
    **dict.fromkeys(("statsward", "casward"), "99ZZ00"),
    "oseast1m": "385386",
    "osnrth1m": "0801193",
    "imd": "6808",
}
AREAS = ("oa", "area", "msoa")
CENSUS = ("QS302EW", "QS408EW", "QS601EW", "KS501EW")


def main() -> int:
    """Generate, run the rounds, compare the outputs, print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--postcodes", type=int, default=2_600_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    rivals = {"duckdb": with_duckdb, "pandas": with_pandas}
    measured = {name: [] for name in rivals}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        generate(root, chosen.postcodes)
        size = (root / "inputs" / DIRECTORY).stat().st_size
        print(f"directory: {chosen.postcodes:,} postcodes, {size / 1e9:.2f} GB; {LSOA11}")
        for number in range(chosen.rounds):
            for name in list(rivals)[:: 1 if number % 2 == 0 else -1]:
                seconds, peak = apart(rivals[name], root, root / name)
                measured[name].append((seconds, peak))
                print(f"round {number + 1} {name}: {seconds:.2f} s, peak {peak:.2f} GB")
        assert_same(root / "duckdb", root / "pandas")
    ours, theirs = (median(s for s, _ in measured[name]) for name in rivals)
    peak = max(p for _, p in measured["duckdb"])
    ratio = theirs / ours
    print(f"times as fast as pandas: {ratio:.2f} (at least {AT_LEAST_TIMES_AS_FAST})")
    print(f"peak memory: {peak:.2f} GB (below {BELOW_GB})")
    return 0 if ratio >= AT_LEAST_TIMES_AS_FAST and peak < BELOW_GB else 1


def apart(work: Callable, root: Path, target: Path) -> tuple[float, float]:
    """Seconds and peak gigabytes of `work` in a process of its own, importing aside."""
    target.mkdir(exist_ok=True)
    context = mp.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_timed, args=(work, root, target, sender))
    process.start()
    sender.close()
    found = receiver.recv()
    process.join()
    return found


def _timed(work: Callable, root: Path, target: Path, sender) -> None:
    started = time.perf_counter()
    work(root, target)
    seconds = time.perf_counter() - started
    sender.send((seconds, _peak_gb()))


def _peak_gb() -> float:
    """Of this process alone: `ru_maxrss` would count what its parent held when it was started."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024**2


# -- the rivals ------------------------------------------------------------------------------------


def with_duckdb(root: Path, target: Path) -> None:
    """What the two assets do, plots aside."""
    study = paper(root)
    table = target / "postcode_lsoa.parquet"
    with duckdb.connect(
        config={"memory_limit": "1GB", "temp_directory": str(target)}
    ) as connection:
        connection.execute("SET enable_progress_bar = false")
        directory = find_directory(root / "inputs" / "onspd")
        write_postcodes(connection, directory, study.city_of_authority(), table)
        areas = city_areas(connection, table)
    build_tables(read_sources(find_sources(root / "inputs")), areas, study).write(target)


def with_pandas(root: Path, target: Path) -> None:
    """The same by `pandas.read_csv` with its default engine and only the needed columns."""
    study = paper(root)
    names = ["pcds", "dointr", "doterm", "oslaua", "usertype", "oa", "area", "msoa"]
    wanted = [*names, "lat", "long"]
    text = {name: "str" for name in names if name != "usertype"}  # codes are text, not numbers
    postcodes = pd.read_csv(root / "inputs" / DIRECTORY, usecols=wanted, dtype=text)
    here, authorities = postcodes["lat"].between(49, 61.5), study.city_of_authority()
    table = pd.DataFrame(
        {
            "postcode": postcodes["pcds"],
            "city": postcodes["oslaua"].map(authorities),
            "authority": postcodes["oslaua"].where(postcodes["oslaua"].isin(authorities)),
            **{n: postcodes[n].mask(postcodes[n].str.endswith("99999999")) for n in AREAS},
            "lat": postcodes["lat"].where(here),
            "lon": postcodes["long"].where(here),
            "usertype": postcodes["usertype"].astype("int8"),
            "introduced": pd.to_datetime(postcodes["dointr"], format="%Y%m"),
            "terminated": pd.to_datetime(postcodes["doterm"], format="%Y%m"),
        }
    ).sort_values("postcode")
    inside = table[table["city"].notna()]
    assert table["postcode"].is_unique
    assert table["postcode"].str.fullmatch("[A-Z0-9]{2,4} [A-Z0-9]{3}").all()
    assert inside["area"].dropna().str.fullmatch("[EW]01[0-9]{6}").all()
    table.to_parquet(target / "postcode_lsoa.parquet", index=False)
    areas = inside.groupby(["city", "area"]).size().reset_index()[["city", "area"]]
    values = pandas_values(root / "inputs")
    labels = []
    for city, lsoas in areas.groupby("city")["area"]:
        for outcome, series in values.items():
            found = series.reindex(lsoas)
            if found.notna().any():
                bins = pd.qcut(found, 10, labels=False, duplicates="drop") + 1
                high = OUTCOMES[outcome].worst == "high"
                labels.append(
                    pd.DataFrame(
                        {
                            "city": city,
                            "outcome": outcome,
                            "area": lsoas.to_numpy(),
                            "value": found.to_numpy(),
                            "decile": (11 - bins if high else bins).to_numpy(),
                        }
                    )
                )
    pd.concat(labels).to_parquet(target / "lsoa_labels.parquet", index=False)


def pandas_values(inputs: Path) -> dict[str, pd.Series]:
    """Outcome to values by LSOA."""
    values = {}
    for table, outcome in zip(CENSUS, official.SHARES, strict=True):
        columns = list(official.CENSUS[table][2])
        parts, total = CATEGORIES[table], columns[0]
        read = pd.read_csv(
            inputs / "census" / f"{table}.csv",
            skiprows=8,
            nrows=LSOA11.n_areas,
            usecols=["mnemonic", total, *parts],
            index_col="mnemonic",
        )
        values[outcome] = read[parts].sum(axis=1) / read[total]
    ranks = {key: f"{name} Rank (where 1 is most deprived)" for key, name in DOMAINS.items()}
    read = pd.read_csv(
        inputs / "iod" / "File_7.csv",
        usecols=["LSOA code (2011)", *ranks.values()],
        index_col="LSOA code (2011)",
    )
    values |= {key: read[name].astype(float) for key, name in ranks.items() if key in OUTCOMES}
    columns = {"mean_income": "Mean 2012/13", "median_income": "Median 2012/13"}
    read = pd.read_csv(
        inputs / "household_income" / "income.csv",
        usecols=["Code", *columns.values()],
        index_col="Code",
    )
    for outcome, name in columns.items():
        values[outcome] = read[name].str.replace(r"[?,]", "", regex=True).astype(float)
    return values


CATEGORIES = {
    "QS302EW": ["Bad health", "Very bad health"],
    "QS408EW": ["Occupancy rating (rooms) of -1", "Occupancy rating (rooms) of -2 or less"],
    "QS601EW": ["Economically active: Unemployed"],
    "KS501EW": ["No qualifications", "Highest level of qualification: Level 1 qualifications"],
}


def assert_same(ours: Path, theirs: Path) -> None:
    """The same postcodes in the same order, and the same values and deciles."""
    order = ["city", "outcome", "area"]
    for name, key in (("postcode_lsoa", ["postcode"]), ("lsoa_labels", order)):
        left = pd.read_parquet(ours / f"{name}.parquet")
        right = pd.read_parquet(theirs / f"{name}.parquet")
        if name == "lsoa_labels":
            right = right[
                right["outcome"].isin(["mean_income", "median_income"]).eq(False)
                | right["city"].eq("london")
            ]
        left = left[list(right.columns)].sort_values(key, ignore_index=True)
        right = right.sort_values(key, ignore_index=True)
        for column in ("introduced", "terminated"):
            if column in left:
                left[column] = pd.to_datetime(left[column]).astype(right[column].dtype)
        assert len(left) > 0
        pd.testing.assert_frame_equal(left, right, check_dtype=False, check_exact=True)


# -- the files -------------------------------------------------------------------------------------


def paper(root: Path) -> Study:
    """The paper's study, whose file is copied beside the inputs."""
    return load_study(root / "study.toml")


def generate(root: Path, n_postcodes: int) -> None:
    """National files below `root`, the same on every run."""
    text = (REPOSITORY / "data" / "study.toml").read_text(encoding="utf-8")
    (root / "study.toml").write_text(text, encoding="utf-8")
    inputs = root / "inputs"
    lsoas = [f"E01{i:06d}" for i in range(1, LSOA11.n_areas + 1)]
    rng = np.random.default_rng(1)
    _write_directory(inputs / DIRECTORY, n_postcodes, paper(root))
    for table in CENSUS:
        _write_census(inputs / "census" / f"{table}.csv", table, lsoas, rng)
    _write_file_7(inputs / "iod" / "File_7.csv", lsoas[: LSOA11.n_areas_of_england], rng)
    _write_incomes(inputs / "household_income" / "income.csv", lsoas, rng)


def _write_directory(path: Path, n: int, study: Study) -> None:
    """The directory in the order of postcodes, as it is published; neighbours share their LSOA.

    One postcode in a thousand has no grid reference, and another stands for a place without areas.
    """
    path.parent.mkdir(parents=True)
    authorities = [*study.city_of_authority(), *(f"E0700{i:04d}" for i in range(1, 271))]

    def area(form: str) -> str:
        return f"CASE i % 1000 WHEN 0 THEN '' WHEN 1 THEN 'M99999999' ELSE {form} END"

    cells = {
        "pcd": "printf('%-4s%s', outward, inward)",
        "pcd2": "printf('%-4s %s', outward, inward)",
        "pcds": "outward || ' ' || inward",
        "dointr": "printf('%d%02d', 1980 + i % 37, 1 + i % 12)",
        "doterm": "CASE WHEN i % 100 < 45 THEN printf('%d%02d', 1990 + i % 27, 1 + i % 12) END",
        "oslaua": f"list_extract($authorities, 1 + a * {len(authorities)} // {LSOA11.n_areas})",
        "usertype": "CASE WHEN i % 11 = 0 THEN '1' ELSE '0' END",
        "oa": area("printf('E00%06d', 5 * a + i % 5)"),
        "area": area("printf('E01%06d', 1 + a)"),
        "msoa": area("printf('E02%06d', 1 + a // 5)"),
        "lat": "CASE i % 1000 WHEN 0 THEN '99.999999' ELSE printf('%.6f', 50 + i / 1000000) END",
        "long": "CASE i % 1000 WHEN 0 THEN '0.000000' ELSE printf('%.6f', i / 1000000 - 3) END",
    }
    columns = ", ".join(f"{cells.get(n, repr(FILLER.get(n, 'E99999999')))} AS {n}" for n in HEADER)
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            COPY (SELECT {columns} FROM (SELECT *, i * {LSOA11.n_areas} // $n AS a FROM (
                SELECT *, row_number() OVER (ORDER BY outward, inward) - 1 AS i FROM (
                    SELECT chr((65 + k % 20)::INT) || chr((65 + k // 20 % 20)::INT)
                            || (1 + k // 400 % 90)::VARCHAR AS outward,
                        (k // 36000 % 10)::VARCHAR || chr((65 + k // 360000)::INT) || 'A' AS inward
                    FROM range($n) AS rows(k)))) ORDER BY i)
            TO $path (FORMAT csv, HEADER, FORCE_QUOTE *)
            """,
            {"n": n, "path": str(path), "authorities": authorities},
        )


def _write_census(path: Path, table: str, lsoas: list[str], rng: np.random.Generator) -> None:
    title, _, columns = official.CENSUS[table]
    counts = rng.integers(5, 200, (len(lsoas), len(columns)))
    population = official.POPULATIONS[table]
    counts[:, 0] = rng.integers(*SIZES[population], len(lsoas))
    lines = [
        "",
        f'"{table} - {title}"',
        '"ONS Crown Copyright Reserved [from Nomis on 11 July 2017]"',
        f'"Population :","{population}"',
        f'"Units      :","{"Households" if population == "All households" else "Persons"}"',
        '"Date       :","2011"',
        '"Rural Urban:","Total"',
        "",
        ",".join(f'"{n}"' for n in ("2011 super output area - lower layer", "mnemonic", *columns)),
        "",
    ]
    lines += [
        f'"Place {code}","{code}",' + ",".join(map(str, row))
        for code, row in zip(lsoas, counts.tolist(), strict=True)
    ]
    lines += ["", *[f'"","{note}"' for note in official.FOOTNOTES]]
    official.write(path, "\n".join(lines) + "\n")


def _write_file_7(path: Path, lsoas: list[str], rng: np.random.Generator) -> None:
    """All 57 columns of File 7: what is not a rank of a domain is filler."""
    header = ["LSOA code (2011)", "LSOA name (2011)"]
    header += [f"Local Authority District {what} (2013)" for what in ("code", "name")]
    header += [f"{name} Rank (where 1 is most deprived)" for name in DOMAINS.values()]
    filler = [f"Other indicator {i}" for i in range(57 - len(header))]
    names = [f"Place {code}" for code in lsoas]
    table = pd.DataFrame({header[0]: lsoas, header[1]: names, header[2]: "E0", header[3]: "P"})
    for name in header[4:]:
        table[name] = rng.permutation(len(lsoas)) + 1
    extra = pd.DataFrame(rng.random((len(lsoas), len(filler))).round(3), columns=filler)
    path.parent.mkdir()
    pd.concat([table, extra], axis=1).to_csv(path, index=False)


def _write_incomes(path: Path, lsoas: list[str], rng: np.random.Generator) -> None:
    names = [f"Place {code}" for code in lsoas]
    table = pd.DataFrame({"Code": lsoas, "Name": names, "LAD code": "E0", "Borough": "B"})
    for name in ("Mean", "Median"):
        for year in range(2001, 2013):
            amounts = rng.integers(150, 1500, len(lsoas)) * 100
            table[f"{name} {year}/{year % 100 + 1:02d}"] = [f"?{n:,}" for n in amounts]
    path.parent.mkdir()
    table.to_csv(path, index=False)


if __name__ == "__main__":
    sys.exit(main())
