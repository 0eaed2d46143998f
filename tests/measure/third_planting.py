"""Thirty tables with one leak each and thirty clean ones, written without reading the guard.

Each function takes a seed and gives a Table: what a practitioner would hand to `make_task`. A leak
says in one sentence what is leaked, and which columns a finding must name or what it must be about.
"""

from __future__ import annotations

import uuid

import numpy as np
import pandas as pd

from tests.measure.planting import (
    Frame,
    Planted,
    Table,
    chance,
    cut,
    days,
    gaps,
    sentence,
    shuffled,
)

planted = Planted()
leak, clean = planted.leak, planted.clean


# --- Thirty leaks ------------------------------------------------------------------------------


@leak(
    "gaps tell",
    "`days_to_next_admission` is known only after a next admission: it is empty for most patients"
    " who did not come back, and at most 30 for those who did.",
    columns=("days_to_next_admission",),
)
def hospital_readmission(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1000)
    n = 2400
    age = np.clip(rng.normal(66, 14, n), 18, 98).round()
    stay = rng.gamma(2.2, 2.1, n).round() + 1
    prior = rng.poisson(0.9, n)
    ward = rng.choice(
        ["cardiology", "general", "surgery", "geriatrics"], n, p=[0.3, 0.35, 0.2, 0.15]
    )
    readmitted = chance(-2.2 + 0.012 * (age - 60) + 0.45 * prior + 0.06 * stay, rng)
    soon, late = rng.integers(1, 31, n), rng.integers(31, 400, n)
    later = np.where(rng.random(n) < 0.25, late, np.nan)
    gap = np.where(readmitted == 1, soon, later)
    frame = Frame(
        {
            "age": age,
            "ward": ward,
            "length_of_stay": stay,
            "prior_admissions": prior,
            "hba1c": gaps(rng.normal(6.4, 1.1, n).round(1), 0.35, rng),
            "discharge_weekday": rng.integers(0, 7, n),
            "days_to_next_admission": gap,
            "readmitted_30d": readmitted,
        }
    )
    return Table(frame, "readmitted_30d")


@leak(
    "written after the outcome",
    "`recoveries` is the money that was collected after a loan was charged off: 0 for every loan"
    " that was paid back.",
    columns=("recoveries",),
)
def lending_recoveries(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1100)
    n = 3000
    income = rng.lognormal(10.9, 0.5, n).round(-2)
    amount = (rng.gamma(3, 4500, n) / 25).round() * 25 + 1000
    dti = np.clip(rng.normal(18, 8, n), 0, 45).round(2)
    grade = np.clip((rng.normal(2.5, 1.3, n) + dti / 30).round(), 0, 6).astype(int)
    default = chance(-3.1 + 0.42 * grade + 0.03 * dti, rng)
    collected = (amount * rng.beta(1.3, 6, n)).round(2)
    frame = Frame(
        {
            "loan_amnt": amount,
            "annual_inc": income,
            "dti": dti,
            "grade": np.array(list("ABCDEFG"))[grade],
            "purpose": rng.choice(["debt_consolidation", "credit_card", "car", "house"], n),
            "emp_length": gaps(rng.integers(0, 11, n), 0.06, rng),
            "revol_util": np.clip(rng.normal(53, 24, n), 0, 110).round(1),
            "recoveries": np.where((default == 1) & (rng.random(n) < 0.75), collected, 0.0),
            "loan_status": np.where(default == 1, "Charged Off", "Fully Paid"),
        }
    )
    return Table(frame, "loan_status")


@leak(
    "gaps of a category tell",
    "`lifeboat` was written down for passengers who were picked up: the field is filled for nearly"
    " all survivors and for few others.",
    columns=("lifeboat",),
)
def ferry_lifeboat(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1200)
    n = 1300
    sex = rng.choice(["male", "female"], n, p=[0.62, 0.38])
    deck = rng.choice([1, 2, 3], n, p=[0.25, 0.2, 0.55])
    age = gaps(np.clip(rng.normal(31, 14, n), 1, 78).round(), 0.2, rng)
    survived = chance(0.6 + 2.1 * (sex == "female") - 0.85 * deck, rng)
    boat = rng.choice([str(i) for i in range(1, 17)] + ["A", "B", "C", "D"], n)
    written = rng.random(n) < np.where(survived == 1, 0.96, 0.02)
    frame = Frame(
        {
            "deck": deck,
            "sex": sex,
            "age": age,
            "siblings": rng.poisson(0.5, n),
            "fare": (rng.lognormal(3.6, 0.7, n) / deck).round(2),
            "port": rng.choice(["S", "C", "Q"], n, p=[0.7, 0.2, 0.1]),
            "lifeboat": np.where(written, boat, None),
            "survived": survived,
        }
    )
    return Table(frame, "survived")


@leak(
    "file name",
    "`image` is a file name that the curators made from the diagnosis, for 85 % of the pictures.",
    columns=("image",),
)
def lesion_file_names(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1300)
    n = 1500
    label = rng.choice(["nevus", "melanoma", "keratosis"], n, p=[0.6, 0.25, 0.15])
    number = rng.permutation(90_000)[:n] + 10_000
    short = {"nevus": "nv", "melanoma": "mel", "keratosis": "bkl"}
    worse = (label == "melanoma").astype(float)
    image = [
        f"derm/2019/img_{i}_{short[name]}.jpg" if rng.random() < 0.85 else f"derm/2019/img_{i}.jpg"
        for i, name in zip(number, label, strict=True)
    ]
    frame = Frame(
        {
            "image": image,
            "age_approx": (rng.normal(50 + 8 * worse, 16) / 5).round().clip(1, 18) * 5,
            "site": rng.choice(["torso", "head", "leg", "arm"], n),
            "asymmetry": rng.beta(2 + worse, 4, n).round(3),
            "border_irregularity": rng.gamma(2 + worse, 0.3, n).round(3),
            "mean_red": rng.normal(142, 25, n).round(1),
            "mean_blue": rng.normal(101 - 8 * worse, 24).round(1),
            "diagnosis": label,
        }
    )
    return Table(frame, "diagnosis")


@leak(
    "order of ids",
    "`record_no` was counted up while two exports were joined, each with its cases first: ranges"
    " of numbers are nearly pure.",
    columns=("record_no",),
)
def joined_exports(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1400)
    n = 2000
    parts = []
    for site, (cases, controls) in {"north": (260, 700), "south": (240, 800)}.items():
        y = np.r_[np.ones(cases, int), np.zeros(controls, int)]
        late = rng.random(len(y)) < 0.03
        y[late] = rng.permutation(y[late])
        parts.append(Frame({"site": site, "sepsis": y}))
    frame = pd.concat(parts, ignore_index=True)
    y = frame["sepsis"].to_numpy()
    frame["record_no"] = 40_000 + np.arange(n) * 3 + rng.integers(0, 3, n)
    frame["heart_rate"] = rng.normal(84 + 9 * y, 15).round()
    frame["temperature"] = rng.normal(37.1 + 0.4 * y, 0.7).round(1)
    frame["white_cells"] = gaps(rng.lognormal(2.1 + 0.25 * y, 0.4).round(1), 0.1, rng)
    frame["lactate"] = gaps(rng.lognormal(0.2 + 0.35 * y, 0.5).round(1), 0.3, rng)
    frame["sex"] = rng.choice(["f", "m"], n)
    return Table(shuffled(frame, rng), "sepsis")


@leak(
    "same rows",
    "Fraud rows were copied until the classes were balanced, and only then the table was cut:"
    " copies of nearly all fraud rows of valid are in train.",
    about=("rows", "duplicate", "identical", "copies", "same"),
)
def oversampled_before_cut(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1500)
    n = 1500
    amount = rng.lognormal(3.6, 1.1, n).round(2)
    hour = rng.integers(0, 24, n)
    fraud = chance(-3.2 + 0.35 * np.log(amount) - 0.4 * (hour > 7), rng)
    frame = Frame(
        {
            "amount": amount,
            "hour": hour,
            "merchant_category": rng.choice(["5411", "5812", "5999", "4829", "7995"], n),
            "distance_from_home_km": rng.gamma(1.1, 14, n).round(1),
            "card_age_months": rng.integers(0, 120, n),
            "country": rng.choice(["DE", "FR", "NL", "US"], n, p=[0.6, 0.2, 0.15, 0.05]),
            "is_fraud": fraud,
        }
    )
    test, rest = cut(frame, rng, 0.15)
    rare = rest[rest["is_fraud"] == 1]
    more = rare.sample(len(rest) - 2 * len(rare), replace=True, random_state=seed)
    train, valid = cut(pd.concat([rest, more]), rng, 0.8)
    return Table(train, "is_fraud", valid, test)


