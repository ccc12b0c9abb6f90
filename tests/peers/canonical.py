"""Values of any reader in one spelling, so that they can be compared. It needs Python alone."""

import datetime
import decimal

EPOCH = datetime.datetime(1970, 1, 1)

NAMES = {
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
    "date32[day]": "date32",
    "date64[ms]": "date64",
}


def number(text):
    """Equal for equal numbers, whatever holds them."""
    text = str(text)
    if text.lstrip("+-").lower() in ("nan", "inf", "infinity"):
        return "number " + text.lower().replace("infinity", "inf").lstrip("+")
    with decimal.localcontext(prec=100):
        return f"number {decimal.Decimal(text).normalize():f}"


def in_order(entries):
    """The entries of a map, whose order is of no account."""
    return sorted(entries, key=str)


def value(found):
    """A value of Python, of the kinds that readers give."""
    if found is None:
        return None
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, (int, float, decimal.Decimal)):
        return number(repr(found) if isinstance(found, float) else found)
    if isinstance(found, str):
        return f"text {found}"
    if isinstance(found, (bytes, bytearray)):
        return f"bytes {bytes(found).hex()}"
    if isinstance(found, datetime.datetime):
        if found.tzinfo is not None:
            found = found.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return f"time {(found - EPOCH) // datetime.timedelta(microseconds=1) * 1000}"
    if isinstance(found, datetime.date):
        return f"time {(found - EPOCH.date()).days * 86400 * 10**9}"
    if isinstance(found, datetime.time):
        seconds = (found.hour * 60 + found.minute) * 60 + found.second
        return f"span {(seconds * 10**6 + found.microsecond) * 1000}"
    if isinstance(found, datetime.timedelta):
        return f"span {found // datetime.timedelta(microseconds=1) * 1000}"
    if isinstance(found, dict):
        return ["map", *in_order([value(key), value(item)] for key, item in found.items())]
    if hasattr(found, "asDict"):
        return ["struct", *([name, value(item)] for name, item in found.asDict().items())]
    if isinstance(found, (list, tuple)):
        return ["list", *(value(item) for item in found)]
    return f"{type(found).__name__} {found}"


def compare(given, name, exact, counts):
    """What a reader found, beside what was given."""
    if "unknown" in given:
        return {"type": name, "same": False, "values": True}
    as_text = name == "string" and given["type"] not in ("string", "json")
    return {
        "type": name,
        "same": name == given["type"],
        "values": as_text or exact == given["exact"] or counts == given["counts"],
    }
