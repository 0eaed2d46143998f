"""Sixteen leaking tables and sixteen clean ones, again written without reading the guard.

Other domains than the third set, and harder cases: leaks that show in two columns together only,
in the hour of an entry, in blocks of numbers or in how rows were parted, and honest tables beside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.measure.planting import Frame, Planted, Rng, Table, chance, days, gaps, shuffled

planted = Planted()
leak, clean = planted.leak, planted.clean


# --- What tables share -------------------------------------------------------------------------


def moments(start: str, seconds: Any) -> Any:
    """Times so many seconds after a start."""
    return pd.Timestamp(start) + pd.to_timedelta(np.asarray(seconds).astype("int64"), unit="s")


def of(rng: Rng, values: list[str], rows: int, *shares: float) -> np.ndarray:
    """Values drawn with the given shares, or with equal ones."""
    return rng.choice(np.array(values, dtype=object), rows, p=list(shares) or None)


def levels(codes: Any, effects: dict[str, float]) -> np.ndarray:
    """The effect of each value."""
    return np.array([effects[code] for code in codes])


def slow(rng: Rng, rows: int, keeps: float) -> np.ndarray:
    """A slow process with mean 0 and deviation 1, of which each row keeps a share of the last."""
    steps = rng.normal(size=rows) * np.sqrt(1 - keeps**2)
    state = np.empty(rows)
    state[0] = rng.normal()
    for row in range(1, rows):
        state[row] = keeps * state[row - 1] + steps[row]
    return state


# --- Leaks -------------------------------------------------------------------------------------


@leak(
    "combination of columns",
    "the response is defined by the ratio of the diameters at week 8 and at the start",
    columns=("sld_week8_mm", "sld_start_mm"),
)
def tumour_response(seed: int) -> Table:
    """Response of tumours to a drug (3 classes), for patients who have not begun."""
    rng = np.random.default_rng(seed)
    n = 1100
    start = np.round(np.exp(rng.normal(4.1, 0.65, n))).clip(12)
    arm = of(rng, ["A10", "A20", "standard"], n)
    ecog = rng.choice([0, 1, 2], n, p=[0.35, 0.45, 0.2])
    ldh = np.exp(rng.normal(5.4, 0.35, n))
    line = rng.integers(1, 5, n)
    pdl1 = np.round(100 * rng.beta(0.6, 1.6, n))
    change = (
        levels(arm, {"A10": -0.14, "A20": -0.24, "standard": 0.02})
        + 0.10 * ecog
        + 0.16 * (np.log(ldh) - 5.4) / 0.35
        + 0.06 * line
        - 0.004 * pdl1
        - 0.10
        + rng.normal(0, 0.34, n)
    )
    week8 = np.round(start * np.exp(change))
    ratio = week8 / start
    frame = pd.DataFrame(
        {
            "age": rng.normal(63, 10, n).round().clip(24, 88),
            "sex": of(rng, ["f", "m"], n),
            "primary_site": of(rng, ["lung", "bladder", "kidney", "skin"], n, 0.5, 0.2, 0.2, 0.1),
            "arm": arm,
            "ecog": ecog,
            "therapy_line": line,
            "ldh_u_l": np.round(ldh),
            "pdl1_percent": gaps(pdl1, 0.25, rng),
            "sld_start_mm": start,
            "sld_week8_mm": week8,
            "response": np.select([ratio <= 0.7, ratio >= 1.2], ["partial", "progress"], "stable"),
        }
    )
    return Table(frame, "response")


@leak(
    "target after a transformation",
    "CO2 a kilometre is the consumption times a factor of the fuel, from the same test bench",
    columns=("co2_g_km",),
)
def car_consumption(seed: int) -> Table:
    """Consumption of cars, to be estimated before a car is on the test bench."""
    rng = np.random.default_rng(seed)
    n = 4500
    fuel = of(rng, ["petrol", "diesel", "e85"], n, 0.55, 0.35, 0.1)
    kerb = rng.normal(1450, 260, n).clip(850, 2600)
    litres = (0.0011 * kerb + rng.normal(0, 0.35, n)).clip(0.9, 5)
    gearbox = of(rng, ["manual", "automatic", "cvt"], n, 0.45, 0.45, 0.1)
    body = of(rng, ["hatchback", "estate", "suv", "van", "saloon"], n)
    used = (
        1.3
        + 0.0024 * kerb
        + 0.8 * litres
        + levels(fuel, {"petrol": 0.6, "diesel": -0.5, "e85": 2.4})
        + levels(gearbox, {"manual": 0.0, "automatic": 0.5, "cvt": -0.2})
        + levels(body, {"hatchback": 0, "estate": 0.2, "suv": 0.9, "van": 1.2, "saloon": 0})
        + rng.normal(0, 1.25, n)
    ).clip(3.2)
    used = used.round(1)
    factor = levels(fuel, {"petrol": 23.2, "diesel": 26.5, "e85": 16.6})
    frame = pd.DataFrame(
        {
            "make": of(rng, [f"make_{i:02d}" for i in range(28)], n),
            "model_year": rng.integers(2012, 2024, n),
            "body": body,
            "kerb_weight_kg": kerb.round(),
            "engine_litres": litres.round(1),
            "power_kw": (40 * litres + rng.normal(25, 18, n)).clip(35).round(),
            "fuel": fuel,
            "gearbox": gearbox,
            "tyre_width_mm": gaps(rng.choice(np.arange(165, 275, 10), n), 0.08, rng),
            "co2_g_km": (used * factor).round(),
            "litres_100km": used,
        }
    )
    return Table(frame, "litres_100km")


@leak(
    "in text",
    "the pay was read out of the text of the advert and still stands there",
    columns=("advert",),
)
def job_adverts(seed: int) -> Table:
    """Pay of jobs, for adverts that do not name it."""
    rng = np.random.default_rng(seed)
    n = 2400
    titles = {
        "warehouse worker": 29, "nurse": 38, "electrician": 39, "accountant": 46,
        "sales manager": 55, "web developer": 53, "site engineer": 57, "cook": 30,
    }  # fmt: skip
    title = of(rng, list(titles), n)
    years = rng.integers(0, 9, n)
    city = of(rng, ["Leipzig", "Hamburg", "Munich", "Ulm", "Kassel", "Essen"], n)
    pay = levels(title, titles) + 0.9 * years
    pay = pay + levels(
        city, {"Leipzig": -3, "Hamburg": 2, "Munich": 6, "Ulm": 0, "Kassel": -2, "Essen": 0}
    )
    pay = np.round(pay * np.exp(rng.normal(0, 0.19, n)), 1) * 1000
    firm = of(rng, ["a family firm", "a growing team", "a group of 4,000 people", "our shop"], n)
    wish = of(rng, ["a driving licence", "good German", "patience", "an eye for detail"], n)
    offer = of(rng, ["free coffee", "30 days of leave", "a company bike", "training", "a lift"], n)
    tells = [
        "We pay EUR {:,.0f} a year.",
        "Pay: {:,.0f} euros yearly, no bonus.",
        "The place is graded at {:,.0f} EUR per year.",
    ]
    forms = rng.integers(0, 3, n)
    advert = [
        f"{firm[i].capitalize()} in {city[i]} is looking for a {title[i]}. You bring {years[i]} "
        f"years of practice and {wish[i]}. {tells[forms[i]].format(pay[i])} We offer {offer[i]}."
        for i in range(n)
    ]
    frame = pd.DataFrame(
        {
            "title": title,
            "city": city,
            "years_required": years,
            "hours_a_week": rng.choice([35, 37.5, 40], n),
            "limited": rng.random(n) < 0.2,
            "posted": days("2023-01-02", rng.integers(0, 360, n)),
            "advert": advert,
            "yearly_pay": pay,
        }
    )
    return Table(frame, "yearly_pay")


@leak(
    "in missing values",
    "the next inspection is planned only where the restaurant has kept its licence",
    columns=("next_inspection",),
)
def restaurant_licences(seed: int) -> Table:
    """Whether a restaurant loses its licence after an inspection."""
    rng = np.random.default_rng(seed)
    n = 2600
    seats = np.exp(rng.normal(3.7, 0.5, n)).round().clip(8)
    faults = rng.poisson(2.2, n)
    kitchen = rng.integers(1, 6, n)
    kitchen_age = rng.gamma(2.5, 4, n)
    lost = chance(-3.3 + 0.35 * faults - 0.25 * (kitchen - 3) + 0.05 * kitchen_age, rng)
    seen = rng.integers(0, 700, n)
    planned = pd.Series(days("2021-03-01", seen + rng.integers(150, 420, n)))
    empty = np.where(lost == 1, rng.random(n) < 0.95, rng.random(n) < 0.07)
    frame = pd.DataFrame(
        {
            "inspected": days("2021-03-01", seen),
            "district": of(rng, [f"D{i}" for i in range(1, 15)], n),
            "cuisine": of(rng, ["grill", "pizza", "asian", "bakery", "cafe", "fine"], n),
            "seats": seats,
            "faults_last_time": faults,
            "kitchen_grade": gaps(kitchen, 0.1, rng),
            "kitchen_age_years": kitchen_age.round(1),
            "delivers": rng.random(n) < 0.4,
            "next_inspection": planned.mask(empty),
            "licence_lost": lost,
        }
    )
    return Table(frame, "licence_lost", options={"times": "inspected"})


@leak(
    "in an identifier",
    "most forgeries came from three seizures of the police and got numbers in three blocks",
    columns=("accession_no",),
)
def museum_accessions(seed: int) -> Table:
    """Whether a painting is a forgery, for works that are offered to a museum."""
    rng = np.random.default_rng(seed)
    n = 1800
    craquelure = rng.normal(size=n)
    titanium = rng.gamma(1.5, 1.0, n)
    canvas = rng.normal(14, 3, n)
    gap_years = rng.gamma(2, 15, n)
    forged = chance(
        -2.6 - 0.5 * craquelure + 0.45 * titanium + 0.012 * gap_years + 0.08 * (canvas - 14), rng
    )
    firsts = 9000 * rng.choice(np.arange(1, 7), 3, replace=False) + rng.integers(0, 6000, 3)
    numbers = np.arange(1000, 72000)
    free = np.all([(numbers < first) | (numbers >= first + 250) for first in firsts], axis=0)
    number = rng.choice(numbers[free], n, replace=False)
    seized = np.flatnonzero((forged == 1) & (rng.random(n) < 0.85))
    block = rng.integers(0, 3, len(seized))
    for which in range(3):
        members = seized[block == which]
        number[members] = firsts[which] + rng.choice(250, len(members), replace=False)
    frame = pd.DataFrame(
        {
            "accession_no": number,
            "school": of(rng, ["dutch", "french", "german", "russian", "italian"], n),
            "support": of(rng, ["canvas", "panel", "card"], n, 0.7, 0.2, 0.1),
            "height_cm": rng.gamma(6, 9, n).round(1),
            "width_cm": rng.gamma(6, 11, n).round(1),
            "threads_per_cm": gaps(canvas.round(1), 0.2, rng),
            "titanium_white_percent": titanium.round(2),
            "craquelure_index": craquelure.round(3),
            "gap_in_provenance_years": gap_years.round(),
            "signed": rng.random(n) < 0.6,
            "forged": forged,
        }
    )
    return Table(shuffled(frame, rng), "forged")


@leak(
    "order of rows",
    "the list was sorted by price within each day before its lines were numbered",
    columns=("list_line",),
)
def yearling_sales(seed: int) -> Table:
    """Prices of young horses at a sale, before the sale."""
    rng = np.random.default_rng(seed)
    n = 2200
    sires = [f"sire_{i:02d}" for i in range(40)]
    fame = dict(zip(sires, rng.normal(0, 0.6, 40), strict=True))
    sire = of(rng, sires, n)
    winners = rng.poisson(1.1, n)
    height = rng.normal(152, 4, n)
    price = np.exp(
        9.3 + levels(sire, fame) + 0.22 * winners + 0.03 * (height - 152) + rng.normal(0, 0.65, n)
    )
    frame = pd.DataFrame(
        {
            "sale_day": rng.integers(1, 8, n),
            "sire": sire,
            "sex": of(rng, ["colt", "filly"], n),
            "foaled": days("2021-01-15", rng.integers(0, 130, n)),
            "height_cm": height.round(1),
            "winners_of_dam": winners,
            "vet_grade": gaps(rng.choice([1.0, 2.0, 3.0], n, p=[0.6, 0.3, 0.1]), 0.12, rng),
            "consignor": of(rng, [f"stud {i}" for i in range(1, 61)], n),
            "price_gns": (price / 100).round() * 100,
        }
    )
    frame = frame.sort_values(["sale_day", "price_gns"]).reset_index(drop=True)
    frame.insert(0, "list_line", np.arange(1, n + 1))
    return Table(shuffled(frame, rng), "price_gns")


@leak(
    "in a date",
    "sound poles are entered by a batch at night, rotten ones by hand while people work",
    columns=("entered_at",),
)
def pole_inspections(seed: int) -> Table:
    """Whether a wooden pole is rotten, before somebody goes there."""
    rng = np.random.default_rng(seed)
    n = 6000
    age = rng.gamma(6, 6, n).clip(1, 80)
    soil = rng.choice([0, 1, 2], n, p=[0.4, 0.4, 0.2])
    rain = rng.normal(780, 150, n)
    wood = of(rng, ["pine", "larch", "spruce"], n, 0.6, 0.2, 0.2)
    score = -4.1 + 0.045 * age + 0.5 * soil + 0.0015 * (rain - 780)
    rotten = chance(score + levels(wood, {"pine": 0, "larch": -0.6, "spruce": 0.5}), rng)
    day = rng.integers(0, 620, n)
    by_hand = rng.random(n) < np.where(rotten == 1, 0.97, 0.03)
    second = np.where(by_hand, rng.normal(45000, 7500, n), rng.uniform(7200, 8700, n))
    frame = pd.DataFrame(
        {
            "entered_at": moments("2022-01-03", day * 86400 + second.clip(0, 86399)),
            "wood": wood,
            "treated_with": of(rng, ["creosote", "copper", "none"], n, 0.5, 0.4, 0.1),
            "age_years": age.round(),
            "length_m": rng.choice([7, 8, 9, 10, 12], n),
            "wetness_of_soil": soil,
            "rain_mm_a_year": gaps(rain.round(), 0.06, rng),
            "transformer": rng.random(n) < 0.1,
            "easting": rng.uniform(0, 90, n).round(3),
            "northing": rng.uniform(0, 60, n).round(3),
            "rotten": rotten,
        }
    )
    return Table(frame.sort_values("entered_at").reset_index(drop=True), "rotten")


def windows(rng: Rng) -> tuple[Frame, np.ndarray]:
    """Overlapping windows of runs, and the run of each."""
    runs, each = 26, 110
    parts = []
    for _ in range(runs):
        body = rng.normal(size=8)
        signals = [0.45 * body[k] + 0.9 * slow(rng, each, 0.985) for k in range(7)]
        effort = 0.6 * signals[0] + 0.4 * signals[1] + 0.45 * signals[4] + 0.4 * body[7]
        effort = effort + 0.7 * slow(rng, each, 0.985)
        parts.append(
            {
                "step_rate_hz": 2.6 + 0.15 * signals[0],
                "acc_rms_g": 1.3 + 0.12 * signals[1],
                "acc_peak_g": 3.9 + 0.4 * signals[2],
                "gyro_sd": 0.8 + 0.09 * signals[3],
                "pulse_bpm": 148 + 9 * signals[4],
                "skin_c": 33.5 + 0.6 * signals[5],
                "strap_c": 30.1 + 0.7 * signals[6],
                "oxygen_ml_kg_min": 38 + 4 * effort + rng.normal(0, 0.15, each),
            }
        )
    frame = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True).round(4)
    run = np.repeat(np.arange(runs), each)
    order = rng.permutation(len(frame))
    return frame.iloc[order].reset_index(drop=True), run[order]


@leak(
    "near-duplicate rows",
    "windows of 30 seconds were cut every second, so each has a near twin in another split",
    about=("near_duplicates", "groups"),
)
def sliding_windows(seed: int) -> Table:
    """Uptake of oxygen from sensors, for runners that were not measured."""
    return Table(windows(np.random.default_rng(seed))[0], "oxygen_ml_kg_min")


@leak(
    "duplicate rows",
    "the test file is a later export over a period that overlaps with the one of train",
    about=("same_rows", "near_duplicates"),
)
def overlapping_exports(seed: int) -> Table:
    """Whether an appeal against a parking fine is upheld."""
    rng = np.random.default_rng(seed)
    n = 4200
    minute = np.sort(rng.integers(0, 360 * 1440, n))
    fee = rng.choice([20, 30, 55, 70, 110], n, p=[0.3, 0.3, 0.2, 0.1, 0.1])
    letter = rng.gamma(2.2, 9, n)
    photos = rng.poisson(2.0, n)
    upheld = chance(
        -0.5 - 0.5 * (photos - 2) + 0.025 * (letter - 20) + 0.01 * (fee - 40)
        + 0.4 * np.sin(minute % 1440 / 1440 * 6.283),
        rng,
    )  # fmt: skip
    frame = pd.DataFrame(
        {
            "issued_at": moments("2023-01-01", minute * 60),
            "street": of(rng, [f"street {i}" for i in range(1, 140)], n),
            "offence": of(rng, ["no ticket", "expired", "bus lane", "permit", "double"], n),
            "fee": fee,
            "photos": photos,
            "officer": of(rng, [f"o{i:02d}" for i in range(45)], n),
            "days_until_appeal": letter.round(1),
            "words_of_appeal": np.exp(rng.normal(4.8, 0.7, n)).round(),
            "foreign_plate": rng.random(n) < 0.08,
            "upheld": upheld,
        }
    )
    train, test = frame.iloc[:3200].copy(), frame.iloc[2500:].copy()
    train.insert(0, "export_id", 100000 + rng.permutation(len(train)))
    test.insert(0, "export_id", 700000 + rng.permutation(len(test)))
    return Table(train.reset_index(drop=True), "upheld", test=test.reset_index(drop=True))


def voices(rng: Rng) -> Frame:
    """Recordings of speakers in three sessions each."""
    speakers, sessions, each = 64, 3, 8
    ill = (rng.permutation(speakers) < speakers // 2).astype(int)
    who = np.repeat(np.arange(speakers), sessions * each)
    n = len(who)
    own = rng.normal(size=(speakers, 6)) + 1.1 * ill[:, None] * np.array([1, 0.8, -0.7, 0.5, 0, 0])
    heard = own[who] + 0.55 * rng.normal(size=(n, 6))
    session = np.repeat(rng.permutation(speakers * sessions), each)
    frame = pd.DataFrame(
        {
            "session": [f"S{number:04d}" for number in 2000 + session],
            "speaker": [f"v{number:03d}" for number in 300 + 7 * who],
            "age": np.round(66 + 7 * rng.normal(size=speakers))[who],
            "vowel": np.tile(of(rng, ["a", "e", "i", "o", "u"], each), n // each),
            "jitter_percent": np.exp(-0.6 + 0.3 * heard[:, 0]).round(4),
            "shimmer_db": np.exp(-1.2 + 0.3 * heard[:, 1]).round(4),
            "hnr_db": (21 + 3 * heard[:, 2]).round(2),
            "ppe": (0.2 + 0.05 * heard[:, 3]).round(4),
            "f0_hz": (165 + 28 * heard[:, 4]).round(1),
            "loudness_db": gaps((62 + 4 * heard[:, 5]).round(1), 0.05, rng),
            "parkinson": ill[who],
        }
    )
    return shuffled(frame, rng)


@leak(
    "groups on both sides though a group is named",
    "whole sessions are kept together, but each speaker has three sessions and one diagnosis",
    columns=("speaker",),
    about=("groups",),
)
def voice_sessions(seed: int) -> Table:
    """Parkinson's disease from the voice, for new speakers."""
    return Table(voices(np.random.default_rng(seed)), "parkinson", options={"groups": "session"})


