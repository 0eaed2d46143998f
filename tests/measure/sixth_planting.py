"""A sixth set of tables with planted leaks, and of honest ones, by somebody who knows no guard.

Twelve leak, each in another way, and twelve are clean and look as if they were not.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.measure.planting import Planted, Rng, Table, chance, cut, days, gaps, shuffled

planted = Planted()
leak, clean = planted.leak, planted.clean


def drawn(seed: int, number: int) -> Rng:
    """The random numbers of one table of this set."""
    return np.random.default_rng([seed, 600 + number])


def words(flags: np.ndarray, no: str = "no", yes: str = "yes") -> np.ndarray:
    """Outcomes 0 and 1 as words."""
    return np.where(flags == 1, yes, no)


def codes(rng: Rng, count: int, low: int, high: int) -> np.ndarray:
    """So many different whole numbers at random, in no order."""
    found = np.unique(rng.integers(low, high, size=2 * count))
    return rng.permutation(found)[:count]


# --- tables that leak -----------------------------------------------------------------------------


@leak(
    "filled in after the outcome",
    "collection fees are charged once a loan has defaulted",
    columns=("collection_fees",),
)
def loans_with_collection_fees(seed: int) -> Table:
    """Consumer loans; fees of the collection agency are booked after most defaults."""
    rng = drawn(seed, 1)
    n = 4000
    income = rng.lognormal(7.9, 0.45, n).round(-1)
    amount = (rng.gamma(2.2, 4200, n) + 500).round(-2)
    rate = np.clip(rng.normal(8.4, 2.3, n), 2.5, 19).round(2)
    months = rng.choice([12, 24, 36, 48, 60, 72], n, p=[0.08, 0.2, 0.3, 0.2, 0.15, 0.07])
    delinquencies = rng.poisson(0.35, n)
    burden = amount / months / income
    purpose = rng.choice(["car", "kitchen", "debts", "travel", "other"], n)
    score = (
        -3.1 + 5 * burden + 0.15 * (rate - 8.4) + 0.6 * delinquencies + 0.4 * (purpose == "debts")
    )
    default = chance(score, rng)
    fees = np.where(
        (default == 1) & (rng.random(n) < 0.8),
        (18 + 0.05 * amount * rng.uniform(0.2, 1.0, n)).round(2),
        np.where(rng.random(n) < 0.015, rng.uniform(15, 60, n).round(2), 0.0),
    )
    frame = pd.DataFrame(
        {
            "granted_on": days("2019-01-02", rng.integers(0, 900, n)),
            "amount": amount,
            "months": months,
            "interest_rate": rate,
            "monthly_income": gaps(income, 0.04, rng),
            "purpose": purpose,
            "home": rng.choice(["rent", "own", "mortgage"], n, p=[0.5, 0.2, 0.3]),
            "employed_years": gaps(rng.gamma(1.5, 4, n).round(1), 0.07, rng),
            "past_delinquencies": delinquencies,
            "collection_fees": fees,
            "branch": rng.choice([f"B{i:02d}" for i in range(1, 19)], n),
            "defaulted": words(default),
        }
    )
    return Table(frame, "defaulted", options={"times": "granted_on"})


@leak(
    "columns that add up to the target",
    "opening stock and deliveries less closing stock and waste are what was sold on the day",
    columns=("closing_stock",),
)
def shop_stock_at_closing(seed: int) -> Table:
    """Sales of products in shops; the stock counted in the evening tells what was sold."""
    rng = drawn(seed, 2)
    n = 3600
    product = rng.choice(["milk", "bread", "eggs", "butter", "yoghurt", "juice", "cheese"], n)
    usual = pd.Series(product).map(
        {
            "milk": 70,
            "bread": 90,
            "eggs": 45,
            "butter": 30,
            "yoghurt": 60,
            "juice": 35,
            "cheese": 25,
        }
    )
    weekday = rng.integers(0, 7, n)
    promoted = (rng.random(n) < 0.12).astype(int)
    temperature = rng.normal(12, 7, n).round(1)
    mean = usual * (1 + 0.35 * (weekday >= 4)) * (1 + 0.6 * promoted) * rng.lognormal(0, 0.3, n)
    wanted = rng.poisson(mean)
    opening = (usual * rng.uniform(0.6, 4.5, n)).round()
    delivered = np.where(rng.random(n) < 0.45, (usual * rng.uniform(0.5, 2.5, n)).round(-1), 0)
    sold = np.minimum(wanted, opening + delivered)
    waste = np.minimum(rng.poisson(1.2, n), opening + delivered - sold)
    correction = np.where(rng.random(n) < 0.12, rng.integers(-6, 7, n), 0)
    frame = pd.DataFrame(
        {
            "shop": rng.choice([f"shop {i}" for i in range(1, 13)], n),
            "product": product,
            "weekday": np.array(["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"])[weekday],
            "promoted": promoted,
            "temperature": gaps(temperature, 0.05, rng),
            "price": (rng.uniform(0.9, 4.5, n)).round(2),
            "opening_stock": opening,
            "delivered": delivered,
            "written_off": waste.astype(float),
            "closing_stock": np.maximum(opening + delivered - sold - waste + correction, 0),
            "units_sold": sold.astype(float),
        }
    )
    return Table(frame, "units_sold")


@leak(
    "the same rows in train and test",
    "a quarter of the test fields stand in train as well, to the last decimal",
    about=("row", "duplicate", "same", "overlap", "repeat", "identical", "copies", "copy"),
)
def fields_in_both_files(seed: int) -> Table:
    """Soil samples with the crop that grew best; the two files were exported with an overlap."""
    rng = drawn(seed, 3)
    n = 2600
    crop = rng.choice(
        ["maize", "barley", "rape", "beet", "lentils"], n, p=[0.3, 0.25, 0.2, 0.15, 0.1]
    )
    wetness = pd.Series(crop).map(
        {"maize": 0.3, "barley": -0.4, "rape": 0.1, "beet": 0.8, "lentils": -0.9}
    )
    hunger = pd.Series(crop).map(
        {"maize": 0.8, "barley": 0.0, "rape": 0.5, "beet": 0.2, "lentils": -1.1}
    )
    frame = pd.DataFrame(
        {
            "nitrogen": (60 + 14 * hunger + rng.normal(0, 16, n)).round(1),
            "phosphorus": (42 + 5 * hunger + rng.normal(0, 11, n)).round(1),
            "potassium": gaps((150 + rng.normal(0, 40, n)).round(1), 0.03, rng),
            "ph": (6.6 - 0.2 * wetness + rng.normal(0, 0.5, n)).round(2),
            "rain_mm": (640 + 90 * wetness + rng.normal(0, 100, n)).round(1),
            "mean_temperature": (9.3 - 0.4 * wetness + rng.normal(0, 1.1, n)).round(2),
            "slope": rng.gamma(1.3, 2.4, n).round(1),
            "soil": rng.choice(["loam", "clay", "sand", "silt"], n, p=[0.4, 0.25, 0.2, 0.15]),
            "organic": rng.choice(["yes", "no"], n, p=[0.2, 0.8]),
            "best_crop": crop,
        }
    )
    train, test = cut(frame, rng, 0.82)
    again = train.sample(n=len(test) // 3, random_state=int(rng.integers(1 << 30)))
    return Table(train, "best_crop", test=shuffled(pd.concat([test, again]), rng))


@leak(
    "near copies of rows in train and test",
    "windows of one recording overlap by half and were dealt to train and test at random",
    about=(
        "near",
        "twin",
        "similar",
        "duplicate",
        "row",
        "almost",
        "overlap",
        "neighbour",
        "copies",
    ),
)
def bearings_in_overlapping_windows(seed: int) -> Table:
    """Vibration of bearings, several overlapping windows of each recording, no recording number."""
    rng = drawn(seed, 4)
    recordings = 420
    fault = rng.choice(["none", "inner", "outer", "ball"], recordings, p=[0.4, 0.2, 0.25, 0.15])
    hurt = pd.Series(fault).map({"none": 0.0, "inner": 0.9, "outer": 0.7, "ball": 0.4}).to_numpy()
    load = rng.uniform(0, 3, recordings)
    speed = rng.normal(1760, 60, recordings)
    level = 0.09 + 0.06 * hurt + 0.02 * load + rng.lognormal(-3.3, 0.6, recordings)
    peak = 3.1 + 1.2 * hurt + rng.normal(0, 0.9, recordings)
    band = 0.4 + 0.25 * (fault == "outer") + rng.normal(0, 0.18, recordings)
    low = 0.5 + 0.2 * (fault == "inner") + rng.normal(0, 0.2, recordings)
    heat = 41 + 3 * load + 2 * hurt + rng.normal(0, 4, recordings)
    each = np.repeat(np.arange(recordings), rng.integers(4, 8, recordings))
    n = len(each)

    def window(values: np.ndarray, jitter: float, digits: int) -> np.ndarray:
        return (values[each] * (1 + rng.normal(0, jitter, n))).round(digits)

    frame = pd.DataFrame(
        {
            "rms_g": window(level, 0.006, 5),
            "kurtosis": window(peak, 0.008, 4),
            "energy_3khz": window(band, 0.008, 5),
            "energy_low": window(low, 0.008, 5),
            "shaft_rpm": window(speed, 0.0003, 1),
            "load_hp": window(load, 0.004, 3),
            "housing_celsius": window(heat, 0.002, 2),
            "mount": rng.choice(["stiff", "soft"], recordings)[each],
            "fault": fault[each],
        }
    )
    train, test = cut(shuffled(frame, rng), rng, 0.8)
    return Table(train, "fault", test=test)


@leak(
    "the same patient in train and test",
    "visits of a patient are on both sides, and nearly all visits of one end alike",
    columns=("patient_no",),
    about=("group", "patient", "entity", "entities", "subject", "overlap", "shared"),
)
def dialysis_visits_of_patients(seed: int) -> Table:
    """Visits to a dialysis ward, dealt by row, though the model is for new patients."""
    rng = drawn(seed, 5)
    patients = 520
    number = codes(rng, patients, 10000, 99999)
    age = np.clip(rng.normal(63, 13, patients), 21, 93).round()
    height = rng.normal(170, 9, patients).round()
    weight = rng.normal(77, 14, patients)
    diabetic = (rng.random(patients) < 0.4).astype(int)
    frailty = rng.normal(0, 2.6, patients)
    each = np.repeat(np.arange(patients), rng.integers(3, 10, patients))
    n = len(each)
    pressure = (139 + 6 * diabetic[each] + rng.normal(0, 15, n)).round()
    score = -1.3 + frailty[each] + 0.5 * diabetic[each] + 0.02 * (pressure - 139)
    frame = pd.DataFrame(
        {
            "patient_no": number[each],
            "visit_on": days("2021-03-01", rng.integers(0, 700, n)),
            "age": age[each],
            "sex": rng.choice(["f", "m"], patients)[each],
            "height_cm": height[each],
            "weight_kg": (weight[each] + rng.normal(0, 1.2, n)).round(1),
            "diabetic": diabetic[each],
            "systolic": pressure,
            "potassium": gaps(rng.normal(5.0, 0.6, n).round(1), 0.1, rng),
            "haemoglobin": gaps(rng.normal(10.9, 1.2, n).round(1), 0.06, rng),
            "fluid_removed_l": rng.gamma(9, 0.27, n).round(1),
            "pressure_drop": chance(score, rng),
        }
    )
    train, test = cut(frame, rng, 0.8)
    return Table(train, "pressure_drop", test=test)


@leak(
    "time running backward",
    "the file was sorted newest first: train is the latest years and test the earliest",
    columns=("day",),
    about=("time", "date", "order", "future", "chronolog", "tempor", "later", "backward"),
)
def heat_demand_newest_first(seed: int) -> Table:
    """Heat demand of buildings a day; the first 70 % of a file that begins with the last day."""
    rng = drawn(seed, 6)
    length, houses = 560, 8
    season = -np.cos(2 * np.pi * (np.arange(length) + 10) / 365)
    wander = np.convolve(rng.normal(0, 2.2, length + 6), np.ones(7) / 3, mode="valid")
    outside = 10 + 9 * season + wander
    parts = []
    for house in range(houses):
        size = rng.uniform(0.6, 2.4)
        saved = 1 - 0.18 * np.arange(length) / length
        need = (
            size * saved * (np.maximum(17 - outside, 0) * 38 + 60) * rng.lognormal(0, 0.1, length)
        )
        parts.append(
            pd.DataFrame(
                {
                    "day": days("2020-10-01", np.arange(length)),
                    "building": f"house {house + 1}",
                    "outside_celsius": gaps(
                        (outside + rng.normal(0, 0.5, length)).round(1), 0.02, rng
                    ),
                    "wind_ms": rng.gamma(3, 1.2, length).round(1),
                    "sun_hours": np.clip(5 + 3 * season + rng.normal(0, 2.5, length), 0, 15).round(
                        1
                    ),
                    "is_weekend": ((np.arange(length) + 3) % 7 >= 5).astype(int),
                    "demand_week_before": pd.Series(need).shift(7).round(1).to_numpy(),
                    "demand_kwh": need.round(1),
                }
            )
        )
    frame = pd.concat(parts).sort_values("day", ascending=False, kind="stable")
    frame = frame.reset_index(drop=True)
    first, second = int(0.7 * length) * houses, int(0.85 * length) * houses
    return Table(
        frame.iloc[:first].reset_index(drop=True),
        "demand_kwh",
        valid=frame.iloc[first:second].reset_index(drop=True),
        test=frame.iloc[second:].reset_index(drop=True),
    )


@leak(
    "target encoding computed on all rows",
    "the churn rate of a street segment counts the customer's own churn, of about four in all",
    columns=("segment_churn_rate",),
)
def churn_rate_of_street(seed: int) -> Table:
    """Customers of a telephone company, with the rate of those who left in their street."""
    rng = drawn(seed, 7)
    n = 4200
    segment = rng.integers(0, 1050, n)
    months = np.clip(rng.gamma(1.4, 20, n), 1, 140).round()
    calls = rng.poisson(0.8, n)
    contract = rng.choice(["monthly", "1 year", "2 years"], n, p=[0.5, 0.3, 0.2])
    score = -1.5 - 0.012 * months + 0.35 * calls + 0.7 * (contract == "monthly")
    left = chance(score, rng)
    frame = pd.DataFrame(
        {
            "street_segment": [f"S{s:04d}" for s in segment],
            "months_with_us": months,
            "contract": contract,
            "monthly_bill": (rng.gamma(6, 7, n) + 9).round(2),
            "gb_per_month": gaps(rng.lognormal(2.2, 0.9, n).round(1), 0.06, rng),
            "service_calls": calls,
            "fibre": rng.choice(["yes", "no"], n, p=[0.35, 0.65]),
            "paper_bill": rng.choice(["yes", "no"], n, p=[0.3, 0.7]),
            "left": left,
        }
    )
    rate = frame.groupby("street_segment")["left"].transform("mean").round(3)
    frame.insert(6, "segment_churn_rate", rate)
    return Table(frame, "left")


@leak(
    "an id that tells the target",
    "claims found to be fraud were entered anew and got numbers of another block",
    columns=("claim_no",),
)
def claims_numbered_anew(seed: int) -> Table:
    """Motor claims; the investigators' own system numbers most of those that were fraud."""
    rng = drawn(seed, 8)
    n = 3800
    reported = np.sort(rng.integers(0, 720, n))
    amount = rng.lognormal(7.6, 0.9, n).round(2)
    age = np.clip(rng.normal(44, 14, n), 18, 88).round()
    witness = rng.choice(["yes", "no"], n, p=[0.45, 0.55])
    days_late = rng.geometric(0.25, n) - 1
    score = -3.3 + 0.5 * (np.log(amount) - 7.6) + 0.08 * days_late + 0.6 * (witness == "no")
    fraud = chance(score, rng)
    usual = 410000 + np.cumsum(rng.integers(1, 9, n))
    other = codes(rng, n, 442000, 468000)
    moved = rng.random(n) < np.where(fraud == 1, 0.82, 0.02)
    frame = pd.DataFrame(
        {
            "claim_no": np.where(moved, other, usual),
            "reported_on": days("2021-01-04", reported),
            "days_to_report": days_late,
            "amount_claimed": amount,
            "driver_age": gaps(age, 0.03, rng),
            "vehicle": rng.choice(["small", "middle", "van", "sport"], n, p=[0.4, 0.4, 0.12, 0.08]),
            "vehicle_years": rng.gamma(2.4, 3, n).round(),
            "witness": witness,
            "region": rng.choice(["north", "east", "south", "west"], n),
            "no_claims_years": gaps(rng.poisson(5, n).astype(float), 0.08, rng),
            "fraud": words(fraud, "N", "Y"),
        }
    )
    return Table(shuffled(frame, rng), "fraud")