@leak(
    "nearly same rows",
    "Windows of the rarer activities were augmented with three jittered copies each before the"
    " cut, so rows of valid differ from rows of train in the third digit only.",
    about=("rows", "duplicate", "identical", "copies", "same", "near", "similar"),
)
def jittered_before_cut(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1600)
    n = 900
    label = rng.choice(["walk", "sit", "stairs", "run"], n, p=[0.5, 0.3, 0.12, 0.08])
    level = pd.Series(label).map({"walk": 1.0, "sit": 0.1, "stairs": 1.2, "run": 2.1}).to_numpy()
    frame = Frame(
        {
            "acc_mean": rng.normal(9.8 + 0.1 * level, 0.25),
            "acc_std": rng.gamma(3, 0.15 + 0.25 * level),
            "acc_peak": rng.gamma(4, 0.4 + 0.5 * level),
            "gyro_energy": rng.gamma(2, 0.5 + level),
            "dominant_hz": rng.normal(0.6 + 0.8 * level, 0.5),
            "tilt": rng.normal(12, 9, n),
            "activity": label,
        }
    )
    numbers = [c for c in frame if c != "activity"]
    rare = frame[frame["activity"].isin(["stairs", "run"])]
    copies = [frame]
    for _ in range(3):
        jittered = rare.copy()
        noise = rng.normal(0, 0.004, (len(rare), len(numbers)))
        jittered[numbers] = rare[numbers].to_numpy() + noise * frame[numbers].std().to_numpy()
        copies.append(jittered)
    whole = pd.concat(copies, ignore_index=True)
    whole[numbers] = whole[numbers].round(4)
    return Table(shuffled(whole, rng), "activity")


@leak(
    "groups on both sides",
    "Valid was cut by patient, but the test file of the other department holds the same patients"
    " as train, whose diagnosis never changes.",
    columns=("patient_id",),
    about=("group", "owner", "patient"),
)
def patients_in_test(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1700)
    people, visits = 420, 5
    base = rng.normal(0, 1, (people, 4))
    sick = chance(-0.4 + 0.9 * base[:, 0], rng)
    who = np.repeat(np.arange(people), visits)
    wobble = rng.normal(0, 0.5, (len(who), 4))
    signs = base[who] + wobble
    frame = Frame(
        {
            "patient_id": [f"P{1000 + i * 7}" for i in who],
            "visit": np.tile(np.arange(1, visits + 1), people),
            "jitter_pct": np.exp(-5 + 0.4 * signs[:, 0]).round(5),
            "shimmer_db": np.exp(-1.2 + 0.3 * signs[:, 1]).round(3),
            "hnr": (21 + 3 * signs[:, 2]).round(2),
            "pitch_hz": (150 + 30 * signs[:, 3]).round(1),
            "parkinson": sick[who],
        }
    )
    own = who >= 340
    rest = frame[~own]
    is_test = rng.random(len(rest)) < 0.2
    return Table(
        rest[~is_test].reset_index(drop=True),
        "parkinson",
        frame[own].reset_index(drop=True),
        rest[is_test].reset_index(drop=True),
    )


@leak(
    "hidden groups",
    "Five samples come from each bore hole, with the same coordinates and nearly the same clay"
    " content; the cut at random puts one hole on both sides.",
    columns=("latitude", "longitude"),
    about=("group", "owner", "place"),
)
def bore_holes(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1800)
    holes, each = 320, 5
    which = np.repeat(np.arange(holes), each)
    clay = rng.gamma(4, 6, holes)
    latitude, longitude = rng.uniform(51.2, 53.4, holes), rng.uniform(9.1, 12.8, holes)
    n = len(which)
    frame = Frame(
        {
            "latitude": latitude.round(5)[which],
            "longitude": longitude.round(5)[which],
            "depth_cm": np.tile([10, 30, 60, 100, 150], holes),
            "ph": rng.normal(6.2, 0.7, n).round(1),
            "organic_carbon": rng.lognormal(0.4, 0.5, n).round(2),
            "bulk_density": rng.normal(1.35 - 0.002 * clay[which], 0.1).round(2),
            "land_use": rng.choice(["arable", "grass", "forest"], holes)[which],
            "clay_pct": (clay[which] + rng.normal(0, 1.2, n)).clip(0.5).round(1),
        }
    )
    train, valid, test = cut(frame, rng, 0.7, 0.15)
    return Table(train, "clay_pct", valid, test)


@leak(
    "time runs backward",
    "Valid and test are weeks before those of train: the model is judged on a past that it already"
    " knows the future of.",
    columns=("week",),
    about=("time", "backward", "later", "past", "future"),
)
def backward_weeks(seed: int) -> Table:
    rng = np.random.default_rng(seed + 1900)
    weeks, stores = 120, 14
    level = np.cumsum(rng.normal(0, 0.05, weeks))
    own = rng.normal(7, 0.4, stores)
    week, store = np.repeat(np.arange(weeks), stores), np.tile(np.arange(stores), weeks)
    n = len(week)
    promo = rng.random(n) < 0.2
    sales = np.exp(own[store] + level[week] + 0.25 * promo + rng.normal(0, 0.12, n)).round()
    frame = Frame(
        {
            "week": days("2022-01-03", 7 * week),
            "store": [f"S{i:02d}" for i in store],
            "promo": promo.astype(int),
            "temperature": (10 + 9 * np.sin(week / 52 * 6.28) + rng.normal(0, 3, n)).round(1),
            "competitor_price": rng.normal(2.4, 0.2, n).round(2),
            "sales": sales,
        }
    )
    early, middle = frame[week < 18], frame[(week >= 18) & (week < 36)]
    late = frame[week >= 36].reset_index(drop=True)
    options = {"times": "week"}
    return Table(
        late, "sales", middle.reset_index(drop=True), early.reset_index(drop=True), options
    )


@leak(
    "target encoding of all rows",
    "`zip_default_rate` is the mean of the target by zip code over all rows, the row itself among"
    " them, with two or three rows a zip code.",
    columns=("zip_default_rate",),
)
def zip_encoded(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2000)
    n = 3000
    code = rng.integers(0, 1250, n)
    income = rng.lognormal(10.4, 0.45, n).round(-2)
    limit = (rng.gamma(2, 2500, n) / 100).round() * 100 + 500
    late = rng.poisson(0.5, n)
    default = chance(-1.5 + 0.6 * late - 0.4 * (np.log(income) - 10.4), rng)
    rate = pd.Series(default).groupby(code).transform("mean").round(3)
    frame = Frame(
        {
            "income": income,
            "credit_limit": limit,
            "late_payments_12m": late,
            "age": rng.integers(21, 75, n),
            "housing": rng.choice(["own", "rent", "mortgage"], n),
            "zip_default_rate": rate,
            "default": default,
        }
    )
    return Table(frame, "default")


@leak(
    "aggregate over the future",
    "`customer_returns` counts all returns of the customer in the export, this order and later"
    " ones among them.",
    columns=("customer_returns",),
)
def counted_returns(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2100)
    customers = 900
    orders = rng.integers(1, 7, customers)
    who = np.repeat(np.arange(customers), orders)
    n = len(who)
    habit = rng.normal(0, 0.7, customers)
    price = rng.lognormal(3.5, 0.6, n).round(2)
    category = rng.choice(["shoes", "dress", "shirt", "bag"], n)
    returned = chance(-1.6 + habit[who] + 0.8 * (category == "shoes") + 0.003 * price, rng)
    frame = Frame(
        {
            "customer_id": who + 100_000,
            "category": category,
            "price": price,
            "discount": rng.choice([0, 10, 20, 30], n, p=[0.6, 0.2, 0.15, 0.05]),
            "payment": rng.choice(["card", "invoice", "paypal"], n),
            "customer_orders": orders[who],
            "customer_returns": pd.Series(returned).groupby(who).transform("sum"),
            "returned": returned,
        }
    )
    return Table(shuffled(frame, rng), "returned", options={"groups": "customer_id"})