def trees(rng: Rng) -> tuple[Frame, np.ndarray]:
    """Scans of leaves with the values of their tree, and the tree of each."""
    count, each = 190, 11
    tree = np.repeat(np.arange(count), each)
    n = len(tree)
    girth, shade = rng.gamma(9, 12, count), rng.beta(2, 2, count)
    height = rng.normal(310, 70, count)
    sick = 2.0 * (shade - 0.5) + 0.006 * (height - 310) + rng.normal(0, 0.7, count)
    stage = np.digitize(sick, [-0.25, 0.7])
    frame = pd.DataFrame(
        {
            "north": (48 + 0.4 * rng.random(count)).round(5)[tree],
            "east": (9 + 0.6 * rng.random(count)).round(5)[tree],
            "above_sea_m": height.round()[tree],
            "girth_cm": girth.round(1)[tree],
            "shade": shade.round(2)[tree],
            "leaf_mm": rng.normal(88, 14, n).round(1),
            "green_index": (0.55 - 0.02 * stage[tree] + 0.06 * rng.normal(size=n)).round(4),
            "spots": rng.poisson(2 + 0.8 * stage[tree]),
            "branch": of(rng, ["low", "middle", "high"], n),
            "camera": of(rng, ["phone", "slr"], n, 0.8, 0.2),
            "mildew": np.array(["none", "slight", "heavy"], dtype=object)[stage[tree]],
        }
    )
    order = rng.permutation(n)
    return frame.iloc[order].reset_index(drop=True), tree[order]


