"""How a user of each peer writes a partitioned data set, adding to it or replacing it.

Run as a program, `peer_writers.py NAME` is one writing process: it reads a request a line, a JSON
list, from standard input and answers each on standard output. ["load", PATH] reads an input into
memory, and ["write", ROOT, MODE] writes it, with `acknowledged` once the peer has returned.
"""

import json
import os
import sys
import uuid

import pyarrow.parquet as pq
from data import KEY


def pyarrow(table, root, mode):
    import pyarrow.dataset as ds

    behavior = {"append": "overwrite_or_ignore", "overwrite": "delete_matching"}[mode]
    ds.write_dataset(
        table,
        root,
        format="parquet",
        partitioning=[KEY],
        partitioning_flavor="hive",
        # Without it an append replaces what an earlier one wrote under the same name.
        basename_template=f"{uuid.uuid4()}-{{i}}.parquet",
        existing_data_behavior=behavior,
    )


def pandas(frame, root, mode):
    behavior = {"append": "overwrite_or_ignore", "overwrite": "delete_matching"}[mode]
    frame.to_parquet(
        root, engine="pyarrow", index=False, partition_cols=[KEY], existing_data_behavior=behavior
    )


def polars(frame, root, mode):
    import polars

    def fresh(given):
        value = given.partition_keys.item(0, 0)
        return f"{KEY}={value}/{uuid.uuid4()}.parquet"

    # Its own names are the same each time, so a second write replaces the files of the first.
    names = {"append": fresh, "overwrite": None}[mode]
    target = polars.PartitionBy(root, key=KEY, include_key=False, file_path_provider=names)
    frame.lazy().sink_parquet(target, mkdir=True)


def duckdb(table, root, mode):
    import duckdb

    how = {"append": "APPEND", "overwrite": "OVERWRITE"}[mode]
    where = "'" + root.replace("'", "''") + "'"
    with duckdb.connect() as connection:
        connection.register("input", table)
        connection.sql(f"COPY input TO {where} (FORMAT parquet, PARTITION_BY ({KEY}), {how})")


def datafusion(table, root, mode):
    from datafusion import SessionContext

    context = SessionContext()
    context.from_arrow(table, name="input")
    where = "'" + root.replace("'", "''") + "/'"
    context.sql(f"COPY input TO {where} STORED AS PARQUET PARTITIONED BY ({KEY})").collect()


def delta(table, root, mode):
    from deltalake import write_deltalake

    write_deltalake(root, table, mode=mode, partition_by=[KEY])


def rename(table, root, mode):
    """The recipe of many a program: write beside the final name, then rename; nothing is synced."""
    import pyarrow.compute as pc

    for value in pc.unique(table[KEY]).to_pylist():
        directory = os.path.join(root, f"{KEY}={value}")
        os.makedirs(directory, exist_ok=True)
        name = {"append": f"{uuid.uuid4()}.parquet", "overwrite": "data.parquet"}[mode]
        rows = table.filter(pc.equal(table[KEY], value)).drop_columns([KEY])
        final = os.path.join(directory, name)
        pq.write_table(rows, final + ".tmp")
        os.replace(final + ".tmp", final)


WRITERS = {
    "pyarrow": pyarrow,
    "pandas": pandas,
    "polars": polars,
    "duckdb": duckdb,
    "datafusion": datafusion,
    "delta-rs": delta,
    "rename": rename,
}


def load(name, path):
    """The input as the peer likes it best, with everything imported that a write needs."""
    if name == "pandas":
        import pandas

        return pandas.read_parquet(path)
    if name == "polars":
        import polars

        return polars.read_parquet(path)
    __import__({"delta-rs": "deltalake", "rename": "pyarrow.compute"}.get(name, name))
    return pq.read_table(path)


def main():
    name = sys.argv[1]
    loaded = None
    for line in sys.stdin:
        verb, *given = json.loads(line)
        try:
            if verb == "load":
                loaded = load(name, *given)
                print("loaded", flush=True)
            else:
                WRITERS[name](loaded, *given)
                print("acknowledged", flush=True)
        except BaseException as error:  # A panic inside Polars is no Exception.
            print(f"failed: {type(error).__name__}: {error}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