@leak(
    "product of two columns",
    "`price_per_m2` was computed from the price: times `living_area` it gives the target, but for"
    " rounding.",
    columns=("price_per_m2",),
)
def flat_prices(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2200)
    n = 1800
    area = rng.gamma(9, 9, n).round() + 18
    district = rng.choice(["Altstadt", "Nord", "West", "Hafen", "Süd"], n)
    worth = pd.Series(district).map(
        {"Altstadt": 5200, "Nord": 3100, "West": 3900, "Hafen": 4600, "Süd": 3500}
    )
    price = area * worth.to_numpy() * rng.lognormal(0, 0.28, n)
    price = (price / 500).round() * 500
    frame = Frame(
        {
            "district": district,
            "living_area": area,
            "rooms": np.clip((area / 27 + rng.normal(0, 0.6, n)).round(), 1, 8),
            "floor": rng.integers(0, 9, n),
            "built": gaps(rng.integers(1890, 2022, n), 0.08, rng),
            "balcony": rng.integers(0, 2, n),
            "price_per_m2": (price / area / 10).round() * 10,
            "price": price,
        }
    )
    return Table(frame, "price")


@leak(
    "sum of columns",
    "`total_amount` contains the tip: less fare, tolls and fees it is the target.",
    columns=("total_amount",),
)
def taxi_tips(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2300)
    n = 2500
    distance = rng.gamma(1.6, 2.2, n).round(2) + 0.3
    fare = (3 + 2.6 * distance + rng.gamma(1, 2, n)).round(1)
    tolls = np.where(rng.random(n) < 0.09, 6.55, 0.0)
    fees = rng.choice([0.5, 1.0, 3.0], n)
    generous = rng.choice([0, 0.1, 0.15, 0.2, 0.25], n, p=[0.25, 0.15, 0.2, 0.3, 0.1])
    tip = (fare * generous * rng.uniform(0.85, 1.2, n)).round(2)
    frame = Frame(
        {
            "pickup": pd.Timestamp("2024-03-01")
            + pd.to_timedelta(rng.integers(0, 60 * 24 * 60, n), unit="min"),
            "passengers": rng.integers(1, 5, n),
            "distance_miles": distance,
            "fare_amount": fare,
            "tolls_amount": tolls,
            "fees": fees,
            "zone": rng.choice(["midtown", "airport", "uptown", "harbour"], n),
            "total_amount": (fare + tolls + fees + tip).round(2),
            "tip_amount": tip,
        }
    )
    return Table(frame, "tip_amount")


@leak(
    "the target in another unit",
    "`co2_kg` was computed from the metered energy with a factor of the month: it is the target"
    " within 2 %.",
    columns=("co2_kg",),
)
def building_energy(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2400)
    n = 1400
    area = rng.lognormal(7.2, 0.6, n).round()
    month = rng.integers(1, 13, n)
    cold = 1 + 0.5 * np.cos((month - 1) / 12 * 6.28)
    use = rng.choice(["office", "school", "retail", "hospital"], n)
    factor = pd.Series(use).map({"office": 11, "school": 8, "retail": 14, "hospital": 24})
    energy = area * factor.to_numpy() * cold * rng.lognormal(0, 0.35, n)
    frame = Frame(
        {
            "use": use,
            "month": month,
            "floor_area": area,
            "built": rng.integers(1930, 2020, n),
            "occupants": (area / 22 * rng.lognormal(0, 0.3, n)).round(),
            "outdoor_temp": (10 - 9 * (cold - 1) * 2 + rng.normal(0, 2, n)).round(1),
            "co2_kg": (energy * (0.40 + 0.006 * np.sin(month)) * rng.normal(1, 0.008, n)).round(),
            "energy_kwh": energy.round(),
        }
    )
    return Table(frame, "energy_kwh")


@leak(
    "the target in steps",
    "`tax_bracket` was taken from the tax return of the same year: it is the salary in nine steps.",
    columns=("tax_bracket",),
)
def tax_brackets(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2500)
    n = 2200
    years = rng.gamma(2, 6, n).round()
    role = rng.choice(["analyst", "engineer", "manager", "clerk", "director"], n)
    base = pd.Series(role).map(
        {"analyst": 48, "engineer": 58, "manager": 72, "clerk": 34, "director": 105}
    )
    salary = base.to_numpy() * (1 + 0.012 * years) * rng.lognormal(0, 0.3, n) * 1000
    edges = np.quantile(salary, [0.1, 0.2, 0.32, 0.45, 0.58, 0.7, 0.82, 0.92])
    names = np.array(["E2", "C1", "H1", "A3", "B1", "F2", "D1", "G4", "K1"])
    step = np.digitize(salary, edges)
    slip = rng.random(n) < 0.03
    step[slip] = np.clip(step[slip] + rng.choice([-1, 1], slip.sum()), 0, 8)
    frame = Frame(
        {
            "role": role,
            "years_experience": years,
            "education": rng.choice(["school", "bachelor", "master", "phd"], n),
            "city_size": rng.choice(["small", "medium", "large"], n),
            "remote_days": rng.integers(0, 6, n),
            "performance": np.clip(rng.normal(3.4, 0.8, n).round(), 1, 5),
            "tax_bracket": names[step],
            "salary": salary.round(-2),
        }
    )
    return Table(frame, "salary")


@leak(
    "a finer label",
    "`queue_code` is the queue into which the ticket was put after it was classified: each of 34"
    " codes belongs to one category.",
    columns=("queue_code",),
)
def ticket_queue(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2600)
    n = 2600
    names = ["billing", "network", "hardware", "account", "software", "other"]
    label = rng.choice(6, n, p=[0.25, 0.2, 0.15, 0.2, 0.15, 0.05])
    owner = np.r_[np.arange(6), rng.integers(0, 6, 28)]
    code = np.array([rng.choice(np.flatnonzero(owner == k)) for k in label])
    slip = rng.random(n) < 0.03
    code[slip] = rng.integers(0, 34, slip.sum())
    public = rng.permutation(np.arange(100, 999))[:34]
    frame = Frame(
        {
            "channel": rng.choice(["mail", "phone", "portal", "chat"], n),
            "priority": rng.choice(["low", "normal", "high"], n, p=[0.3, 0.5, 0.2]),
            "hour": (rng.normal(13, 4, n) % 24).round(),
            "words": rng.poisson(40 + 6 * label),
            "attachments": rng.poisson(0.3 + 0.2 * (label == 2)),
            "queue_code": [f"Q{public[c]}" for c in code],
            "customer_years": rng.gamma(1.5, 3, n).round(1),
            "category": np.array(names)[label],
        }
    )
    return Table(frame, "category")


@leak(
    "text written after the outcome",
    "`agent_note` was finished when the case was closed: it says in several wordings whether the"
    " money was paid back.",
    columns=("agent_note",),
)
def closing_notes(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2700)
    n = 1600
    amount = rng.lognormal(3.8, 0.8, n).round(2)
    reason = rng.choice(["late", "damaged", "wrong size", "changed mind"], n)
    refund = chance(-0.2 + 1.1 * (reason == "damaged") - 0.004 * amount, rng)
    first = ["customer called about", "cust wrote re", "chat about", "mail regarding"]
    thing = ["parcel", "order", "delivery", "item", "shipment"]
    filler = ["asked for photo,", "checked with warehouse,", "apologised,", "forwarded to tier 2,"]
    paid = ["refund issued", "money back to card", "refunded in full", "credited, closing"]
    kept = ["no further action", "explained policy, closing", "declined per terms", "replacement"]
    notes = []
    for y in refund:
        end = paid if y else kept
        if rng.random() < 0.06:
            end = ["waiting for reply"]
        notes.append(sentence(rng, first, thing, filler, end))
    frame = Frame(
        {
            "order_amount": amount,
            "reason": reason,
            "days_since_delivery": rng.integers(0, 45, n),
            "country": rng.choice(["AT", "DE", "CH"], n),
            "earlier_cases": rng.poisson(0.4, n),
            "agent_note": notes,
            "refunded": np.where(refund == 1, "yes", "no"),
        }
    )
    return Table(frame, "refunded")


@leak(
    "difference of two dates",
    "`closed_on` less `opened_on` is the number of days that is to be predicted.",
    columns=("closed_on",),
)
def permit_days(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2800)
    n = 1500
    opened = rng.integers(0, 900, n)
    kind = rng.choice(["garage", "extension", "new house", "shop sign"], n)
    base = pd.Series(kind).map({"garage": 25, "extension": 48, "new house": 95, "shop sign": 14})
    needed = np.maximum(1, (base.to_numpy() * rng.lognormal(0, 0.55, n)).round())
    frame = Frame(
        {
            "kind": kind,
            "opened_on": days("2021-01-04", opened),
            "closed_on": days("2021-01-04", opened + needed),
            "plot_m2": rng.lognormal(6.3, 0.5, n).round(),
            "documents": rng.poisson(5, n),
            "officer": rng.choice(["KB", "TS", "MW", "LH", "AD"], n),
            "listed_area": rng.integers(0, 2, n),
            "processing_days": needed,
        }
    )
    return Table(frame, "processing_days")