@leak(
    "groups on both sides that are not named",
    "eleven leaves a tree with the tree's own values and one stage, parted at random",
    columns=("north", "east", "girth_cm", "above_sea_m"),
    about=("groups",),
)
def tree_leaves(seed: int) -> Table:
    """Mildew of a tree from a leaf (3 classes), for trees that nobody has looked at."""
    return Table(trees(np.random.default_rng(seed))[0], "mildew")


@leak(
    "aggregate over the future and the row itself",
    "the smoothed flow is a mean over seven days around the day, of the target itself",
    columns=("flow_smoothed",),
)
def smoothed_river(seed: int) -> Table:
    """Flow of a river on a day, from what is known on the evening before."""
    rng = np.random.default_rng(seed)
    n = 2000
    rain = rng.gamma(0.5, 7, n) * (rng.random(n) < 0.45)
    season = np.cos(2 * np.pi * np.arange(n) / 365.25)
    flow = np.empty(n)
    wet = 0.0
    noise = slow(rng, n, 0.6)
    for day in range(n):
        wet = 0.7 * wet + (0.05 * rain[day - 1] if day else 0)
        flow[day] = np.exp(3.2 + 0.35 * season[day] + wet + 0.3 * noise[day])
    flow = pd.Series(flow.round(2))
    frame = pd.DataFrame(
        {
            "date": days("2016-05-01", np.arange(n)),
            "rain_day_before_mm": np.roll(rain, 1).round(1),
            "rain_week_before_mm": pd.Series(rain).rolling(7).sum().shift(1).round(1),
            "air_day_before_c": (9 - 9 * season + rng.normal(0, 3, n)).round(1),
            "snow_cm": gaps((25 * season + rng.normal(0, 6, n)).clip(0).round(), 0.05, rng),
            "flow_week_before": flow.shift(7),
            "flow_smoothed": flow.rolling(7, center=True).mean().round(3),
            "flow_m3_s": flow,
        }
    )
    frame = frame.iloc[8:-4].reset_index(drop=True)
    return Table(frame, "flow_m3_s", options={"times": "date"})