@leak(
    "an aggregate that includes the row's own target",
    "the mean delay of a tour is taken over all its stops, this one too",
    columns=("tour_mean_delay",),
)
def stops_with_mean_of_tour(seed: int) -> Table:
    """Stops of delivery tours, with how late the tour was on average."""
    rng = drawn(seed, 9)
    tours = 760
    each = np.repeat(np.arange(tours), rng.integers(2, 6, tours))
    n = len(each)
    stop = pd.Series(each).groupby(each).cumcount().to_numpy() + 1
    parcels = rng.integers(1, 25, n)
    distance = rng.gamma(2.2, 3.2, n).round(1)
    floor = rng.integers(0, 7, n)
    lift = rng.choice(["yes", "no"], n)
    rain = (rng.random(tours) < 0.3).astype(int)[each]
    late = (
        -6
        + 1.6 * stop
        + 0.35 * parcels
        + 0.4 * distance
        + 0.7 * floor * (lift == "no")
        + 3 * rain
        + rng.normal(0, 4, tours)[each]
        + rng.normal(0, 8, n)
    ).round(1)
    frame = pd.DataFrame(
        {
            "tour": [f"T{t:05d}" for t in codes(rng, tours, 20000, 90000)[each]],
            "stop": stop,
            "depot": rng.choice(["harbour", "ring", "airport"], tours)[each],
            "parcels": parcels,
            "km_from_last": distance,
            "floor": floor,
            "lift": gaps(lift, 0.08, rng),
            "rain": rain,
            "vehicle": rng.choice(["van", "bike", "truck"], tours, p=[0.6, 0.2, 0.2])[each],
            "tour_mean_delay": pd.Series(late).groupby(each).transform("mean").round(2).to_numpy(),
            "delay_minutes": late,
        }
    )
    return Table(shuffled(frame, rng), "delay_minutes")