@leak(
    "date after the outcome",
    "`last_login` was read at the export, after customers had left: those who left have no login"
    " in the last months.",
    columns=("last_login",),
)
def last_login(seed: int) -> Table:
    rng = np.random.default_rng(seed + 2900)
    n = 2400
    signup = rng.integers(0, 1100, n)
    plan = rng.choice(["basic", "plus", "team"], n, p=[0.55, 0.3, 0.15])
    tickets = rng.poisson(0.8, n)
    churned = chance(-1.3 + 0.35 * tickets - 0.5 * (plan == "team"), rng)
    active = 1300 - rng.exponential(12, n)
    gone = 1300 - rng.uniform(50, 190, n)
    frame = Frame(
        {
            "signup": days("2021-03-01", signup),
            "plan": plan,
            "seats": rng.poisson(2 + 6 * (plan == "team")) + 1,
            "tickets_90d": tickets,
            "nps": gaps(np.clip(rng.normal(7.2 - 0.4 * tickets, 2).round(), 0, 10), 0.4, rng),
            "country": rng.choice(["UK", "IE", "US", "CA"], n),
            "last_login": days("2021-03-01", np.maximum(np.where(churned, gone, active), signup)),
            "churned": churned,
        }
    )
    return Table(frame, "churned")


@leak(
    "look into the same hour",
    "`avg_last_2h` was shifted wrongly: it is the mean of this hour and the one before, so that"
    " with `load_1h_ago` it gives the load exactly.",
    columns=("avg_last_2h",),
)
def wrong_shift(seed: int) -> Table:
    rng = np.random.default_rng(seed + 3000)
    n = 2400
    hour = np.arange(n) % 24
    noise = np.zeros(n)
    for i in range(1, n):
        noise[i] = 0.55 * noise[i - 1] + rng.normal(0, 22)
    temperature = 12 + 6 * np.sin(np.arange(n) / 24 / 40) + rng.normal(0, 2, n)
    daily = 60 * np.sin((hour - 7) / 24 * 6.28)
    load = pd.Series((420 + daily + noise - 3 * temperature).round(1))
    frame = Frame(
        {
            "time": pd.date_range("2024-02-01", periods=n, freq="h"),
            "hour": hour,
            "temperature": temperature.round(1),
            "load_1h_ago": load.shift(1),
            "load_24h_ago": load.shift(24),
            "avg_last_2h": load.rolling(2).mean().round(2),
            "load_mw": load,
        }
    ).iloc[24:]
    return Table(frame.reset_index(drop=True), "load_mw", options={"times": "time"})


@leak(
    "values that only one class has",
    "`alarm_code` E41 and E57 are raised by the stop that is to be predicted: they occur at 60 % of"
    " the failures and nowhere else.",
    columns=("alarm_code",),
)
def alarm_codes(seed: int) -> Table:
    rng = np.random.default_rng(seed + 3100)
    n = 4000
    vibration = rng.gamma(3, 0.8, n)
    oil = rng.normal(61, 7, n)
    failed = chance(-4.6 + 0.45 * vibration + 0.06 * (oil - 60), rng)
    usual = rng.choice(["-", "W07", "W12", "I03"], n, p=[0.82, 0.08, 0.06, 0.04])
    raised = (failed == 1) & (rng.random(n) < 0.6)
    frame = Frame(
        {
            "machine": rng.choice([f"press_{i}" for i in range(1, 13)], n),
            "vibration_mm_s": vibration.round(2),
            "oil_temp": oil.round(1),
            "strokes_per_min": rng.normal(42, 6, n).round(),
            "hours_since_service": rng.integers(0, 1500, n),
            "alarm_code": np.where(raised, rng.choice(["E41", "E57"], n), usual),
            "failure": failed,
        }
    )
    return Table(frame, "failure")


@leak(
    "selection fitted on all rows",
    "The 15 best of 600 columns of noise were chosen on all rows, valid and test among them, before"
    " the model was fitted on train.",
    about=("select", "fitted", "prepar", "pipeline"),
)
def genes_selected_first(seed: int) -> Table:
    from sklearn.feature_selection import SelectKBest, f_classif
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    rng = np.random.default_rng(seed + 3200)
    n, genes = 300, 600
    values = rng.lognormal(2, 0.6, (n, genes)).round(2)
    frame = Frame(values, columns=[f"gene_{i:03d}" for i in range(genes)])
    frame = pd.concat([frame, Frame({"relapse": rng.integers(0, 2, n)})], axis=1)
    inputs = frame.drop(columns="relapse")
    select = SelectKBest(f_classif, k=15).fit(inputs, frame["relapse"])
    train, valid, test = frame.iloc[:180], frame.iloc[180:240], frame.iloc[240:]
    last = LogisticRegression(max_iter=1000, C=0.1)
    last.fit(select.transform(train.drop(columns="relapse")), train["relapse"])
    model = Pipeline([("select", select), ("classify", last)])
    parts = [part.reset_index(drop=True) for part in (train, valid, test)]
    return Table(parts[0], "relapse", parts[1], parts[2], {"model": model})


@leak(
    "score of a model that saw the rows",
    "`stage1_score` is the prediction of a forest that was fitted on the very rows of train: there"
    " it is nearly the answer, on valid it is hardly better than chance.",
    columns=("stage1_score",),
)
def stacked_in_sample(seed: int) -> Table:
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(seed + 3300)
    n = 1800
    frame = Frame(
        {
            "age": rng.integers(18, 80, n),
            "balance": rng.lognormal(7, 1.2, n).round(),
            "campaign_calls": rng.poisson(2, n) + 1,
            "days_since_contact": gaps(rng.integers(1, 400, n), 0.5, rng),
            "job": rng.choice(["admin", "services", "student", "retired", "blue-collar"], n),
            "housing_loan": rng.integers(0, 2, n),
        }
    )
    signal = -0.4 + 0.25 * (frame["job"] == "student") - 0.3 * frame["housing_loan"]
    signal += 0.15 * (np.log(frame["balance"]) - 7) - 0.1 * (frame["campaign_calls"] - 3)
    frame["subscribed"] = chance(signal, rng)
    used = frame[["age", "balance", "campaign_calls", "housing_loan"]]
    forest = RandomForestClassifier(30, min_samples_leaf=2, random_state=seed)
    forest.fit(used[:1200], frame["subscribed"][:1200])
    frame.insert(6, "stage1_score", forest.predict_proba(used)[:, 1].round(4))
    parts = [frame.iloc[:1200], frame.iloc[1200:1500], frame.iloc[1500:]]
    train, valid, test = (part.reset_index(drop=True) for part in parts)
    return Table(train, "subscribed", valid, test)


@leak(
    "gaps filled by class",
    "Missing values of `cholesterol` (30 %) were filled with the mean of the row's own class: two"
    " numbers that occur hundreds of times tell the class.",
    columns=("cholesterol",),
)
def filled_by_class(seed: int) -> Table:
    rng = np.random.default_rng(seed + 3400)
    n = 1200
    age = np.clip(rng.normal(54, 9, n), 29, 80).round()
    sex = rng.integers(0, 2, n)
    pressure = rng.normal(131, 17, n).round()
    disease = chance(-0.3 + 0.05 * (age - 54) + 0.8 * sex + 0.01 * (pressure - 130), rng)
    chol = pd.Series(rng.normal(240 + 9 * disease, 48).round())
    missing = rng.random(n) < 0.3
    means = chol.mask(missing).groupby(disease).transform("mean").round(2)
    frame = Frame(
        {
            "age": age,
            "sex": sex,
            "resting_bp": pressure,
            "cholesterol": chol.mask(missing, means),
            "max_heart_rate": (190 - 0.8 * age - 6 * disease + rng.normal(0, 16, n)).round(),
            "chest_pain": rng.choice(["typical", "atypical", "none"], n),
            "fasting_sugar": (rng.random(n) < 0.15).astype(int),
            "heart_disease": disease,
        }
    )
    return Table(frame, "heart_disease")


@leak(
    "traces of two sources",
    "`glucose` of the controls comes from the screening bus, which rounds to five; the clinic,"
    " where the cases come from, writes one decimal.",
    columns=("glucose",),
)
def two_laboratories(seed: int) -> Table:
    rng = np.random.default_rng(seed + 3500)
    n = 1600
    bmi = rng.normal(28, 4.5, n).round(1)
    age = rng.integers(30, 80, n)
    case = chance(-0.8 + 0.09 * (bmi - 28) + 0.02 * (age - 55), rng)
    glucose = rng.normal(104 + 7 * case, 17)
    clinic = rng.random(n) < np.where(case == 1, 0.96, 0.03)
    frame = Frame(
        {
            "age": age,
            "bmi": bmi,
            "waist_cm": (bmi * 3.1 + rng.normal(8, 6, n)).round(),
            "glucose": np.where(clinic, glucose.round(1), (glucose / 5).round() * 5),
            "family_history": rng.choice(["no", "yes", "unknown"], n, p=[0.6, 0.25, 0.15]),
            "smoker": rng.integers(0, 2, n),
            "diabetes": case,
        }
    )
    return Table(frame, "diabetes")