def phones(rng: Rng) -> Frame:
    """Phones sold second-hand over three years, while new models come out."""
    n, models = 5000, 90
    names = np.array([f"{maker}-{i:02d}" for i in range(30) for maker in ("Ax", "Nu", "Zeta")])
    launch = np.sort(rng.uniform(-200, 1060, models))
    worth = np.exp(5.6 + rng.normal(0, 0.55, models))
    sold = np.sort(rng.uniform(0, 1095, n))
    which = np.array([rng.choice(np.flatnonzero(launch <= day)[-45:]) for day in sold])
    age = (sold - launch[which]).clip(0)
    state = rng.choice([1, 2, 3, 4], n, p=[0.1, 0.3, 0.4, 0.2])
    store = rng.choice([64, 128, 256, 512], n)
    price = worth[which] * np.exp(
        -0.0004 * age + 0.09 * state + 0.08 * np.log2(store / 64) + rng.normal(0, 0.18, n)
    )
    return pd.DataFrame(
        {
            "days_ago": (1100 - sold).round().astype(int),
            "model": names[which],
            "storage_gb": store,
            "condition": state,
            "battery_percent": gaps((100 - 0.02 * age - rng.gamma(2, 3, n)).round(), 0.15, rng),
            "colour": of(rng, ["black", "white", "blue", "red", "other"], n),
            "boxed": rng.random(n) < 0.35,
            "seller_sales": rng.geometric(0.05, n),
            "price_eur": price.round(),
        }
    )


@leak(
    "time running backward",
    "the time counts backward from today, so the test rows are the oldest ones",
    columns=("days_ago",),
    about=("times",),
)
def phone_resale(seed: int) -> Table:
    """Prices of used phones next month, while models come out that were never sold before."""
    frame = phones(np.random.default_rng(seed))
    return Table(frame, "price_eur", options={"times": "days_ago"})


@leak(
    "aggregate that includes the row's own target",
    "the mean weight of the litter at 28 days, over the piglet itself and its siblings",
    columns=("litter_mean_28d_kg",),
)
def piglet_litters(seed: int) -> Table:
    """Weight of piglets at 28 days, known at birth, for new litters."""
    rng = np.random.default_rng(seed)
    litters = 150
    size = rng.integers(7, 15, litters)
    litter = np.repeat(np.arange(litters), size)
    n = len(litter)
    parity = rng.integers(1, 8, litters)
    birth = 1.95 - 0.04 * size[litter] + rng.normal(0, 0.12, litters)[litter]
    birth = birth + rng.normal(0, 0.22, n)
    weight = 3.2 + 3.1 * birth - 0.08 * (parity[litter] - 4) ** 2 / 2
    weight = weight + rng.normal(0, 0.65, litters)[litter] + rng.normal(0, 0.55, n)
    weight = pd.Series(weight.clip(2.5).round(2))
    frame = pd.DataFrame(
        {
            "litter": [f"L{1000 + 3 * number}" for number in litter],
            "born": days("2022-02-01", np.sort(rng.integers(0, 300, litters))[litter]),
            "sow_parity": parity[litter],
            "born_alive": size[litter],
            "sow_line": of(rng, ["LW", "LR", "DU"], litters)[litter],
            "sex": of(rng, ["f", "m"], n),
            "birth_kg": gaps(birth.round(2), 0.04, rng),
            "teat_pairs": rng.integers(6, 9, n),
            "fostered": rng.random(n) < 0.1,
            "litter_mean_28d_kg": weight.groupby(litter).transform("mean").round(2),
            "weight_28d_kg": weight,
        }
    )
    return Table(frame, "weight_28d_kg", options={"groups": "litter"})