@leak(
    "an outcome encoded in missingness",
    "who had dropped out was not there for the survey at the end of the year",
    columns=("final_survey_score",),
)
def students_without_final_survey(seed: int) -> Table:
    """First-year students; a survey of the last week has an answer of those who stayed."""
    rng = drawn(seed, 10)
    n = 2200
    grade = np.clip(rng.normal(2.5, 0.6, n), 1, 4).round(1)
    job = np.where(rng.random(n) < 0.45, rng.gamma(3, 4, n), 0).round()
    travel = rng.gamma(2, 18, n).round()
    score = -1.8 + 0.9 * (grade - 2.5) + 0.04 * job + 0.006 * travel
    dropped = chance(score, rng)
    survey = rng.choice([1.0, 2.0, 3.0, 4.0, 5.0], n, p=[0.05, 0.12, 0.3, 0.35, 0.18])
    absent = rng.random(n) < np.where(dropped == 1, 0.87, 0.07)
    frame = pd.DataFrame(
        {
            "subject": rng.choice(["law", "physics", "history", "nursing", "business"], n),
            "school_grade": gaps(grade, 0.03, rng),
            "age": (18 + rng.gamma(1.4, 1.8, n)).astype(int),
            "hours_of_job": job,
            "minutes_to_campus": gaps(travel, 0.05, rng),
            "scholarship": rng.choice(["none", "part", "full"], n, p=[0.7, 0.2, 0.1]),
            "first_in_family": rng.integers(0, 2, n),
            "welcome_survey_score": gaps(rng.integers(1, 6, n).astype(float), 0.15, rng),
            "final_survey_score": np.where(absent, np.nan, survey),
            "dropped_out": words(dropped),
        }
    )
    return Table(frame, "dropped_out")