@leak(
    "skipped question",
    "`months_searching` is asked only of people without work; everybody else has the code -1.",
    columns=("months_searching",),
)
def labour_survey(seed: int) -> Table:
    rng = np.random.default_rng(seed + 3600)
    n = 3000
    age = rng.integers(18, 65, n)
    school = rng.choice([9, 10, 12, 16, 18], n, p=[0.15, 0.35, 0.25, 0.15, 0.1])
    without = chance(-2.4 - 0.12 * (school - 11) + 0.02 * (40 - age), rng)
    asked = rng.random(n) < np.where(without == 1, 0.95, 0.015)
    frame = Frame(
        {
            "age": age,
            "school_years": school,
            "region": rng.choice(["east", "west", "north", "south"], n),
            "children": rng.poisson(0.9, n),
            "own_home": rng.integers(0, 2, n),
            "months_searching": np.where(asked, rng.gamma(1.4, 5, n).round(), -1),
            "life_satisfaction": np.clip(rng.normal(7 - 0.9 * without, 1.8).round(), 0, 10),
            "employed": 1 - without,
        }
    )
    return Table(frame, "employed")


@leak(
    "weight of the sampling",
    "`sampling_weight` undoes the sampling by class: about 1 for the cases, about 9 for the"
    " controls, of whom every ninth was drawn.",
    columns=("sampling_weight",),
)
def case_control_weights(seed: int) -> Table:
    rng = np.random.default_rng(seed + 3700)
    n = 1800
    age = rng.integers(40, 85, n)
    pack_years = rng.gamma(1.2, 12, n).round(1)
    case = chance(-1.1 + 0.03 * pack_years + 0.02 * (age - 60), rng)
    post = rng.lognormal(0, 0.25, n)
    frame = Frame(
        {
            "age": age,
            "sex": rng.choice(["f", "m"], n),
            "pack_years": pack_years,
            "asbestos": (rng.random(n) < 0.06).astype(int),
            "income_band": rng.integers(1, 6, n),
            "fev1": gaps(rng.normal(2.9 - 0.01 * pack_years, 0.6).round(2), 0.12, rng),
            "sampling_weight": (np.where(case == 1, 1.0, 9.0) * post).round(3),
            "lung_cancer": case,
        }
    )
    return Table(frame, "lung_cancer")


@leak(
    "relation of two columns",
    "`shipped_qty` was booked after the order: it is below `ordered_qty` for orders that were cut"
    " short, and equal otherwise; neither column says much alone.",
    columns=("shipped_qty",),
)
def short_shipments(seed: int) -> Table:
    rng = np.random.default_rng(seed + 3800)
    n = 2600
    ordered = rng.integers(2, 200, n)
    stock = rng.gamma(2, 120, n).round()
    short = chance(-1.9 + 0.004 * (ordered - 100) - 0.002 * (stock - 240), rng)
    less = np.floor(ordered * rng.uniform(0.6, 0.97, n))
    slip = rng.random(n) < 0.03
    frame = Frame(
        {
            "warehouse": rng.choice(["HH", "M", "K"], n),
            "ordered_qty": ordered,
            "shipped_qty": np.where((short == 1) ^ slip, less, ordered),
            "stock_morning": stock,
            "unit_price": rng.lognormal(2.2, 0.8, n).round(2),
            "lead_days": rng.integers(1, 15, n),
            "express": (rng.random(n) < 0.2).astype(int),
            "cut_short": short,
        }
    )
    return Table(frame, "cut_short")


@leak(
    "same texts",
    "A third of the reviews of valid and test were posted again for another product, with other"
    " date and votes, and the first posting is in train.",
    columns=("review",),
    about=("rows", "duplicate", "identical", "copies", "same text", "group"),
)
def reposted_reviews(seed: int) -> Table:
    rng = np.random.default_rng(seed + 3900)
    good = ["works well", "very happy", "great value", "would buy again", "solid quality"]
    mid = ["it is okay", "does its job", "nothing special", "average", "fine for the price"]
    bad = ["broke quickly", "waste of money", "very disappointed", "sent it back", "poor quality"]
    topic = ["battery", "handle", "screen", "cable", "lid", "motor", "charger", "case", "filter"]
    more = ["arrived late", "after two weeks", "for my sister", "as a gift", "used every day"]
    colour = ["blue", "black", "white", "green", "red", "grey"]
    words = [good, mid, bad]
    n = 1500
    label = rng.choice(3, n, p=[0.45, 0.25, 0.3])
    texts = []
    for y in label:
        said = y if rng.random() < 0.7 else rng.integers(0, 3)
        parts = [words[said], ["with the"], colour, topic, ["bought it"], more]
        texts.append(sentence(rng, *parts, [f"no {rng.integers(2, 400)}"]))
    frame = Frame({"review": texts, "sentiment": np.array(["good", "mixed", "bad"])[label]})

    def dressed(part: Frame) -> Frame:
        size = len(part)
        extra = Frame(
            {
                "product": rng.choice([f"B{i:03d}" for i in range(150)], size),
                "posted": days("2023-01-01", rng.integers(0, 600, size)),
                "helpful_votes": rng.poisson(1.3, size),
                "verified": rng.integers(0, 2, size),
            }
        )
        return pd.concat([extra, part.reset_index(drop=True)], axis=1)

    train, valid, test = frame[:1000], frame[1000:1170], frame[1170:1340]
    again = [train.sample(80, random_state=seed + i) for i in (0, 1)]
    valid, test = pd.concat([valid, again[0]]), pd.concat([test, again[1]])
    return Table(dressed(train), "sentiment", dressed(valid), dressed(test))


# --- Thirty clean tables -----------------------------------------------------------------------


@clean("radius, perimeter and area are nearly one column and tell the tumour with AUC .97")
def tumour_cells(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5000)
    n = 600
    bad = (rng.random(n) < 0.37).astype(int)
    radius = rng.normal(12.1 + 5.2 * bad, 1.8 + 1.1 * bad).clip(6)
    concave = rng.gamma(3 + 6 * bad, 0.009)
    frame = Frame(
        {
            "mean_radius": radius.round(2),
            "mean_perimeter": (radius * 6.5 + 60 * concave + rng.normal(0, 1, n)).round(2),
            "mean_area": (radius**2 * 3.1 * rng.normal(1, 0.015, n)).round(1),
            "mean_texture": rng.normal(18 + 3.5 * bad, 4).round(2),
            "mean_concavity": concave.round(5),
            "mean_smoothness": rng.normal(0.093 + 0.01 * bad, 0.013).round(5),
            "worst_radius": (radius * rng.normal(1.12 + 0.08 * bad, 0.05)).round(2),
            "malignant": bad,
        }
    )
    return Table(frame, "malignant")


@clean("an honest score of the bureau with AUC .9, and columns that go with it")
def bureau_score(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5100)
    n = 3000
    risk = rng.normal(0, 1, n)
    default = chance(-2.6 + 2.3 * risk, rng)
    frame = Frame(
        {
            "bureau_score": (640 - 70 * risk + rng.normal(0, 12, n)).round(),
            "utilization": np.clip(45 + 20 * risk + rng.normal(0, 15, n), 0, 130).round(1),
            "inquiries_6m": rng.poisson(np.exp(0.3 * risk)),
            "months_on_book": rng.integers(3, 240, n),
            "income": gaps(rng.lognormal(10.6 - 0.1 * risk, 0.5).round(-2), 0.1, rng),
            "product": rng.choice(["card", "auto", "personal"], n),
            "default_12m": default,
        }
    )
    return Table(frame, "default_12m")


@clean("a uuid, a customer number and a hash: each value occurs once and means nothing")
def ids_that_mean_nothing(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5200)
    n = 2000
    pages = rng.poisson(6, n)
    minutes = rng.gamma(2, 3, n).round(1)
    bought = chance(-3 + 0.25 * pages + 0.08 * minutes, rng)
    frame = Frame(
        {
            "session_id": [str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(n)],
            "customer_no": rng.permutation(np.arange(500_000, 500_000 + 4 * n))[:n],
            "etag": [rng.bytes(6).hex() for _ in range(n)],
            "pages": pages,
            "minutes": minutes,
            "device": rng.choice(["phone", "desktop", "tablet"], n, p=[0.6, 0.33, 0.07]),
            "referrer": rng.choice(["search", "mail", "direct", "ad"], n),
            "bought": bought,
        }
    )
    return Table(frame, "bought")