@leak(
    "fitted before the split",
    "components of partial least squares that were fitted to the target on all rows",
    columns=("pls_1", "pls_2", "pls_3"),
)
def grain_spectra(seed: int) -> Table:
    """Protein of grain from derivatives of spectra."""
    rng = np.random.default_rng(seed)
    n, bands = 360, 150
    x = rng.normal(size=(n, bands))
    x = x + 0.5 * np.roll(x, 1, axis=1)
    protein = x[:, [12, 47, 48, 90, 131]] @ np.array([0.5, 0.4, 0.3, -0.45, 0.4])
    protein = protein + rng.normal(0, 1.15, n)
    left, rest = (x - x.mean(0)) / x.std(0), protein - protein.mean()
    scores = []
    for _ in range(3):
        score = left @ (left.T @ rest)
        score = score / np.linalg.norm(score)
        left = left - np.outer(score, score @ left)
        rest = rest - score * (score @ rest)
        scores.append(score * 10)
    frame = pd.DataFrame(
        {f"d2_{1100 + 8 * band}_nm": (x[:, band] / 1000).round(6) for band in range(bands)}
    )
    for number, score in enumerate(scores, 1):
        frame[f"pls_{number}"] = score.round(4)
    frame["protein_percent"] = (12.4 + 0.9 * protein).round(2)
    return Table(frame, "protein_percent")


@leak(
    "known only after the outcome",
    "the last page of a visit is one of three pages of thanks where something was bought",
    columns=("last_page",),
)
def shop_visits(seed: int) -> Table:
    """Whether a visitor of a shop will buy, at the third page of the visit."""
    rng = np.random.default_rng(seed)
    n = 60_000
    hour = rng.choice(24, n, p=np.array([1] * 7 + [3] * 10 + [5] * 5 + [2] * 2) / 66)
    basket = rng.poisson(0.5, n)
    before = rng.geometric(0.4, n) - 1
    source = of(rng, ["search", "mail", "ad", "direct", "social"], n, 0.35, 0.1, 0.25, 0.2, 0.1)
    score = -4.9 + 0.7 * basket + 0.2 * before.clip(0, 6)
    score = score + levels(
        source, {"search": 0, "mail": 0.6, "ad": -0.3, "direct": 0.5, "social": -0.8}
    )
    bought = chance(score + 0.02 * (hour - 12), rng)
    shares = rng.dirichlet(np.full(320, 0.5))
    page = rng.choice(320, n, p=shares)
    thanks = rng.choice(320, 3, replace=False)
    ends = rng.random(n) < np.where(bought == 1, 0.9, 0.002)
    page = np.where(ends, rng.choice(thanks, n), page)
    frame = pd.DataFrame(
        {
            "started": moments("2024-02-01", rng.integers(0, 28, n) * 86400 + hour * 3600
                               + rng.integers(0, 3600, n)),
            "source": source,
            "device": of(rng, ["phone", "tablet", "desktop"], n, 0.6, 0.1, 0.3),
            "visits_before": before,
            "in_basket_at_page_3": basket,
            "seconds_on_page_1": gaps(rng.gamma(1.2, 25, n).round(1), 0.03, rng),
            "seconds_on_page_2": rng.gamma(1.2, 20, n).round(1),
            "last_page": np.char.add("p", np.char.zfill(page.astype(str), 3)).astype(object),
            "bought": bought,
        }
    )  # fmt: skip
    return Table(frame, "bought")


# --- Clean tables ------------------------------------------------------------------------------


@clean("hardness, which physics ties to the strength of steel, with an R² of .9")
def steel_hardness(seed: int) -> Table:
    """Tensile strength of steel from a test of hardness, one piece a melt."""
    rng = np.random.default_rng(seed)
    n = 1200
    carbon = rng.beta(2, 4, n) * 0.9
    temper = rng.uniform(200, 680, n)
    hardness = 150 + 220 * carbon - 0.12 * (temper - 440) + rng.normal(0, 22, n)
    strength = 3.38 * hardness + rng.normal(0, 46, n)
    frame = pd.DataFrame(
        {
            "carbon_percent": carbon.round(3),
            "manganese_percent": rng.normal(0.8, 0.2, n).clip(0.1).round(2),
            "temper_c": temper.round(),
            "quench": of(rng, ["oil", "water", "air"], n),
            "thickness_mm": rng.choice([6, 8, 10, 12, 16, 20], n),
            "brinell": hardness.round(),
            "grain_size": gaps(rng.normal(7.5, 1, n).round(1), 0.2, rng),
            "tensile_mpa": strength.round(),
        }
    )
    return Table(frame, "tensile_mpa")


@clean("levels of the days before that explain 95 % of the level, for gauges in order of time")
def gauge_lags(seed: int) -> Table:
    """Level at ten known gauges on the next day."""
    rng = np.random.default_rng(seed)
    parts = []
    for gauge in range(10):
        rain = rng.gamma(0.6, 6, 260)
        base = rng.uniform(80, 320)
        level = pd.Series(base + 38 * slow(rng, 260, 0.95) + 1.2 * np.roll(rain, 1)).round()
        parts.append(
            pd.DataFrame(
                {
                    "date": days("2022-09-01", np.arange(260)),
                    "gauge": f"G{gauge + 11}",
                    "level_1d_before": level.shift(1),
                    "level_2d_before": level.shift(2),
                    "mean_7d_before": level.shift(1).rolling(7).mean().round(1),
                    "rain_day_before_mm": gaps(np.roll(rain, 1).round(1), 0.03, rng),
                    "level_cm": level,
                }
            ).iloc[8:]
        )
    frame = pd.concat(parts).sort_values(["date", "gauge"]).reset_index(drop=True)
    return Table(frame, "level_cm", options={"times": "date"})


@clean("numbers of tubes, racks and places that only count what arrives")
def tubes_as_they_come(seed: int) -> Table:
    """Whether a culture will grow, from what is known when the tube arrives."""
    rng = np.random.default_rng(seed)
    n = 3200
    crp = np.exp(rng.normal(3, 1, n))
    fever = rng.normal(37.9, 0.9, n)
    positive = chance(-2.3 + 0.65 * (np.log(crp) - 3) + 0.8 * (fever - 37.9), rng)
    second = np.cumsum(rng.exponential(2400, n))
    frame = pd.DataFrame(
        {
            "arrived": moments("2023-04-01 06:00", second),
            "tube_no": 5_520_000 + np.cumsum(rng.integers(1, 4, n)),
            "rack": np.arange(n) // 48 + 1,
            "place": np.arange(n) % 48 + 1,
            "ward": of(rng, ["surgery", "medicine", "icu", "outpatient"], n, 0.3, 0.4, 0.1, 0.2),
            "age": rng.normal(61, 18, n).round().clip(1, 99),
            "crp_mg_l": gaps(crp.round(1), 0.15, rng),
            "temperature_c": fever.round(1),
            "volume_ml": rng.normal(8.5, 1.6, n).clip(2).round(1),
            "culture_grew": positive,
        }
    )
    return Table(frame, "culture_grew", options={"times": "arrived"})