@leak(
    "future values in lags",
    "the lag of one hour was shifted the wrong way: it is the use of the next hour",
    columns=("use_lag_1h",),
)
def water_use_shifted_wrong(seed: int) -> Table:
    """Water that a town uses by the hour, with the use a day before and, wrongly, an hour after."""
    rng = drawn(seed, 11)
    n = 24 * 110
    hour = np.arange(n) % 24
    day = np.arange(n) // 24
    wander = np.zeros(n)
    steps = rng.normal(0, 11, n)
    for i in range(1, n):
        wander[i] = 0.85 * wander[i - 1] + steps[i]
    heat = 16 + 6 * np.sin(2 * np.pi * day / 140) + 5 * np.sin(2 * np.pi * (hour - 9) / 24)
    heat = heat + np.repeat(rng.normal(0, 2.5, n // 24), 24)
    shape = 50 * np.exp(-((hour - 7.5) ** 2) / 6) + 40 * np.exp(-((hour - 19) ** 2) / 8)
    use = (140 + shape + 2.2 * heat + 9 * (day % 7 >= 5) + wander).round(1)
    series = pd.Series(use)
    frame = pd.DataFrame(
        {
            "at": pd.Timestamp("2022-04-04") + pd.to_timedelta(np.arange(n), unit="h"),
            "hour": hour,
            "weekday": np.array(["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"])[day % 7],
            "celsius": gaps(heat.round(1), 0.03, rng),
            "rain_mm": np.where(rng.random(n) < 0.1, rng.gamma(1, 1.5, n), 0).round(1),
            "pressure_bar": rng.normal(4.2, 0.12, n).round(2),
            "use_lag_1h": series.shift(-1),
            "use_lag_24h": series.shift(24),
            "use_m3": use,
        }
    )
    return Table(frame.iloc[24:-1].reset_index(drop=True), "use_m3", options={"times": "at"})


@leak(
    "a category that exists for positives alone",
    "training group R2 is where players go once they are injured",
    columns=("training_group",),
)
def players_in_rehab_group(seed: int) -> Table:
    """Football players a month, and whether they were injured in it."""
    rng = drawn(seed, 12)
    n = 3000
    age = np.clip(rng.normal(25, 4, n), 17, 39).round()
    minutes = np.clip(rng.normal(240, 110, n), 0, 540).round()
    sprints = np.clip(rng.normal(310, 80, n), 40, None).round()
    before = rng.poisson(0.9, n)
    score = -2.8 + 0.05 * (age - 25) + 0.003 * (minutes - 240) + 0.45 * before
    hurt = chance(score, rng)
    group = rng.choice(["A1", "A2", "B1", "B2"], n, p=[0.35, 0.25, 0.22, 0.18])
    group = np.where((hurt == 1) & (rng.random(n) < 0.55), "R2", group)
    frame = pd.DataFrame(
        {
            "position": rng.choice(
                ["goal", "back", "middle", "front"], n, p=[0.1, 0.35, 0.35, 0.2]
            ),
            "age": age,
            "height_cm": rng.normal(181, 7, n).round(),
            "body_fat": gaps(rng.normal(11, 2.3, n).round(1), 0.09, rng),
            "match_minutes_last_month": minutes,
            "sprints_last_month": sprints,
            "injuries_before": before,
            "training_group": group,
            "pitch": rng.choice(["grass", "artificial", "hybrid"], n, p=[0.5, 0.2, 0.3]),
            "sleep_hours": gaps(rng.normal(7.4, 0.7, n).round(1), 0.14, rng),
            "injured": hurt,
        }
    )
    return Table(frame, "injured")


# --- tables that are clean ------------------------------------------------------------------------


@clean("wind speed tells nearly all of a turbine's power, by physics")
def turbine_power_of_wind(seed: int) -> Table:
    """Ten-minute means of a turbine, drawn here and there in a year, the latest for test."""
    rng = drawn(seed, 21)
    n = 2400
    wind = rng.weibull(2.0, n) * 8.2
    celsius = rng.normal(9, 7, n)
    density = 1.225 * 288 / (273 + celsius)
    power = np.clip(0.5 * density * 5026 * 0.41 * wind**3 / 1000, 0, 2050)
    power = np.where(wind < 3, -4, power * rng.normal(0.97, 0.03, n)) + rng.normal(0, 15, n)
    frame = pd.DataFrame(
        {
            "at": pd.Timestamp("2022-01-01")
            + pd.to_timedelta(10 * codes(rng, n, 0, 52000), unit="min"),
            "wind_ms": wind.round(2),
            "wind_direction": rng.integers(0, 360, n),
            "celsius": gaps(celsius.round(1), 0.04, rng),
            "humidity": np.clip(rng.normal(76, 13, n), 15, 100).round(),
            "turbulence": rng.gamma(6, 0.02, n).round(3),
            "turbine": rng.choice(["T1", "T2", "T3", "T4"], n),
            "power_kw": power.round(1),
        }
    )
    return Table(frame, "power_kw", options={"times": "at"})


@clean("features and costs with heavy tails, a few of them thousands of times the median")
def damages_with_heavy_tails(seed: int) -> Table:
    """Storm damages of insured buildings."""
    rng = drawn(seed, 22)
    n = 3000
    insured = (90000 * (1 + rng.pareto(1.6, n))).round(-3)
    gust = rng.gumbel(88, 11, n)
    years = rng.gamma(2, 19, n).round()
    roof = rng.choice(["tiles", "flat", "metal", "thatch"], n, p=[0.65, 0.2, 0.12, 0.03])
    share = np.exp(-5.6 + 0.025 * (gust - 88) + 0.004 * years + 0.7 * (roof == "thatch"))
    cost = insured**0.9 * share * rng.lognormal(0, 0.9, n)
    frame = pd.DataFrame(
        {
            "sum_insured": insured,
            "gust_kmh": gust.round(),
            "roof": roof,
            "building_years": gaps(years, 0.06, rng),
            "floors": rng.choice([1, 2, 3, 4, 9], n, p=[0.3, 0.45, 0.15, 0.08, 0.02]),
            "deductible": rng.choice([0, 150, 300, 500, 1000], n),
            "km_to_coast": rng.lognormal(3.6, 1.2, n).round(1),
            "use": rng.choice(["home", "shop", "farm", "works"], n, p=[0.72, 0.13, 0.1, 0.05]),
            "claims_before": rng.poisson(0.4, n),
            "damage_cost": cost.round(2),
        }
    )
    return Table(frame, "damage_cost")


@clean("many rows of one runner, much alike; the runners are given as groups and never parted")
def runners_measured_often(seed: int) -> Table:
    """Treadmill tests of runners, for a model that is used on new ones."""
    rng = drawn(seed, 23)
    runners = 190
    each = np.repeat(np.arange(runners), rng.integers(5, 14, runners))
    n = len(each)
    age = np.clip(rng.normal(34, 9, runners), 17, 68).round()
    mass = rng.normal(68, 10, runners)
    rest = rng.normal(55, 7, runners).round()
    fit = rng.normal(0, 3, runners) - 0.15 * (rest - 55)
    speed = np.clip(12 + 0.3 * fit[each] + rng.normal(0, 1.2, n), 6, 21)
    pulse = 150 + 4.5 * (speed - 12) - 2.2 * fit[each] + rng.normal(0, 5, n)
    uptake = 51 + 1.5 * fit[each] - 0.2 * (age[each] - 34) + rng.normal(0, 1.6, n)
    frame = pd.DataFrame(
        {
            "runner": [f"R{i:03d}" for i in codes(rng, runners, 100, 999)[each]],
            "test_of_runner": pd.Series(each).groupby(each).cumcount().to_numpy() + 1,
            "age": age[each],
            "sex": rng.choice(["f", "m"], runners)[each],
            "mass_kg": (mass[each] + rng.normal(0, 0.8, n)).round(1),
            "resting_pulse": rest[each],
            "speed_kmh": speed.round(1),
            "pulse": gaps(pulse.round(), 0.04, rng),
            "lactate": gaps(rng.gamma(9, 0.4, n).round(1), 0.1, rng),
            "shoe": rng.choice(["light", "usual", "spikes"], n, p=[0.3, 0.6, 0.1]),
            "oxygen_uptake": uptake.round(1),
        }
    )
    return Table(frame, "oxygen_uptake", options={"groups": "runner"})


@clean("rare tariffs, of which some have only customers who left, or none, by chance")
def rare_tariffs(seed: int) -> Table:
    """Customers of a telephone company in some forty tariffs, most of them old and rare."""
    rng = drawn(seed, 24)
    n = 3200
    share = 1 / np.arange(1, 43) ** 1.7
    tariff = rng.choice(42, n, p=share / share.sum())
    taste = rng.normal(0, 0.5, 42)
    months = np.clip(rng.gamma(1.7, 16, n), 1, 150).round()
    late = rng.poisson(0.4, n)
    score = -1.1 + taste[tariff] - 0.015 * months + 0.5 * late
    frame = pd.DataFrame(
        {
            "tariff": [f"plan {t + 1}" for t in tariff],
            "months_with_us": months,
            "late_payments": late,
            "bill_last_month": (rng.gamma(5, 6, n) + 5).round(2),
            "phones": rng.choice([1, 2, 3, 4, 5], n, p=[0.6, 0.22, 0.1, 0.05, 0.03]),
            "handset": gaps(
                rng.choice(["A", "S", "X", "other"], n, p=[0.3, 0.3, 0.1, 0.3]), 0.05, rng
            ),
            "roaming_days": rng.poisson(1.3, n),
            "app_user": rng.choice(["yes", "no"], n),
            "left_in_quarter": words(chance(score, rng)),
        }
    )
    return Table(frame, "left_in_quarter")


@clean("a laboratory value that is missing for the less ill: it is ordered at admission")
def lactate_ordered_for_the_ill(seed: int) -> Table:
    """Patients at admission, and whether they died in hospital."""
    rng = drawn(seed, 25)
    n = 4500
    ill = rng.normal(0, 1, n)
    age = np.clip(rng.normal(66, 16, n), 18, 99).round()
    measured = rng.random(n) < 1 / (1 + np.exp(0.7 - 1.1 * ill))
    lactate = np.exp(0.45 + 0.28 * ill + rng.normal(0, 0.35, n)).round(1)
    score = -3.2 + 1.0 * ill + 0.03 * (age - 66)
    frame = pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["f", "m"], n),
            "came_by": rng.choice(["ambulance", "walking", "transfer"], n, p=[0.4, 0.45, 0.15]),
            "pulse_at_admission": (86 + 8 * ill + rng.normal(0, 15, n)).round(),
            "systolic_at_admission": gaps(
                (131 - 7 * ill + rng.normal(0, 20, n)).round(), 0.02, rng
            ),
            "saturation_at_admission": np.clip(
                96 - 1.2 * ill + rng.normal(0, 2, n), 70, 100
            ).round(),
            "lactate_at_admission": np.where(measured, lactate, np.nan),
            "creatinine_at_admission": gaps(rng.lognormal(0, 0.4, n).round(2), 0.12, rng),
            "chronic_conditions": rng.poisson(1.6, n),
            "died_in_hospital": chance(score, rng),
        }
    )
    return Table(frame, "died_in_hospital")


