"""Writes the made-up tables that the guides use: flats with numbers, categories and gaps, and daily sales.

    python examples/tables.py --out FOLDER

``flats.csv`` is fitted, ``new.csv`` holds other flats of the same kind (and one mistake), ``gaps.csv`` has empty cells,
and ``sales.csv`` is a time series.
"""

import argparse
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars

DISTRICTS = {"harbour": 22.0, "old town": 26.0, "hill": 18.0}
"""Rent per square metre."""


def flats(count: int, seed: int) -> polars.DataFrame:
    """Flats whose area follows from the rooms, and whose rent from area, district and balcony."""
    random = np.random.default_rng(seed)
    rooms = random.choice([1, 2, 3, 4, 5], count, p=[0.2, 0.3, 0.25, 0.15, 0.1])
    district = random.choice(list(DISTRICTS), count, p=[0.3, 0.5, 0.2])
    area = np.round(rooms * 18 + random.normal(12, 4, count), 1)
    balcony = random.random(count) < 0.2 + 0.1 * rooms
    price = np.array([DISTRICTS[name] for name in district])
    rent = np.round(area * price * random.normal(1, 0.05, count) + 60 * balcony, 2)
    told = random.random(count) < 0.9
    table = polars.DataFrame(
        {"rooms": rooms, "district": district, "area": area, "balcony": balcony, "rent": rent, "told": told}
    )
    return table.with_columns(rent=polars.when("told").then("rent")).drop("told")


def sales(days: int, seed: int) -> polars.DataFrame:
    """Sales with a week and a year in them."""
    random, day = np.random.default_rng(seed), np.arange(days)
    level = 100 + 20 * np.sin(2 * np.pi * day / 7) + 10 * np.sin(2 * np.pi * day / 365)
    dates = [date(2021, 1, 1) + timedelta(days=int(i)) for i in day]
    return polars.DataFrame({"date": dates, "sales": np.round(level + random.normal(0, 3, days), 1)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(), help="the folder to write (default: this one)")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    flats(3000, seed=0).write_csv(out / "flats.csv")
    new = flats(200, seed=1)
    row = polars.int_range(polars.len())
    # A decimal point went missing in the fifth flat.
    new.with_columns(area=polars.when(row == 4).then(polars.col("area") * 10).otherwise("area")).write_csv(
        out / "new.csv"
    )
    gaps = flats(4, seed=2).with_columns(
        district=polars.when(row != 0).then("district"), rent=polars.when(row.is_in([0, 1])).then("rent")
    )
    gaps.write_csv(out / "gaps.csv")
    sales(1200, seed=0).write_csv(out / "sales.csv")


if __name__ == "__main__":
    main()