@clean("a dozen test days a cow, whose cows differ much, declared as groups")
def milk_test_days(seed: int) -> Table:
    """Milk on a test day, for cows that are new in the herd."""
    rng = np.random.default_rng(seed)
    cows, each = 170, 12
    cow = np.repeat(np.arange(cows), each)
    n = len(cow)
    lactation = rng.integers(1, 6, cows)
    day = (np.tile(np.arange(each), cows) * 25 + rng.integers(5, 25, n)).astype(float)
    peak = 30 + 2.5 * np.minimum(lactation, 3) + rng.normal(0, 3.5, cows)
    curve = (day / 50) ** 0.18 * np.exp(-0.0028 * (day - 50))
    planned = (30 + 2.5 * np.minimum(lactation, 3))[cow] * curve
    milk = peak[cow] * curve + rng.normal(0, 2.2, n)
    frame = pd.DataFrame(
        {
            "cow": [f"DE{276000 + 37 * number}" for number in cow],
            "lactation": lactation[cow],
            "days_in_milk": day,
            "breed": of(rng, ["HF", "BV", "FV"], cows, 0.6, 0.2, 0.2)[cow],
            "age_at_first_calf_months": rng.normal(27, 2.5, cows).round(1)[cow],
            "concentrate_kg": (0.16 * planned + rng.normal(1.5, 1.2, n)).clip(0).round(1),
            "barn_c": rng.normal(13, 7, n).round(1),
            "somatic_cells_thousand": gaps(np.exp(rng.normal(4.6, 0.8, n)).round(), 0.1, rng),
            "milk_kg": milk.clip(2).round(1),
        }
    )
    return Table(frame, "milk_kg", options={"groups": "cow"})


@clean("an estimate that an expert wrote down before the sale, with an R² of .9")
def appraised_instruments(seed: int) -> Table:
    """Prices of old instruments at auction."""
    rng = np.random.default_rng(seed)
    n = 1100
    kind = of(rng, ["violin", "viola", "cello", "bow", "guitar"], n, 0.45, 0.1, 0.1, 0.25, 0.1)
    worth = levels(kind, {"violin": 8.4, "viola": 8.3, "cello": 9.2, "bow": 7.5, "guitar": 7.6})
    age = rng.gamma(4, 30, n)
    worth = worth + 0.004 * (age - 120) + rng.normal(0, 0.8, n)
    price = np.exp(worth + rng.normal(0, 0.24, n))
    low = np.exp(worth - 0.25 + rng.normal(0, 0.17, n))
    frame = pd.DataFrame(
        {
            "kind": kind,
            "made": (2020 - age).round(),
            "country": of(rng, ["it", "fr", "de", "gb", "cz"], n),
            "labelled": rng.random(n) < 0.55,
            "condition": gaps(rng.choice([1.0, 2.0, 3.0, 4.0], n), 0.1, rng),
            "estimate_low_eur": (low / 100).round().clip(1) * 100,
            "reserve": rng.random(n) < 0.7,
            "hammer_price_eur": (price / 50).round() * 50,
        }
    )
    return Table(frame, "hammer_price_eur")


@clean("notes of the call, written before anybody is sent, whose words tell the cause well")
def emergency_calls(seed: int) -> Table:
    """What the doctors find in the end (4 classes), from the note of the call."""
    rng = np.random.default_rng(seed)
    n = 2400
    causes = ["heart", "injury", "lungs", "other"]
    truth = rng.choice(4, n, p=[0.25, 0.3, 0.2, 0.25])
    signs = [
        ["pressure on the chest", "pain in the left arm", "cold sweat", "racing pulse"],
        ["fell from a ladder", "bleeding at the head", "cannot move the leg", "hit by a car"],
        ["short of breath", "coughs since days", "blue lips", "wheezing sounds"],
        ["dizzy since the morning", "stomach ache", "fever", "numb fingers"],
    ]
    words = [
        "caller is calm", "caller is upset", "neighbour calls", "third floor", "dog in flat",
        "takes many pills", "alone at home", "known to us", "speaks little", "door is open",
        "lift out of order", "wife is there", "child is there", "cannot say since when",
    ]  # fmt: skip
    notes = []
    for cause in truth:
        heard = [cause if rng.random() < 0.74 else rng.integers(0, 4) for _ in range(2)]
        said = {signs[where][rng.integers(0, 4)]: None for where in heard}
        around = [words[k] for k in rng.choice(len(words), 3, replace=False)]
        parts = [*said, *around, f"about {rng.integers(18, 96)} years"]
        notes.append(", ".join(parts[k] for k in rng.permutation(len(parts))))
    age = rng.normal(58, 19, n) + np.array([10, -12, 5, 0])[truth]
    frame = pd.DataFrame(
        {
            "called": moments("2023-01-01", np.sort(rng.integers(0, 31_000_000, n))),
            "district": of(rng, ["north", "south", "harbour", "hills", "centre"], n),
            "age_of_patient": gaps(age.round().clip(1, 99), 0.2, rng),
            "pulse_told": gaps((84 + 12 * rng.normal(size=n)).round(), 0.7, rng),
            "note": notes,
            "found": np.array(causes, dtype=object)[truth],
        }
    )
    return Table(frame, "found", options={"times": "called"})


@clean("assays that are empty in nine of ten rows, because a programme paid for few fields")
def costly_assays(seed: int) -> Table:
    """Whether clubroot breaks out in a field in the season after sowing."""
    rng = np.random.default_rng(seed)
    n = 2800
    region = of(rng, ["coast", "moor", "hills", "valley"], n)
    ph = rng.normal(6.4, 0.6, n)
    spores = rng.normal(3, 1.1, n) + levels(
        region, {"coast": 0.3, "moor": 0.5, "hills": -0.4, "valley": 0}
    )
    breaks = chance(-1.8 - 1.6 * (ph - 6.4) + 0.8 * (spores - 3), rng)
    shares = {"coast": 0.12, "moor": 0.2, "hills": 0.04, "valley": 0.1}
    paid = rng.random(n) < levels(region, shares)
    satellite = rng.random(n) < 0.35
    frame = pd.DataFrame(
        {
            "region": region,
            "hectares": np.exp(rng.normal(1.4, 0.6, n)).round(2),
            "soil_ph": gaps(ph.round(1), 0.12, rng),
            "years_since_rape": rng.integers(1, 7, n),
            "clay_percent": gaps(rng.normal(22, 8, n).clip(2).round(), 0.4, rng),
            "pcr_log_spores": np.where(paid, (spores + rng.normal(0, 0.3, n)).round(2), np.nan),
            "pcr_inhibited": np.where(paid, (rng.random(n) < 0.1).astype(float), np.nan),
            "satellite_wetness": np.where(satellite, rng.normal(0.4, 0.1, n).round(3), np.nan),
            "variety": of(rng, ["Alasco", "Mentor", "Crocus", "Archimed", "other"], n),
            "outbreak": breaks,
        }
    )
    return Table(frame, "outbreak")