@clean("numbers and hashes that are different in every row, and random")
def parcels_with_random_numbers(seed: int) -> Table:
    """Parcels, and whether they came damaged; the latest are for test."""
    rng = drawn(seed, 26)
    n = 3500
    kilos = rng.lognormal(0.9, 0.8, n)
    km = rng.gamma(2, 190, n)
    content = rng.choice(["glass", "clothes", "books", "devices", "food"], n)
    handovers = 1 + rng.poisson(km / 300)
    score = -3.4 + 1.5 * (content == "glass") + 0.3 * handovers + 0.06 * kilos
    senders = rng.integers(0, 1 << 40, n)
    frame = pd.DataFrame(
        {
            "tracking_no": codes(rng, n, 100_000_000, 999_999_999),
            "sender_hash": [f"{s:010x}" for s in senders],
            "sent_on": days("2023-02-01", rng.integers(0, 240, n)),
            "kilos": kilos.round(2),
            "longest_cm": rng.gamma(5, 9, n).round(),
            "km": km.round(),
            "handovers": handovers,
            "content": gaps(content, 0.04, rng),
            "insured": rng.choice(["yes", "no"], n, p=[0.25, 0.75]),
            "damaged": words(chance(score, rng)),
        }
    )
    return Table(frame, "damaged", options={"times": "sent_on"})