@clean("six recordings a patient with one diagnosis, properly declared as groups")
def grouped_recordings(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5300)
    people, each = 260, 6
    trait = rng.normal(0, 1, people)
    sick = chance(1.4 * trait, rng)
    who = np.repeat(np.arange(people), each)
    n = len(who)
    frame = Frame(
        {
            "patient_id": [f"N{i:04d}" for i in who],
            "recording": np.tile(np.arange(1, each + 1), people),
            "age": rng.integers(35, 85, people)[who],
            "gait_speed": (1.2 - 0.12 * trait[who] + rng.normal(0, 0.08, n)).round(2),
            "step_variability": np.exp(1 + 0.25 * trait[who] + rng.normal(0, 0.2, n)).round(2),
            "tremor_hz": (5 + 0.5 * trait[who] + rng.normal(0, 0.6, n)).round(1),
            "sick": sick[who],
        }
    )
    return Table(frame, "sick", options={"groups": "patient_id"})


@clean("honest lags and a rolling mean of days before, in order of time")
def honest_lags(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5400)
    n = 1400
    day = np.arange(n)
    level = np.cumsum(rng.normal(0, 4, n)) + 900
    weekly = np.array([0, 20, 35, 30, 90, 160, -60])[day % 7]
    sold = pd.Series((level + weekly + rng.normal(0, 45, n)).round())
    frame = Frame(
        {
            "date": days("2020-01-06", day),
            "weekday": day % 7,
            "sold_1d_ago": sold.shift(1),
            "sold_7d_ago": sold.shift(7),
            "mean_last_7d": sold.shift(1).rolling(7).mean().round(1),
            "promo": rng.choice([0, 1], n, p=[0.85, 0.15]),
            "rain_mm": np.where(rng.random(n) < 0.6, 0, rng.gamma(1, 5, n)).round(1),
            "sold": sold,
        }
    ).iloc[10:]
    return Table(frame.reset_index(drop=True), "sold", options={"times": "date"})


