"""Makes testdata/odd: tiny good, odd and damaged files, and index.json, which says what each is.

Run with Python 3.11 or newer and pyarrow 26.0.1, from anywhere: python make_odd_files.py
The result is the same at every run: the files are committed, and a run changes none of them.
"""

import io
import json
import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ODD = Path(__file__).parent / "odd"
ROWS = 20
LEVELS = ("footer", "checksum", "decode")
FAR = 1 << 40  # An offset that is beyond the end of any of these files.

index = []


def put(name, data, about, expect, **more):
    """Writes one file and its line of the index."""
    assert len(data) < 10_000, name
    (ODD / name).write_bytes(data)
    index.append({"file": name, "about": about, "expect": expect, **more})


def table(rows=ROWS):
    start = datetime(2013, 1, 1, tzinfo=timezone.utc)
    gust = [None if i % 3 else 20.5 + i for i in range(rows)]
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "origin": pa.array([("EWR", "JFK", None)[i % 3] for i in range(rows)], pa.string()),
            "gust": pa.array(gust, pa.float64()),
            "at": pa.array([start + timedelta(hours=i) for i in range(rows)], pa.timestamp("us", "UTC")),
        }
    )


def parquet(rows=ROWS, **options):
    """A Parquet file of two row groups, with page CRCs unless told otherwise."""
    settings = {"compression": "zstd", "row_group_size": ROWS // 2, "write_page_checksum": True}
    sink = io.BytesIO()
    pq.write_table(table(rows), sink, **{**settings, **options})
    return sink.getvalue()


def metadata(data):
    return pq.ParquetFile(io.BytesIO(data)).metadata


# Thrift's compact protocol, as much of it as finds a field of the footer and writes a number.


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def zigzag(value):
    """The bytes of a signed number."""
    value = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def skip(data, at, kind, path, spans):
    """The end of the value at `at`; notes where each number below it starts and ends."""
    if kind in (1, 2):  # A boolean is in its field's header.
        return at
    if kind == 3:
        return at + 1
    if kind in (4, 5, 6):
        end = varint(data, at)[1]
        spans[path] = (at, end)
        return end
    if kind == 7:
        return at + 8
    if kind == 8:
        length, at = varint(data, at)
        return at + length
    if kind in (9, 10):
        count, of = data[at] >> 4, data[at] & 15
        at += 1
        if count == 15:
            count, at = varint(data, at)
        for place in range(count):
            at = at + 1 if of in (1, 2) else skip(data, at, of, (*path, place), spans)
        return at
    assert kind == 12, kind
    field = 0
    while data[at]:
        delta, of = data[at] >> 4, data[at] & 15
        at += 1
        if delta:
            field += delta
        else:
            raw, at = varint(data, at)
            field = (raw >> 1) ^ -(raw & 1)
        at = skip(data, at, of, (*path, field), spans)
    return at + 1


def numbers(data, at=0):
    """Where the numbers of the structure at `at` are, by path of field ids and list places."""
    spans = {}
    skip(data, at, 12, (), spans)
    return spans


def footer_of(data):
    length = struct.unpack("<I", data[-8:-4])[0]
    return data[: -8 - length], data[-8 - length : -8]


def with_footer(body, footer):
    return body + footer + struct.pack("<I", len(footer)) + b"PAR1"


def patched(data, changes):
    """The file with other numbers in its footer."""
    body, footer = footer_of(data)
    spans = numbers(footer)
    for path, value in sorted(changes.items(), key=lambda change: spans[change[0]], reverse=True):
        start, end = spans[path]
        footer = footer[:start] + zigzag(value) + footer[end:]
    return with_footer(body, footer)


def flipped(data, at, mask=0x01):
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


# Paths in FileMetaData, by parquet.thrift's field ids.
FILE_ROWS = (3,)


def group_rows(group):
    return (4, group, 3)


def column_meta(group, column, field):
    return (4, group, 1, column, 3, field)


NUM_VALUES, COMPRESSED_SIZE, DATA_PAGE_OFFSET, DICTIONARY_PAGE_OFFSET = 5, 7, 9, 11
OFFSET_INDEX_OFFSET = 4  # Of ColumnChunk, not of its metadata.


def damaged_at(level):
    """Levels include one another: what one finds, the later ones find too."""
    first = LEVELS.index(level)
    return {name: "damaged" if place >= first else "good" for place, name in enumerate(LEVELS)}


SOUND = dict.fromkeys(LEVELS, "good")
BROKEN = damaged_at("footer")


def sound_parquet_files():
    put("good.parquet", parquet(), "two row groups, zstd, page CRCs, nulls", SOUND, rows=ROWS)
    put("no-crc.parquet", parquet(write_page_checksum=False), "the same without page CRCs", SOUND, rows=ROWS)
    put("no-rows.parquet", parquet(rows=0), "a schema and no row", SOUND, rows=0)
    put("page-index.parquet", parquet(write_page_index=True), "with a page index", SOUND, rows=ROWS)
    for codec in ("none", "snappy", "gzip", "brotli", "lz4"):
        data = parquet(compression=codec)
        put(f"codec-{codec}.parquet", data, f"pages compressed with {codec}", SOUND, rows=ROWS)


def cut_parquet_files():
    good = parquet()
    body, footer = footer_of(good)
    put("zero-bytes.parquet", b"", "0 bytes, as after a power cut", BROKEN)
    put("only-magic.parquet", b"PAR1PAR1", "both magics and nothing between", BROKEN)
    put("head-only.parquet", good[:4], "the leading magic alone", BROKEN)
    put("cut-in-page.parquet", good[:60], "cut in the first page", BROKEN)
    put("cut-before-footer.parquet", body, "all pages and no footer", BROKEN)
    put("cut-in-footer.parquet", good[: len(body) + len(footer) // 2], "cut in the footer", BROKEN)
    put("cut-last-byte.parquet", good[:-1], "the last byte is missing", BROKEN)
    put("extra-byte.parquet", good + b"\n", "one byte after the closing magic", BROKEN)
    put("text.parquet", b"origin,year\nEWR,2013\n" * 3, "a CSV under the wrong name", BROKEN)


def wrong_parquet_footers():
    good = parquet()
    body, footer = footer_of(good)
    magic = b"PAR1"
    put("bad-head-magic.parquet", b"PAR2" + good[4:], "the leading magic is wrong", BROKEN)
    length = struct.pack("<I", len(good) + 1)
    put("footer-length-beyond-start.parquet", good[:-8] + length + magic, "the footer would start before the file", BROKEN)
    length = struct.pack("<i", -1)
    put("footer-length-negative.parquet", good[:-8] + length + magic, "a footer length of -1", BROKEN)
    put("footer-length-zero.parquet", body + bytes(4) + magic, "a footer of no bytes", BROKEN)
    noise = bytes((7 * i + 255) % 256 for i in range(len(footer)))
    put("footer-noise.parquet", with_footer(body, noise), "noise of the footer's length in its place", BROKEN)
    put("encrypted-footer.parquet", b"PARE" + good[4:-4] + b"PARE", "the magic of an encrypted footer: cannot be checked", BROKEN)
    changed = patched(good, {FILE_ROWS: ROWS + 1})
    put("rows-disagree.parquet", changed, "the footer has 21 rows, its row groups have 20", BROKEN)
    changed = patched(good, {FILE_ROWS: -ROWS, group_rows(0): -ROWS // 2, group_rows(1): -ROWS // 2})
    put("rows-negative.parquet", changed, "negative row counts", BROKEN)
    more = {group_rows(1): ROWS // 2 + 1, FILE_ROWS: ROWS + 1}
    more |= {column_meta(1, column, NUM_VALUES): ROWS // 2 + 1 for column in range(4)}
    put(
        "rows-not-in-pages.parquet",
        patched(good, more),
        "footer and row groups agree on 21 rows, the pages hold 20; a look at page headers may find it",
        {**damaged_at("decode"), "checksum": "any"},
    )
    far = {column_meta(1, 2, DICTIONARY_PAGE_OFFSET): FAR, column_meta(1, 2, DATA_PAGE_OFFSET): FAR + 64}
    put("chunk-beyond-end.parquet", patched(good, far), "a column chunk's pages beyond the end of the file", BROKEN)
    changed = patched(good, {column_meta(1, 3, COMPRESSED_SIZE): len(good)})
    put("chunk-too-long.parquet", changed, "a column chunk that reaches beyond the end of the file", BROKEN)
    changed = patched(parquet(write_page_index=True), {(4, 0, 1, 1, OFFSET_INDEX_OFFSET): FAR})
    put("page-index-beyond-end.parquet", changed, "a page index beyond the end of the file", BROKEN)


def first_data_page(data, group, column):
    """Where a column chunk's first data page has its header, its content and the content's end."""
    header = metadata(data).row_group(group).column(column).data_page_offset
    spans = {}
    content = skip(data, header, 12, (), spans)
    length = varint(data, spans[(3,)][0])[0] >> 1  # compressed_page_size, never negative here.
    return header, content, content + length


def flipped_parquet_pages():
    checked, bare = parquet(), parquet(write_page_checksum=False)
    _, content, end = first_data_page(checked, 1, 0)
    put("page-flipped-crc.parquet", flipped(checked, (content + end) // 2), "one bit of a compressed page is wrong; the page has a CRC", damaged_at("checksum"))
    _, content, _ = first_data_page(bare, 1, 0)
    put("page-flipped-no-crc.parquet", flipped(bare, content), "the first bit of a zstd frame is wrong; no page CRC", damaged_at("checksum"))
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    for suffix, crc, expect in (("crc", True, damaged_at("checksum")), ("no-crc", False, SOUND)):
        data = parquet(write_page_checksum=crc, **plain)
        at = data.index(struct.pack("<qq", 12, 13))
        about = "one bit of an uncompressed value is wrong" + (
            "; the page has a CRC" if crc else "; nothing in the file can tell"
        )
        more = {} if crc else {"rows": ROWS}
        put(f"value-flipped-{suffix}.parquet", flipped(data, at), about, expect, **more)
    header, _, _ = first_data_page(bare, 0, 0)
    noise = bare[:header] + b"\xff" * 8 + bare[header + 8 :]
    put("page-header-noise.parquet", noise, "a page header that is no page header", damaged_at("checksum"))


def json_files():
    good, bad = {"parse": "good"}, {"parse": "damaged"}
    lines = [json.dumps({"station": 123, "hour": i, "temp": None if i == 2 else i / 2}) for i in range(5)]
    text = ("\n".join(lines) + "\n").encode()
    put("good.ndjson", text, "five objects", good, rows=5)
    put("no-last-newline.ndjson", text[:-1], "five objects, no newline after the last", good, rows=5)
    put("blank-line.ndjson", text.replace(b"\n", b"\n\n", 1), "a blank line between objects", good, rows=5)
    put("cut.ndjson", text[:-20], "cut in the last line", bad)
    put("bad-line.ndjson", text.replace(b'"hour": 2', b'"hour": ,'), "the third line is no JSON", bad)
    document = json.dumps({"station": 123, "observations": [{"hour": 0, "temp": 1.5}]}, indent=1).encode()
    put("good.json", document, "one document", good)
    put("cut.json", document[:-10], "cut before the end", bad)
    put("two.json", document + b"\n" + document, "two documents in a file for one", bad)
    put("empty.json", b"", "0 bytes", bad)
    put("not-utf8.json", b'{"name": "\xff\xfe"}', "a string that is not UTF-8", bad)


def ipc(opened, rows=ROWS):
    """Batches of ten rows each."""
    sink = io.BytesIO()
    with opened(sink, table().schema) as writer:
        writer.write_table(table().slice(0, rows), max_chunksize=ROWS // 2)
    return sink.getvalue()


def ipc_files():
    good, bad = {"parse": "good"}, {"parse": "damaged"}
    file, stream = ipc(pa.ipc.new_file), ipc(pa.ipc.new_stream)
    put("good.arrow", file, "an Arrow IPC file of two batches", good, rows=ROWS)
    put("cut.arrow", file[: len(file) // 2], "cut in the middle", bad)
    put("cut-last-byte.arrow", file[:-1], "the last byte of the closing magic is missing", bad)
    put("zero-bytes.arrow", b"", "0 bytes", bad)
    put("good.arrows", stream, "an Arrow IPC stream of two batches", good, rows=ROWS)
    # Eight bytes mark the end of a stream.
    second = len(ipc(pa.ipc.new_stream, ROWS // 2)) - 8
    assert stream[second : second + 4] == b"\xff" * 4
    put("no-end.arrows", stream[:-8], "two batches without the mark of the end: the format allows it", {"parse": "any"})
    put("cut-between.arrows", stream[:second], "cut between two batches: only the mark of the end is missed", {"parse": "any"})
    put("cut-in-mark.arrows", stream[: second + 3], "cut in the four bytes that open the second batch", bad)
    put("cut.arrows", stream[: (second + len(stream)) // 2], "cut in the second batch", bad)
    put("zero-bytes.arrows", b"", "0 bytes: not even a schema", bad)


def csv_files():
    good, bad = {"parse": "good"}, {"parse": "damaged"}
    head = "origin,year,temp\n"
    text = head + "EWR,2013,39.02\nJFK,2013,38.5\nLGA,2013,40\n"
    put("good.csv", text.encode(), "three rows", good, rows=3)
    put("crlf.csv", text.replace("\n", "\r\n").encode(), "lines end with CR LF", good, rows=3)
    put("no-last-newline.csv", text[:-1].encode(), "no newline after the last row", good, rows=3)
    put("ragged.csv", text.replace("JFK,2013,38.5", "JFK,2013,38.5,7").encode(), "the second row has a field too many", bad, line=3)
    put("cut.csv", text[: text.index("LGA") + 6].encode(), "cut in the middle of the last line", bad, line=4)
    put("cut-in-quotes.csv", (text + 'EWR,2013,"4').encode(), "cut within a quoted field: many parsers take what there is", {"parse": "any"}, line=5)
    put("zero-bytes.csv", b"", "0 bytes: not even a header", bad)
    put("header-only.csv", head.encode(), "a header and no row", good, rows=0)
    put("semicolon.csv", text.replace(",", ";").encode(), "fields are separated by semicolons", good, rows=3, delimiter=";")
    put("quoted-newline.csv", b'origin,note\nEWR,"two\nlines"\nJFK,"a ""quote"", a comma"\n', "newlines, quotes and commas within quotes", good, rows=2)
    put("bom.csv", "\ufeff".encode() + text.encode(), "a byte order mark before the header: no part of the first name", good, rows=3)
    put("na-nulls.csv", (head + "EWR,2013,NA\nJFK,2013,\nLGA,2013,40\n").encode(), "nulls spelt NA and as nothing", good, rows=3)
    put("late-fraction.csv", (head + "EWR,2013,1\n" * 300 + "EWR,2013,1.5\n").encode(), "whole numbers, then a fraction in row 301", good, rows=301)
    put("text-in-number.csv", (head + "EWR,2013,1\n" * 300 + "EWR,2013,cold\n").encode(), "numbers, then a word in row 301", good, rows=301)
    put("no-header-name.csv", b"origin,,temp\nEWR,2013,1\n", "a column without a name", {"parse": "any"})
    put("same-name.csv", b"origin,temp,temp\nEWR,1,2\n", "two columns of one name", {"parse": "any"})
    put("not-utf8.csv", b"origin,year\nM\xfcnchen,2013\n", "Latin-1, not UTF-8", bad, line=2)


def main():
    assert pa.__version__ == "26.0.1", f"made with pyarrow 26.0.1, not {pa.__version__}"
    ODD.mkdir(exist_ok=True)
    for old in ODD.iterdir():
        old.unlink()
    for make in (
        sound_parquet_files,
        cut_parquet_files,
        wrong_parquet_footers,
        flipped_parquet_pages,
        json_files,
        ipc_files,
        csv_files,
    ):
        make()
    lines = ",\n".join(json.dumps(entry) for entry in index)
    (ODD / "index.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