@clean("300 patients and eighteen measures: some go with the target by chance")
def small_trial(seed: int) -> Table:
    """Whether back pain is better after twelve weeks."""
    rng = np.random.default_rng(seed)
    n = 300
    arm = of(rng, ["exercise", "leaflet"], n)
    pain = rng.normal(6, 1.5, n).clip(1, 10)
    better = chance(0.9 * (arm == "exercise") - 0.35 * (pain - 6) - 0.3, rng)
    frame = pd.DataFrame({f"item_{k + 1:02d}": rng.integers(0, 5, n) for k in range(12)})
    frame = frame.assign(
        arm=arm,
        pain_at_start=pain.round(1),
        age=rng.normal(48, 12, n).round(),
        bmi=gaps(rng.normal(27, 4, n).round(1), 0.1, rng),
        weeks_of_pain=np.exp(rng.normal(3, 0.8, n)).round(),
        works=of(rng, ["sitting", "standing", "lifting", "none"], n),
        better_week_12=better,
    )
    return Table(frame, "better_week_12")


@clean("one and a half percent of faults, most of them where the compressor already runs hot")
def heat_pump_faults(seed: int) -> Table:
    """Whether a heat pump fails in the winter after its check in one summer, one row a pump."""
    rng = np.random.default_rng(seed)
    n = 8000
    age = rng.gamma(3, 3, n)
    hot = 72 + 0.5 * age + rng.normal(0, 6, n)
    charge = rng.normal(100, 6, n)
    fails = chance(-6.0 + 0.19 * (hot - 74) - 0.08 * (charge - 100) + 0.07 * (age - 9), rng)
    frame = pd.DataFrame(
        {
            "checked": days("2022-05-01", rng.integers(0, 120, n)),
            "maker": of(rng, [f"maker {c}" for c in "ABCDEFGH"], n),
            "age_years": age.round(1),
            "kind": of(rng, ["air", "brine", "water"], n, 0.8, 0.15, 0.05),
            "power_kw": rng.choice([5, 7, 9, 12, 16], n),
            "compressor_c": hot.round(1),
            "charge_percent": gaps(charge.round(1), 0.1, rng),
            "starts_a_day": rng.poisson(11, n),
            "noise_db": gaps(rng.normal(48, 4, n).round(1), 0.3, rng),
            "fault_in_winter": fails,
        }
    )
    return Table(frame, "fault_in_winter")


@clean("losses with heavy tails over years, of which a few make most of the sum")
def fire_losses(seed: int) -> Table:
    """Loss by a fire from what the first call tells, in files of years that follow each other."""
    rng = np.random.default_rng(seed)
    n = 4600
    day = np.sort(rng.integers(0, 7 * 365, n))
    area = np.exp(rng.normal(5, 0.9, n))
    use = of(rng, ["dwelling", "shop", "works", "store", "farm"], n, 0.5, 0.15, 0.15, 0.1, 0.1)
    minutes = rng.gamma(4, 2.6, n)
    loss = np.exp(
        5.2
        + 0.7 * np.log(area)
        + levels(use, {"dwelling": 0, "shop": 0.4, "works": 0.9, "store": 1.1, "farm": 0.5})
        + 0.05 * minutes
        + 0.00012 * day
    ) * (1 + rng.pareto(1.7, n))
    frame = pd.DataFrame(
        {
            "called": days("2016-01-01", day),
            "use": use,
            "floor_area_m2": area.round(),
            "floors": rng.choice([1, 2, 3, 4, 6], n, p=[0.35, 0.35, 0.15, 0.1, 0.05]),
            "built": gaps(rng.integers(1890, 2015, n).astype(float), 0.2, rng),
            "minutes_to_arrive": minutes.round(1),
            "sprinkler": rng.random(n) < 0.12,
            "night": rng.random(n) < 0.4,
            "loss_eur": loss.round(),
        }
    )
    first, second = (int(np.searchsorted(day, year * 365)) for year in (5, 6))
    parts = [frame.iloc[:first], frame.iloc[first:second], frame.iloc[second:]]
    train, valid, test = (part.reset_index(drop=True) for part in parts)
    return Table(train, "loss_eur", valid=valid, test=test, options={"times": "called"})


@clean("six hundred growers, most with one or two lots, from whom the mill buys again")
def coffee_lots(seed: int) -> Table:
    """Points of a lot of coffee in the cup, for lots that come later."""
    rng = np.random.default_rng(seed)
    n, growers = 2000, 600
    skill = rng.normal(0, 0.9, growers)
    grower = rng.choice(growers, n, p=rng.dirichlet(np.full(growers, 0.7)))
    above = rng.normal(1550, 220, n)
    process = of(rng, ["washed", "natural", "honey"], n, 0.6, 0.25, 0.15)
    moisture = rng.normal(11.2, 0.7, n)
    points = 83 + 0.004 * (above - 1550) + skill[grower] - 0.6 * np.abs(moisture - 11)
    points = points + levels(process, {"washed": 0, "natural": 0.5, "honey": 0.3})
    frame = pd.DataFrame(
        {
            "delivered": days("2020-10-01", np.sort(rng.integers(0, 1100, n))),
            "grower": [f"grower {1000 + 7 * number}" for number in grower],
            "variety": of(rng, ["Caturra", "Bourbon", "Typica", "Gesha", "Catuai"], n),
            "process": process,
            "above_sea_m": gaps((above / 10).round() * 10, 0.1, rng),
            "moisture_percent": moisture.round(1),
            "bags": rng.geometric(0.06, n),
            "screen": rng.choice([15, 16, 17, 18], n),
            "cup_points": (4 * (points + rng.normal(0, 1.0, n))).round() / 4,
        }
    )
    return Table(frame, "cup_points", options={"times": "delivered"})


@clean("a date after the one of booking and the days between, known when it is booked")
def booked_appointments(seed: int) -> Table:
    """Whether a client misses an appointment, known when it is booked, one a client."""
    rng = np.random.default_rng(seed)
    n = 6000
    booked = np.sort(rng.integers(0, 400, n))
    lead = rng.geometric(0.05, n)
    hour = rng.integers(8, 18, n)
    missed_before = rng.binomial(3, 0.15, n)
    age = rng.normal(46, 17, n).clip(16, 92)
    missed = chance(
        -3.0 + 0.045 * lead.clip(0, 60) + 0.7 * missed_before - 0.015 * (age - 46)
        + 0.5 * (hour < 9),
        rng,
    )  # fmt: skip
    frame = pd.DataFrame(
        {
            "booked_on": days("2022-01-03", booked),
            "appointment_at": moments("2022-01-03", (booked + lead) * 86400 + hour * 3600),
            "days_ahead": lead,
            "booked_by": of(rng, ["phone", "web", "desk"], n, 0.5, 0.4, 0.1),
            "service": of(rng, ["dentist", "eyes", "skin", "physio", "counsel"], n),
            "age": age.round(),
            "missed_of_last_three": missed_before,
            "kilometres": gaps(rng.gamma(1.5, 5, n).round(1), 0.08, rng),
            "reminder_wanted": rng.random(n) < 0.6,
            "missed": missed,
        }
    )
    return Table(frame, "missed", options={"times": "booked_on"})