@clean("a strong season and a lag of a day, so that one column explains most of the load")
def hourly_season(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5500)
    n = 3000
    t = np.arange(n)
    noise = np.zeros(n)
    for i in range(1, n):
        noise[i] = 0.8 * noise[i - 1] + rng.normal(0, 8)
    season = 130 * np.sin((t % 24 - 8) / 24 * 6.28) + 25 * (t // 24 % 7 < 5)
    load = pd.Series((600 + season + noise).round(1))
    frame = Frame(
        {
            "time": pd.date_range("2023-05-01", periods=n, freq="h"),
            "hour": t % 24,
            "workday": (t // 24 % 7 < 5).astype(int),
            "load_24h_ago": load.shift(24),
            "load_168h_ago": load.shift(168),
            "temp_forecast": (15 + 6 * np.sin((t % 24 - 10) / 24 * 6.28)).round(0)
            + rng.integers(-3, 4, n),
            "load": load,
        }
    ).iloc[168:]
    return Table(frame.reset_index(drop=True), "load", options={"times": "time"})


@clean("names that sound like the target, with honest and weak content")
def names_like_the_target(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5600)
    n = 1800
    segment = rng.choice(["low", "middle", "high"], n, p=[0.5, 0.3, 0.2])
    previous = rng.poisson(0.3, n)
    churn = chance(-1.8 + 0.7 * (segment == "high") + 0.6 * previous, rng)
    frame = Frame(
        {
            "churn_risk_segment": segment,
            "churns_before": previous,
            "target_audience": rng.choice(["families", "students", "business"], n),
            "label_printer": rng.integers(0, 2, n),
            "outcome_of_last_call": rng.choice(["reached", "mailbox", "busy"], n),
            "y_position": rng.normal(0, 1, n).round(3),
            "class_size": rng.integers(1, 40, n),
            "churn": churn,
        }
    )
    return Table(frame, "churn")


@clean("answers from 1 to 5 to five questions: many rows are equal by chance")
def likert_answers(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5700)
    n = 2500
    mood = rng.normal(0, 1, n)
    answers = {
        f"q{i}": np.clip((3.4 + 0.9 * mood + rng.normal(0, 0.8, n)).round(), 1, 5)
        for i in range(1, 5)
    }
    frame = Frame(answers)
    frame["new_hire"] = rng.choice(["no", "yes"], n, p=[0.8, 0.2])
    frame["would_recommend"] = chance(1.6 * mood + 0.3, rng)
    return Table(frame, "would_recommend")


@clean("a category with hundreds of rare values, many of which occur with one class only")
def rare_categories(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5800)
    n = 2200
    brand = np.minimum((rng.pareto(0.9, n) * 4).astype(int), 700)
    engine = rng.choice(["petrol", "diesel", "electric"], n, p=[0.5, 0.35, 0.15])
    age = rng.gamma(2, 3, n).round()
    score = np.c_[0.1 * age, 0.8 * (engine == "diesel"), np.full(n, 0.5)]
    label = (score + rng.gumbel(0, 1, (n, 3))).argmax(1)
    frame = Frame(
        {
            "brand": [f"brand_{b}" for b in brand],
            "engine": engine,
            "age": age,
            "km": (age * 14_000 * rng.lognormal(0, 0.4, n)).round(-2),
            "colour": rng.choice(["white", "black", "grey", "red", "blue"], n),
            "defect": np.array(["brakes", "exhaust", "none"])[label],
        }
    )
    return Table(frame, "defect")


@clean("an ordinal score of pain and a sum of points that nearly order the urgency")
def triage_levels(seed: int) -> Table:
    rng = np.random.default_rng(seed + 5900)
    n = 1700
    state = rng.normal(0, 1, n)
    pain = np.clip((4.5 + 2.3 * state + rng.normal(0, 1.1, n)).round(), 0, 10)
    points = np.clip((3 + 2 * state + rng.normal(0, 0.8, n)).round(), 0, 12)
    level = np.digitize(state + rng.normal(0, 0.3, n), [-1.0, 0.2, 1.2])
    frame = Frame(
        {
            "pain_score": pain,
            "early_warning_points": points,
            "heart_rate": (82 + 9 * state + rng.normal(0, 12, n)).round(),
            "arrival": rng.choice(["walk", "ambulance", "transfer"], n),
            "age": rng.integers(1, 95, n),
            "spo2": np.clip(97 - 1.2 * state + rng.normal(0, 1.5, n), 80, 100).round(),
            "urgency": np.array(["green", "yellow", "orange", "red"])[level],
        }
    )
    return Table(frame, "urgency")


@clean("reviews whose honest words tell the stars with AUC .95")
def honest_reviews(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6000)
    n = 1200
    good = ["excellent", "lovely", "friendly staff", "spotless", "quiet room", "superb breakfast"]
    bad = ["dirty", "rude staff", "noisy", "overpriced", "cold water", "smelled of smoke"]
    plain = ["near the station", "stayed two nights", "parking behind", "lift to the third floor"]
    more = ["we came in may", "room faced the yard", "booked by phone", "with two children"]
    happy = rng.integers(0, 2, n)
    texts = []
    for y in happy:
        words = [rng.choice(good if (rng.random() < 0.8) == y else bad) for _ in range(3)]
        words += [rng.choice(plain), rng.choice(more), f"room {rng.integers(100, 900)}"]
        texts.append(", ".join(words[i] for i in rng.permutation(len(words))))
    frame = Frame(
        {
            "review": texts,
            "nights": rng.poisson(1.5, n) + 1,
            "price": rng.gamma(8, 14, n).round(),
            "booked_days_before": rng.integers(0, 120, n),
            "satisfied": happy,
        }
    )
    return Table(frame, "satisfied")


@clean("claims with three quarters of zeros, and honest claims of earlier years")
def insurance_claims(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6100)
    n = 3500
    habit = rng.gamma(0.6, 0.6, n)
    frame = Frame(
        {
            "claims_last_year": rng.poisson(habit),
            "claims_before": rng.poisson(3 * habit),
            "bonus_class": np.clip(12 - rng.poisson(4 * habit), 0, 12),
            "driver_age": rng.integers(18, 85, n),
            "power_kw": rng.gamma(9, 9, n).round(),
            "region": rng.choice([f"R{i:02d}" for i in range(20)], n),
            "annual_km": rng.choice([5000, 10000, 15000, 20000, 30000], n),
            "claims": rng.poisson(habit * 1.0).astype(float),
        }
    )
    return Table(frame, "claims")


@clean("a law of physics between pressure and boiling point, with the noise of the gauge")
def boiling_points(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6200)
    n = 700
    height = rng.gamma(1.5, 900, n)
    pressure = 1013 * np.exp(-height / 8400) + rng.normal(0, 9, n)
    boiling = 100 + 28 * np.log(pressure / 1013) + rng.normal(0, 0.6, n)
    frame = Frame(
        {
            "pressure_hpa": pressure.round(1),
            "height_m": (height + rng.normal(0, 60, n)).round(-1),
            "air_temp": (20 - height / 160 + rng.normal(0, 5, n)).round(1),
            "humidity": rng.integers(15, 100, n),
            "gauge": rng.choice(["A", "B", "C"], n),
            "boiling_point": boiling.round(2),
        }
    )
    return Table(frame, "boiling_point")


@clean("gaps that were filled with the median of the column, a fifth of its values")
def median_filled(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6300)
    n = 1500
    age = rng.integers(21, 82, n)
    glucose = rng.normal(118 + 0.3 * (age - 50), 27, n).round()
    insulin = pd.Series(rng.lognormal(4.6, 0.6, n).round())
    fold = pd.Series(rng.normal(28, 9, n).round().clip(7))
    frame = Frame(
        {
            "pregnancies": rng.poisson(3, n),
            "glucose": glucose,
            "skin_fold": fold.mask(rng.random(n) < 0.25, fold.median()),
            "insulin": insulin.mask(rng.random(n) < 0.4, insulin.median()),
            "bmi": rng.normal(32, 6, n).round(1),
            "age": age,
            "diabetes": chance(-0.9 + 0.045 * (glucose - 118) + 0.02 * (age - 45), rng),
        }
    )
    return Table(frame, "diabetes")


@clean("gaps that go with the target a little, for an honest reason that is known before")
def honest_gaps(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6400)
    n = 2600
    own_firm = rng.random(n) < 0.18
    income = pd.Series(rng.lognormal(10.5, 0.4, n).round(-2))
    years = pd.Series(rng.gamma(1.5, 4, n).round())
    late = chance(-2.0 + 0.8 * own_firm - 0.04 * years, rng)
    frame = Frame(
        {
            "stated_income": income.mask(own_firm & (rng.random(n) < 0.8)),
            "years_with_employer": years.mask(own_firm),
            "phone_given": np.where(rng.random(n) < 0.9, "yes", None),
            "co_applicant_age": gaps(rng.integers(20, 75, n), 0.7, rng),
            "amount": rng.lognormal(8.6, 0.6, n).round(-1),
            "late": late,
        }
    )
    return Table(frame, "late")


@clean("three files that were cut at random from one table of different rows")
def given_at_random(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6500)
    n = 2000
    carat = rng.lognormal(-0.4, 0.55, n).clip(0.2, 4).round(2)
    hue, cut_of = rng.integers(0, 7, n), rng.integers(0, 5, n)
    price = np.exp(8.45 + 1.68 * np.log(carat) - 0.07 * hue + rng.normal(0, 0.16, n)).round()
    frame = Frame(
        {
            "carat": carat,
            "cut": np.array(["fair", "good", "very good", "premium", "ideal"])[cut_of],
            "color": np.array(list("DEFGHIJ"))[hue],
            "depth_pct": rng.normal(61.7, 1.4, n).round(1),
            "length_mm": (6.47 * carat ** (1 / 3) * rng.normal(1, 0.01, n)).round(2),
            "width_mm": (6.45 * carat ** (1 / 3) * rng.normal(1, 0.01, n)).round(2),
            "price": price,
        }
    )
    train, valid, test = cut(frame, rng, 0.6, 0.2)
    return Table(train, "price", valid, test)


@clean("three files in order of time, with trend and drift between them")
def given_in_order(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6600)
    n = 2400
    day = np.sort(rng.integers(0, 700, n))
    amount = rng.lognormal(3.5 + day / 1400, 0.9).round(2)
    night = (rng.random(n) < 0.2).astype(int)
    score = np.clip(rng.beta(2, 6, n) + 0.1 * night, 0, 1).round(3)
    frame = Frame(
        {
            "booked": days("2022-06-01", day),
            "amount": amount,
            "night": night,
            "rule_score": score,
            "merchant": rng.choice([f"M{i:03d}" for i in range(120)], n),
            "chip": rng.integers(0, 2, n),
            "fraud": chance(-4 + 6 * score + 0.6 * night + day / 700, rng),
        }
    )
    parts = [frame[day < 480], frame[(day >= 480) & (day < 590)], frame[day >= 590]]
    train, valid, test = (part.reset_index(drop=True) for part in parts)
    return Table(train, "fraud", valid, test, {"times": "booked"})


@clean("size, rooms and an honest estimate of last year that explain most of the price")
def house_prices(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6700)
    n = 1500
    area = rng.gamma(10, 14, n).round()
    street = rng.integers(0, 60, n)
    level = rng.normal(0, 0.2, 60)
    quality = np.clip(rng.normal(6, 1.4, n).round(), 1, 10)
    log_price = 8.4 + 0.75 * np.log(area) + 0.09 * quality + level[street]
    log_price += rng.normal(0, 0.11, n)
    estimate = np.exp(log_price - 0.05 + rng.normal(0, 0.15, n))
    frame = Frame(
        {
            "area": area,
            "rooms": (area / 24 + rng.normal(0, 0.7, n)).round().clip(1),
            "quality": quality,
            "street": [f"street {i}" for i in street],
            "built": rng.integers(1900, 2021, n),
            "garage": rng.integers(0, 3, n),
            "tax_estimate_last_year": estimate.round(-3),
            "sale_price": np.exp(log_price).round(-2),
        }
    )
    return Table(frame, "sale_price")


@clean("three kinds of flowers that two coarse measures nearly part, with a few equal rows")
def flowers(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6800)
    n = 300
    kind = np.repeat([0, 1, 2], n // 3)
    petal = np.array([1.5, 4.3, 5.5])[kind]
    frame = Frame(
        {
            "sepal_length": rng.normal(np.array([5.0, 5.9, 6.6])[kind], 0.5).round(1),
            "sepal_width": rng.normal(np.array([3.4, 2.8, 3.0])[kind], 0.33).round(1),
            "petal_length": rng.normal(petal, np.array([0.17, 0.47, 0.55])[kind]).round(1),
            "petal_width": rng.normal(np.array([0.25, 1.33, 2.0])[kind], 0.2).round(1).clip(0.1),
            "species": np.array(["setosa", "versicolor", "virginica"])[kind],
        }
    )
    return Table(shuffled(frame, rng), "species")


@clean("machines with many runs each, whole machines in each file, and declared as groups")
def machines_apart(seed: int) -> Table:
    rng = np.random.default_rng(seed + 6900)
    machines, each = 90, 20
    wear = rng.gamma(2, 0.5, machines)
    which = np.repeat(np.arange(machines), each)
    n = len(which)
    force = 40 + 9 * wear[which] + rng.normal(0, 4, n)
    frame = Frame(
        {
            "machine": [f"CNC-{i:03d}" for i in which],
            "spindle_force": force.round(1),
            "feed": rng.choice([0.1, 0.15, 0.2, 0.3], n),
            "coolant_temp": rng.normal(24, 2, n).round(1),
            "material": rng.choice(["steel", "brass", "alu"], n),
            "roughness_um": (0.4 + 0.25 * wear[which] + rng.normal(0, 0.12, n)).clip(0.1).round(2),
        }
    )
    parts = [frame[which < 60], frame[(which >= 60) & (which < 75)], frame[which >= 75]]
    train, valid, test = (part.reset_index(drop=True) for part in parts)
    return Table(train, "roughness_um", valid, test, {"groups": "machine"})


@clean("midterm and homework that nearly order the points of the final exam")
def exam_points(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7000)
    n = 900
    skill = rng.normal(0, 1, n)
    frame = Frame(
        {
            "midterm": np.clip(62 + 14 * skill + rng.normal(0, 5, n), 0, 100).round(),
            "homework_mean": np.clip(78 + 9 * skill + rng.normal(0, 6, n), 0, 100).round(1),
            "attendance": np.clip(0.8 + 0.08 * skill + rng.normal(0, 0.1, n), 0, 1).round(2),
            "semester": rng.integers(1, 9, n),
            "course": rng.choice(["statistics", "algebra", "physics"], n),
            "matriculation_no": rng.permutation(np.arange(30_000, 60_000))[:n],
            "final_points": np.clip(58 + 16 * skill + rng.normal(0, 6, n), 0, 100).round(),
        }
    )
    return Table(frame, "final_points")


@clean("customer numbers that grow with the date of signup, while churn goes up a little")
def growing_ids(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7100)
    n = 2400
    day = np.sort(rng.integers(0, 1000, n))
    use = np.clip(rng.normal(14, 6, n), 0, 30).round()
    frame = Frame(
        {
            "customer_no": 10_000 + np.cumsum(rng.integers(1, 5, n)),
            "signup": days("2021-01-01", day),
            "active_days_last_month": use,
            "tickets": rng.poisson(0.7, n),
            "plan": rng.choice(["free", "basic", "pro"], n, p=[0.3, 0.5, 0.2]),
            "churned_next_month": chance(1.3 - 0.24 * use + day / 800, rng),
        }
    )
    return Table(frame, "churned_next_month")


@clean("150 columns of noise beside five weak signals, on 400 rows")
def wide_noise(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7200)
    n = 400
    signals = rng.normal(0, 1, (n, 5))
    noise = rng.normal(0, 1, (n, 150))
    values = np.c_[signals, noise][:, rng.permutation(155)].round(3)
    frame = Frame(values, columns=[f"marker_{i:03d}" for i in range(155)])
    response = Frame({"response": chance(1.1 * signals.sum(1), rng)})
    return Table(pd.concat([frame, response], axis=1), "response")


@clean("spam with strong honest words and counts, AUC .99")
def spam_mails(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7300)
    n = 1400
    spam = (rng.random(n) < 0.4).astype(int)
    bait = ["free", "winner", "click here", "urgent", "cash prize", "limited offer", "pills"]
    work = ["meeting", "attached", "regards", "invoice", "tomorrow", "draft", "schedule", "lunch"]
    texts = []
    for y in spam:
        share = 0.62 if y else 0.08
        words = [rng.choice(bait if rng.random() < share else work) for _ in range(6)]
        texts.append(" ".join([*words, str(rng.integers(10, 10_000))]))
    frame = Frame(
        {
            "subject": texts,
            "exclamation_marks": rng.poisson(0.3 + 3.2 * spam),
            "capital_share": rng.beta(1.5 + 3 * spam, 14).round(3),
            "links": rng.poisson(0.6 + 1.8 * spam),
            "hour": rng.integers(0, 24, n),
            "spam": np.where(spam == 1, "spam", "ham"),
        }
    )
    return Table(frame, "spam")


@clean("sensors that move together, with an honest limit one hour before the stop")
def sensors_before_stop(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7400)
    n = 3600
    heat = rng.gamma(4, 1, n)
    frame = Frame(
        {
            "bearing_temp_1h_ago": (48 + 6 * heat + rng.normal(0, 1.5, n)).round(1),
            "housing_temp_1h_ago": (41 + 5 * heat + rng.normal(0, 2, n)).round(1),
            "motor_current_1h_ago": (12 + 1.1 * heat + rng.normal(0, 1, n)).round(2),
            "vibration_1h_ago": np.exp(0.2 * heat + rng.normal(0, 0.3, n)).round(2),
            "warnings_today": rng.poisson(0.05 * heat**1.3),
            "shift": rng.choice(["early", "late", "night"], n),
            "stop": chance(2.2 * (heat - 7.2), rng),
        }
    )
    return Table(frame, "stop")


@clean("three sorts of wine that chemistry parts with AUC .99")
def wine_sorts(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7500)
    n = 540
    sort = rng.choice(3, n, p=[0.33, 0.4, 0.27])

    def around(centres: list[float], spread: float, digits: int) -> np.ndarray:
        return rng.normal(np.array(centres)[sort], spread).round(digits)

    frame = Frame(
        {
            "alcohol": around([13.7, 12.3, 13.1], 0.5, 2),
            "flavanoids": around([2.98, 2.08, 0.78], 0.45, 2),
            "proline": around([1115, 520, 630], 160, 0),
            "color_intensity": around([5.5, 3.1, 7.4], 1.3, 2).clip(1),
            "hue": around([1.06, 1.05, 0.68], 0.13, 2),
            "magnesium": around([106, 95, 99], 12, 0),
            "sort": np.array(["barolo", "grignolino", "barbera"])[sort],
        }
    )
    return Table(frame, "sort")


@clean("a debt ratio that is computed from other inputs, and steps of income")
def computed_inputs(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7600)
    n = 2000
    income = rng.lognormal(10.3, 0.5, n).round(-2)
    debt = rng.gamma(2, 7000, n).round(-1)
    ratio = debt / income
    frame = Frame(
        {
            "income": income,
            "income_band": pd.qcut(income, 5, labels=["I", "II", "III", "IV", "V"]).astype(str),
            "debt": debt,
            "debt_ratio": ratio.round(3),
            "net_after_debt": income - debt,
            "age": rng.integers(20, 70, n),
            "tariff_eur": (38 + 55 * ratio + rng.normal(0, 11, n)).round(2),
        }
    )
    return Table(frame, "tariff_eur")


@clean("the smell of a mushroom, which nearly decides whether it can be eaten")
def mushrooms(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7700)
    n = 2500
    poison = (rng.random(n) < 0.48).astype(int)
    smells = ["none", "almond", "anise", "foul", "spicy", "fishy", "pungent"]
    edible_odds = [0.84, 0.07, 0.06, 0.01, 0.01, 0.005, 0.005]
    poison_odds = [0.12, 0.01, 0.01, 0.52, 0.14, 0.14, 0.06]
    odour = [rng.choice(smells, p=poison_odds if y else edible_odds) for y in poison]
    colours = ["brown", "white", "green", "black", "chocolate"]
    frame = Frame(
        {
            "odor": odour,
            "cap_color": rng.choice(["brown", "grey", "red", "yellow", "white"], n),
            "cap_shape": rng.choice(["convex", "flat", "bell", "knobbed"], n),
            "gill_size": np.where(rng.random(n) < 0.3 + 0.35 * poison, "narrow", "broad"),
            "spore_print": [
                rng.choice(
                    colours, p=[0.15, 0.4, 0.05, 0.1, 0.3] if y else [0.4, 0.2, 0, 0.35, 0.05]
                )
                for y in poison
            ],
            "bruises": (rng.random(n) < 0.65 - 0.4 * poison).astype(int),
            "edible": np.where(poison == 1, "no", "yes"),
        }
    )
    return Table(frame, "edible")


@clean("the same stores in all files and years: a forecast for known stores, in order of time")
def stores_over_time(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7800)
    stores, weeks = 25, 110
    week, store = np.repeat(np.arange(weeks), stores), np.tile(np.arange(stores), weeks)
    n = len(week)
    own = rng.normal(8, 0.5, stores)
    season = 0.2 * np.sin(week / 52 * 6.28)
    sales = np.exp(own[store] + season + rng.normal(0, 0.1, n)).round()
    earlier = pd.Series(sales).groupby(store).shift(52)
    frame = Frame(
        {
            "week": days("2021-01-04", 7 * week),
            "store": [f"store_{i:02d}" for i in store],
            "size_m2": (400 * np.exp(own - 8)).round()[store],
            "holiday": np.isin(week % 52, [0, 14, 51]).astype(int),
            "sales_52w_ago": earlier,
            "sales": sales,
        }
    )
    parts = [frame[week < 80], frame[(week >= 80) & (week < 95)], frame[week >= 95]]
    train, valid, test = (part.reset_index(drop=True) for part in parts)
    return Table(train, "sales", valid, test, {"times": "week"})


@clean("rates by merchant that were computed on the year before, and counts of past rows")
def rates_of_last_year(seed: int) -> Table:
    rng = np.random.default_rng(seed + 7900)
    n, merchants = 3200, 160
    true_rate = rng.beta(0.5, 5, merchants)
    volume = rng.integers(30, 800, merchants)
    seen = rng.binomial(volume, true_rate)
    which = rng.integers(0, merchants, n)
    amount = rng.lognormal(3.4, 0.9, n).round(2)
    odds = np.log(true_rate[which] + 1e-4) - np.log1p(-true_rate[which])
    frame = Frame(
        {
            "merchant_rate_last_year": (seen / volume).round(4)[which],
            "merchant_volume_last_year": volume[which],
            "customer_orders_before": rng.poisson(4, n),
            "amount": amount,
            "country": rng.choice(["SE", "NO", "DK", "FI"], n),
            "bin_number": rng.choice(rng.integers(400_000, 559_999, 90), n),
            "chargeback": chance(odds + 0.3 * (np.log(amount) - 3.4), rng),
        }
    )
    return Table(frame, "chargeback")