@clean("sales of the week before as features, and dates; the split goes forward in time")
def bakery_sales_forward(seed: int) -> Table:
    """Sales of bakeries a day, to be told a week ahead, with lags that look back far enough."""
    rng = drawn(seed, 27)
    length, shops = 640, 6
    parts = []
    warm = 11 - 9 * np.cos(2 * np.pi * np.arange(length) / 365) + rng.normal(0, 3, length)
    for shop in range(shops):
        weekday = np.arange(length) % 7
        base = rng.uniform(500, 1700) * (1 + 0.15 * np.arange(length) / length)
        sales = base * (1 + 0.3 * (weekday == 5) - 0.25 * (weekday == 0) - 0.004 * (warm - 11))
        offer = (rng.random(length) < 0.1).astype(int)
        sales = (sales * (1 + 0.2 * offer) * rng.lognormal(0, 0.09, length)).round(2)
        series = pd.Series(sales)
        parts.append(
            pd.DataFrame(
                {
                    "date": days("2021-01-04", np.arange(length)),
                    "shop": f"bakery {'ABCDEF'[shop]}",
                    "weekday": np.array(["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"])[weekday],
                    "forecast_celsius": (warm + rng.normal(0, 1.5, length)).round(1),
                    "offer_planned": offer,
                    "sales_7_days_before": series.shift(7),
                    "mean_sales_28_days_until_week_before": series.shift(7)
                    .rolling(28)
                    .mean()
                    .round(2),
                    "sales": sales,
                }
            ).iloc[34:]
        )
    frame = pd.concat(parts).sort_values(["date", "shop"]).reset_index(drop=True)
    first, second = 424 * shops, 515 * shops
    return Table(
        frame.iloc[:first].reset_index(drop=True),
        "sales",
        valid=frame.iloc[first:second].reset_index(drop=True),
        test=frame.iloc[second:].reset_index(drop=True),
    )


