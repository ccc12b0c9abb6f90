//! `inspect`.

use crate::run::Place;

#[test]
fn a_data_set_is_a_table_with_totals() {
    let place = Place::new();
    place.write_weather(&["-q"]).exits(0);
    let ran = place
        .run(["inspect", "lake/weather"])
        .exits(0)
        .prints("lake/weather: 26,115 rows in 36 files of 36 partitions, 36 row groups, ")
        .prints("rows of a partition: largest 744, median 720, skew 1.03\n")
        .prints("nothing odd\n");
    let row = ran
        .stdout
        .lines()
        .find(|line| line.contains("station_id=EWR/year=2013/month=1 "));
    let cells: Vec<_> = row.unwrap().split_whitespace().take(4).collect();
    assert_eq!(cells, ["station_id=EWR/year=2013/month=1", "1", "1", "742"]);
}

#[test]
fn json_has_every_partition_and_oddity() {
    let place = Place::new();
    place.write_weather(&["-q"]).exits(0);
    place.file("lake/weather/x.parquet.tmp", "x");
    let report = place
        .run(["inspect", "lake/weather", "--json"])
        .exits(0)
        .json();
    assert_eq!(report["totals"]["rows"], 26_115);
    assert_eq!(report["skew"]["largest"], 744);
    let partitions = report["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 36);
    assert_eq!(
        partitions[0]["directory"],
        "station_id=EWR/year=2013/month=1"
    );
    assert_eq!(partitions[0]["partition"]["station_id"], "EWR");
    assert_eq!(partitions[0]["rows"], 742);
    let oddities = report["oddities"].as_array().unwrap();
    assert_eq!(oddities.len(), 1);
    assert_eq!(oddities[0]["kind"], "foreign-file");
    assert!(oddities[0]["message"].as_str().is_some());
    assert!(
        oddities[0]["path"]
            .as_str()
            .unwrap()
            .ends_with("x.parquet.tmp")
    );
}

#[test]
fn what_readers_stumble_over_is_listed_by_kind() {
    let place = Place::new();
    place.file("in.csv", "station,v\n010010,1\n010020,2\n,3\n");
    let args = "write in.csv --to lake/weather --partition-by station --schema station=Utf8 -q";
    place.run(args.split_whitespace()).exits(0);
    for n in 0..7 {
        place.file(&format!("lake/weather/{n}.crc"), "x");
    }
    let ran = place
        .run(["inspect", "lake/weather"])
        .exits(0)
        .prints(
            "odd [leading-zero]: station=010010 (and 1 more like it): pyarrow, pandas and Polars",
        )
        .prints("odd [null]: station=__HIVE_DEFAULT_PARTITION__: DataFusion")
        .prints("odd [foreign-file]: … and 2 more (--all)");
    assert_eq!(ran.stdout.matches(".crc").count(), 5);
    let all = place.run(["inspect", "lake/weather", "--all"]).exits(0);
    assert_eq!(all.stdout.matches(".crc").count(), 7);
}

#[test]
fn small_files_are_odd_beneath_the_size_given() {
    let place = Place::new();
    place.write_weather(&["-q"]).exits(0);
    place.write_weather(&["-q"]).exits(0);
    place
        .run(["inspect", "lake/weather"])
        .exits(0)
        .prints("2 files of less than 1048576 bytes");
    place
        .run(["inspect", "lake/weather", "--small-file", "100"])
        .exits(0)
        .prints("nothing odd");
}

#[test]
fn only_the_first_partitions_are_shown_unless_all_are_asked_for() {
    let place = Place::new();
    let rows: String = (0..60).map(|n| format!("{n},1\n")).collect();
    place.file("in.csv", format!("k,v\n{rows}"));
    let args = "write in.csv --to lake/weather --partition-by k --durability unsynced -q";
    place.run(args.split_whitespace()).exits(0);
    let ran = place.run(["inspect", "lake/weather"]).exits(0);
    assert_eq!(ran.stdout.matches(" k=").count(), 50);
    ran.prints("… and 10 more partitions (--all)");
    let ran = place.run(["inspect", "lake/weather", "--all"]).exits(0);
    assert_eq!(ran.stdout.matches(" k=").count(), 60);
}

#[test]
fn a_root_that_is_no_directory_exits_with_1() {
    let place = Place::new();
    place.file("file", "x");
    place
        .run(["inspect", "no"])
        .exits(1)
        .says("no: cannot be read");
    place
        .run(["inspect", "file"])
        .exits(1)
        .says("file: is not a directory");
}

#[test]
fn a_data_set_of_another_format_is_counted_and_its_rows_are_said_to_be_unknown() {
    let place = Place::new();
    place.file("in.csv", "k,v\na,1\nb,2\n");
    let args = "write in.csv --to lake/weather --partition-by k --format ndjson -q";
    place.run(args.split_whitespace()).exits(0);
    place
        .run(["inspect", "lake/weather"])
        .exits(0)
        .prints("lake/weather: an unknown number of rows in 2 files of 2 partitions, ")
        .prints("nothing odd");
    let report = place
        .run(["inspect", "lake/weather", "--json"])
        .exits(0)
        .json();
    assert_eq!(report["totals"]["uncounted_files"], 2);
}