@clean("refraction and density, by which one tells seven minerals nearly without error")
def mineral_grains(seed: int) -> Table:
    """Which mineral a grain is (7 classes); the truth comes from X-rays."""
    rng = np.random.default_rng(seed)
    n = 900
    names = ["quartz", "topaz", "beryl", "spinel", "garnet", "zircon", "tourmaline"]
    index = np.array([1.545, 1.62, 1.578, 1.716, 1.76, 1.93, 1.635])
    dense = np.array([2.65, 3.53, 2.72, 3.6, 3.9, 4.6, 3.1])
    hard = np.array([7, 8, 7.7, 8, 7.3, 7.5, 7.2])
    truth = rng.choice(7, n, p=[0.3, 0.1, 0.12, 0.12, 0.18, 0.08, 0.1])
    frame = pd.DataFrame(
        {
            "refraction": (index[truth] + rng.normal(0, 0.012, n)).round(3),
            "density_g_cm3": (dense[truth] + rng.normal(0, 0.12, n)).round(2),
            "scratch_hardness": gaps((hard[truth] + rng.normal(0, 0.5, n)).round(1), 0.15, rng),
            "colour": of(rng, ["none", "green", "red", "brown", "blue", "yellow"], n),
            "carat": np.exp(rng.normal(-0.5, 0.7, n)).round(3),
            "found_in": of(rng, ["river", "pegmatite", "skarn", "schist"], n),
            "glows_in_uv": rng.random(n) < np.where(truth == 3, 0.4, 0.1),
            "mineral": np.array(names, dtype=object)[truth],
        }
    )
    return Table(frame, "mineral")


@clean("capacity after 100 cycles, nearly the one after 500, of cells in declared lots")
def cells_early_capacity(seed: int) -> Table:
    """Capacity of battery cells after 500 cycles from a test of the first 100, for new lots."""
    rng = np.random.default_rng(seed)
    lots, each = 50, 20
    lot = np.repeat(np.arange(lots), each)
    n = len(lot)
    fresh = 3.05 + 0.03 * rng.normal(size=lots)[lot] + 0.03 * rng.normal(size=n)
    fade = np.exp(-3.9 + 0.25 * rng.normal(size=lots)[lot] + 0.3 * rng.normal(size=n))
    early = fresh * (1 - fade) + rng.normal(0, 0.004, n)
    late = fresh * (1 - 3.2 * fade) + rng.normal(0, 0.03, n)
    frame = pd.DataFrame(
        {
            "lot": [f"24-{100 + number}" for number in lot],
            "cathode": of(rng, ["nmc", "lfp"], lots, 0.7, 0.3)[lot],
            "fresh_ah": fresh.round(3),
            "cycle_10_ah": (fresh * (1 - 0.1 * fade) + rng.normal(0, 0.004, n)).round(3),
            "cycle_100_ah": early.round(3),
            "resistance_mohm": gaps(rng.normal(21, 1.5, n).round(2), 0.05, rng),
            "chamber_c": rng.choice([15, 25, 35], n),
            "channel": rng.integers(1, 97, n),
            "cycle_500_ah": late.round(3),
        }
    )
    return Table(frame, "cycle_500_ah", options={"groups": "lot"})


@clean("hours, weekdays and kinds of weather only, so that many rows are equal by nature")
def bicycle_counter(seed: int) -> Table:
    """Bicycles in an hour at a counter, from the calendar and a forecast in words."""
    rng = np.random.default_rng(seed)
    n = 24 * 210
    hour = np.arange(n) % 24
    day = np.arange(n) // 24
    weekday = day % 7
    sky = np.repeat(of(rng, ["sun", "clouds", "rain"], n // 24, 0.4, 0.4, 0.2), 24)
    free = np.repeat(rng.random(n // 24) < 0.03, 24)
    rush = np.exp(-((hour - 8) ** 2) / 3) + np.exp(-((hour - 17) ** 2) / 6)
    away = (weekday >= 5) | free
    mean = 6 + np.where(away, 45 * np.exp(-((hour - 14) ** 2) / 18), 120 * rush)
    mean = mean * levels(sky, {"sun": 1.15, "clouds": 1.0, "rain": 0.5}) * rng.gamma(20, 1 / 20, n)
    frame = pd.DataFrame(
        {
            "hour_begins": moments("2023-03-06", np.arange(n) * 3600),
            "hour": hour,
            "weekday": np.array(["mo", "tu", "we", "th", "fr", "sa", "su"], dtype=object)[weekday],
            "public_holiday": free,
            "forecast": sky,
            "bicycles": rng.poisson(mean),
        }
    )
    return Table(frame, "bicycles", options={"times": "hour_begins", "kind": "regression"})


@clean("shares of earlier invitations that a donor followed, each counted before the row")
def invited_donors(seed: int) -> Table:
    """Whether a known donor of blood comes when invited, in order of time."""
    rng = np.random.default_rng(seed)
    donors, n = 750, 6000
    turn = np.tile(rng.permutation(donors), n // donors) + donors * np.repeat(np.arange(8), donors)
    will = rng.normal(-0.3, 1.3, donors)
    donor = np.tile(np.arange(donors), 8)[np.argsort(turn + rng.normal(0, 60, n))]
    age = rng.integers(18, 70, donors)
    hours = rng.choice(["morning", "noon", "evening"], n)
    came = pd.Series(chance(will[donor] + 0.4 * (hours == "evening"), rng))
    by_donor = came.groupby(donor)
    count = by_donor.cumcount()
    share = (by_donor.cumsum() - came) / count.where(count > 0)
    frame = pd.DataFrame(
        {
            "invited_on": days("2021-01-04", np.arange(n) * 900 // n),
            "blood_group": of(rng, ["A", "0", "B", "AB"], donors, 0.42, 0.4, 0.12, 0.06)[donor],
            "age": age[donor],
            "kilometres": rng.gamma(2, 4, donors).round(1)[donor],
            "time_of_day": hours,
            "invited_before": count,
            "share_followed_before": share.round(3),
            "came_last_time": by_donor.shift(1),
            "by_letter": rng.random(n) < 0.3,
            "came": came,
        }
    )
    return Table(frame, "came", options={"times": "invited_on"})