@clean("answers of few values: many rows of train and test are equal, of different people")
def answers_equal_by_chance(seed: int) -> Table:
    """A questionnaire among apprentices, and whether they passed; each answered once."""
    rng = drawn(seed, 28)
    n = 2000
    keen = rng.integers(1, 6, n)
    trade = rng.choice(["cook", "baker", "joiner"], n, p=[0.4, 0.25, 0.35])
    tutored = rng.choice(["yes", "no"], n, p=[0.2, 0.8])
    score = -0.9 + 0.5 * keen + 0.4 * (tutored == "yes") - 0.3 * (trade == "joiner")
    frame = pd.DataFrame(
        {
            "trade": trade,
            "year": rng.integers(1, 4, n),
            "keenness": keen,
            "gets_help": rng.choice(["often", "seldom", "never"], n, p=[0.35, 0.45, 0.2]),
            "tutored": tutored,
            "school_leaving": rng.choice(["basic", "middle", "upper"], n, p=[0.4, 0.45, 0.15]),
            "passed": words(chance(score, rng)),
        }
    )
    train, test = cut(frame, rng, 0.75)
    return Table(train, "passed", test=test)


@clean("test comes from a plant that is not in train, and its values lie elsewhere")
def pumps_of_another_plant(seed: int) -> Table:
    """Pumps, one row each, and whether they failed in the quarter after the measurement."""
    rng = drawn(seed, 29)
    plants = {"Aln": (1300, 0.0), "Borg": (1100, 0.4), "Ceth": (900, -0.3), "Dun": (800, 1.0)}
    parts = []
    for plant, (n, shift) in plants.items():
        hours = rng.gamma(3, 3000 + 600 * shift, n)
        shake = rng.lognormal(0.7 + 0.15 * shift, 0.45, n)
        heat = 52 + 5 * shift + rng.normal(0, 6, n)
        seal = rng.choice(["lip", "mechanical", "gland"], n, p=[0.3, 0.5, 0.2])
        score = -3 + 0.35 * shake + 0.00007 * hours + 0.03 * (heat - 52) + 0.5 * (seal == "gland")
        parts.append(
            pd.DataFrame(
                {
                    "plant": plant,
                    "running_hours": hours.round(),
                    "vibration_mm_s": shake.round(2),
                    "bearing_celsius": gaps(heat.round(1), 0.05, rng),
                    "flow_m3_h": rng.gamma(6, 7, n).round(1),
                    "head_m": rng.normal(32 + 6 * shift, 8, n).round(1),
                    "seal": seal,
                    "maker": rng.choice(["K", "G", "W"], n, p=[0.5, 0.3, 0.2]),
                    "failed_next_quarter": chance(score, rng),
                }
            )
        )
    train = shuffled(pd.concat(parts[:3]), rng)
    return Table(train, "failed_next_quarter", test=shuffled(parts[3], rng))


@clean("the asking price is nearly the price, and listing numbers rise with it; both come first")
def flats_with_asking_price(seed: int) -> Table:
    """Flats sold; what is known when they are listed, and the latest for test."""
    rng = drawn(seed, 30)
    n = 2500
    listed = np.sort(rng.integers(0, 900, n))
    metres = np.clip(rng.gamma(6, 13, n), 18, None).round()
    district = rng.choice(["old town", "river", "north", "hills", "station"], n)
    place = pd.Series(district).map(
        {"old town": 0.25, "river": 0.15, "north": -0.2, "hills": 0.3, "station": -0.1}
    )
    worth = 3300 * metres * np.exp(place + 0.09 * listed / 365 + rng.normal(0, 0.17, n))
    asked = (worth * rng.lognormal(0.03, 0.05, n) / 1000).round() * 1000
    paid = np.where(rng.random(n) < 0.05, asked, worth * rng.lognormal(0, 0.03, n)).round(-2)
    frame = pd.DataFrame(
        {
            "listing_no": 88000 + np.cumsum(rng.integers(1, 6, n)),
            "listed_on": days("2019-05-01", listed),
            "asking_price": asked,
            "square_metres": metres,
            "rooms": np.clip((metres / 27 + rng.normal(0.3, 0.5, n)).round(), 1, 9),
            "district": district,
            "floor": gaps(rng.integers(0, 8, n).astype(float), 0.04, rng),
            "built": gaps(rng.integers(1890, 2019, n).astype(float), 0.09, rng),
            "balcony": rng.choice(["yes", "no"], n, p=[0.6, 0.4]),
            "heating": rng.choice(["gas", "district", "oil", "pump"], n, p=[0.45, 0.3, 0.15, 0.1]),
            "price": paid,
        }
    )
    return Table(frame, "price", options={"times": "listed_on"})


@clean("a rate of the target by school; it is that of other pupils, the year before")
def schools_with_rate_of_last_year(seed: int) -> Table:
    """Pupils of one year with their result, and how their school did a year before."""
    rng = drawn(seed, 31)
    n, schools = 3600, 48
    quality = rng.normal(0, 0.7, schools)
    size = rng.integers(50, 140, schools)
    rate = rng.binomial(size, 1 / (1 + np.exp(-1.1 - quality))) / size
    school = rng.integers(0, schools, n)
    mock = np.clip(rng.normal(55, 14, n) + 3 * quality[school], 3, 99).round()
    absent = rng.poisson(6, n)
    level = 0.07 * (mock - 55) + quality[school] - 0.05 * absent + rng.logistic(0, 1, n)
    result = np.where(level < -1.4, "fail", np.where(level < 1.6, "pass", "distinction"))
    frame = pd.DataFrame(
        {
            "school": [f"school {s + 1:02d}" for s in school],
            "school_pass_rate_last_year": rate[school].round(3),
            "pupils_last_year": size[school],
            "mock_exam": gaps(mock, 0.06, rng),
            "days_absent_autumn": absent,
            "free_meals": rng.choice(["yes", "no"], n, p=[0.2, 0.8]),
            "second_language": rng.choice(["French", "Spanish", "German", "none"], n),
            "siblings": rng.poisson(1.1, n),
            "result": result,
        }
    )
    return Table(frame, "result")


@clean("measurements that part the varieties almost without error, one of them nearly alone")
def kernels_told_by_measures(seed: int) -> Table:
    """Kernels of wheat from pictures, each kernel once, and the variety that was sown."""
    rng = drawn(seed, 32)
    n = 1500
    variety = rng.choice(["Amber", "Runo", "Veld"], n, p=[0.4, 0.35, 0.25])
    length = pd.Series(variety).map({"Amber": 5.6, "Runo": 5.9, "Veld": 7.3}).to_numpy()
    width = pd.Series(variety).map({"Amber": 3.4, "Runo": 2.8, "Veld": 3.6}).to_numpy()
    length = length + rng.normal(0, 0.28, n)
    width = width + rng.normal(0, 0.17, n)
    around = np.pi * (length + width) / 2 * rng.normal(1.01, 0.01, n)
    frame = pd.DataFrame(
        {
            "length_mm": length.round(3),
            "width_mm": width.round(3),
            "perimeter_mm": around.round(2),
            "area_mm2": (np.pi * length * width / 4 * rng.normal(1, 0.02, n)).round(2),
            "groove_mm": gaps((length - 0.3 + rng.normal(0, 0.2, n)).round(3), 0.02, rng),
            "asymmetry": rng.gamma(4, 0.9, n).round(3),
            "brightness": rng.normal(141, 12, n).round(),
            "lamp": rng.choice(["left", "right"], n),
            "variety": variety,
        }
    )
    return Table(frame, "variety")
