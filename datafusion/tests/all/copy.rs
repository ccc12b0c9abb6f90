//! COPY … TO … STORED AS ATOMIC_PARQUET.

use atomic_arrow::{CommitMode, ErrorKind};

use crate::{Lake, cause};

const ROWS: &str = "(SELECT CASE value % 3 WHEN 0 THEN 'KSEA' WHEN 1 THEN 'KJFK' ELSE 'K X' END AS station_id, \
                    value % 2 + 2025 AS year, value * 0.5 AS temp FROM generate_series(0, 599) AS t(value))";

#[tokio::test]
async fn a_copy_is_one_commit_whose_rows_plain_datafusion_reads() {
    let lake = Lake::new();
    let copied = lake
        .number(&format!(
            "COPY {ROWS} TO '{{lake}}/weather' STORED AS ATOMIC_PARQUET PARTITIONED BY (station_id, year)"
        ))
        .await;
    assert_eq!(copied, 600);
    let [receipt] = lake.receipts().try_into().unwrap();
    assert_eq!((receipt.totals().files, receipt.totals().rows), (6, 600));
    let files = lake.files("weather");
    assert_eq!(files.len(), 6);
    assert!(
        files[0].starts_with("station_id=K%20X/year=2025/part-"),
        "{files:?}"
    );
    assert_eq!(lake.rows("weather").await, 600);

    lake.run(
        "CREATE EXTERNAL TABLE plain (temp DOUBLE, station_id TEXT, year INT) STORED AS PARQUET \
         PARTITIONED BY (station_id, year) LOCATION '{lake}/weather/'",
    )
    .await;
    let difference = format!(
        "SELECT count(*) FROM ((SELECT station_id, CAST(year AS INT), temp FROM {ROWS}) \
         EXCEPT ALL (SELECT station_id, year, temp FROM plain))"
    );
    assert_eq!(lake.number(&difference).await, 0);
    assert_eq!(lake.number("SELECT count(*) FROM plain").await, 600);
    lake.assert_clean("weather");
}

#[tokio::test]
async fn every_mode_does_what_it_says() {
    let lake = Lake::new();
    let copy = |mode: &str, station: &str, rows: u32| {
        format!(
            "COPY (SELECT '{station}' AS station_id, value FROM generate_series(1, {rows}) AS t(value)) \
             TO '{{lake}}/weather' STORED AS ATOMIC_PARQUET PARTITIONED BY (station_id) OPTIONS ('mode' '{mode}')"
        )
    };
    lake.run(&copy("error_if_any_exists", "KSEA", 5)).await;
    lake.run(&copy("append", "KSEA", 2)).await;
    lake.run(&copy("error_if_exists", "KJFK", 10)).await;
    assert_eq!(lake.rows("weather").await, 17);
    for mode in ["error_if_any_exists", "error_if_exists"] {
        let error = lake.error(&copy(mode, "KSEA", 100)).await;
        let cause = atomic_arrow_datafusion::error_of(&error).unwrap();
        assert_eq!(cause.kind(), ErrorKind::Conflict, "{mode}");
    }
    assert_eq!(lake.number(&copy("ignore", "KBOS", 100)).await, 0);
    assert_eq!(lake.rows("weather").await, 17);
    lake.run(&copy("overwrite-partitions", "KSEA", 1)).await;
    assert_eq!(lake.rows("weather").await, 11);
    lake.run(&copy("overwrite", "KBOS", 3)).await;
    assert_eq!(lake.rows("weather").await, 3);
    let modes: Vec<CommitMode> = lake.receipts().iter().map(|it| it.mode()).collect();
    assert_eq!(modes.last(), Some(&CommitMode::Overwrite));
    lake.assert_clean("weather");
}

#[tokio::test]
async fn keys_may_be_functions_of_columns() {
    let lake = Lake::new();
    lake.run(
        "COPY (SELECT TIMESTAMP '2025-12-31T23:00:00' AS ts, 'KSEA' AS origin, 1 AS x \
               UNION ALL SELECT TIMESTAMP '2026-01-01T01:00:00', 'KJFK', 2) \
         TO '{lake}/weather' STORED AS ATOMIC_PARQUET \
         OPTIONS ('partition_by' 'station_id=origin, year(ts)')",
    )
    .await;
    let files = lake.files("weather");
    assert!(
        files[0].starts_with("station_id=KJFK/year=2026/"),
        "{files:?}"
    );
    assert!(
        files[1].starts_with("station_id=KSEA/year=2025/"),
        "{files:?}"
    );
    let error = lake
        .error(
            "COPY (SELECT 1 AS a, 2 AS b) TO '{lake}/both' STORED AS ATOMIC_PARQUET PARTITIONED BY (a) \
             OPTIONS ('partition_by' 'b')",
        )
        .await;
    assert!(cause(&error).starts_with("partition_by: "), "{error}");
}

#[tokio::test]
async fn partition_columns_stay_where_datafusion_is_told_so() {
    let lake = Lake::new();
    let copy = |root: &str, option: &str| {
        format!(
            "COPY (SELECT 'KSEA' AS station_id, 1 AS x) TO '{{lake}}/{root}' STORED AS ATOMIC_PARQUET \
             PARTITIONED BY (station_id) {option}"
        )
    };
    for (root, option, columns) in [
        ("a", "", 1),
        ("b", "OPTIONS ('keep_partition_columns' 'true')", 2),
        (
            "c",
            "OPTIONS ('execution.keep_partition_by_columns' 'true')",
            2,
        ),
    ] {
        lake.run(&copy(root, option)).await;
        let file = lake.path(root).join(&lake.files(root)[0]);
        let file = std::fs::File::open(file).unwrap();
        let reader = atomic_arrow::parquet::file::reader::SerializedFileReader::new(file).unwrap();
        use atomic_arrow::parquet::file::reader::FileReader as _;
        let schema = reader.metadata().file_metadata().schema_descr();
        assert_eq!(schema.num_columns(), columns, "{option}");
    }
}

#[tokio::test]
async fn a_named_copy_happens_once_and_its_query_is_not_run_again() {
    let lake = Lake::new();
    let copy = |query: &str| {
        format!(
            "COPY ({query}) TO '{{lake}}/weather' STORED AS ATOMIC_PARQUET OPTIONS ('write_id' 'weather of 2026')"
        )
    };
    let rows = "SELECT value FROM generate_series(1, 7) AS t(value)";
    assert_eq!(lake.number(&copy(rows)).await, 7);
    // This would fail as soon as it ran.
    let failing = "SELECT CAST(arrow_cast(value, 'Utf8') || 'x' AS BIGINT) AS value FROM generate_series(1, 7) AS t(value)";
    assert_eq!(lake.number(&copy(failing)).await, 7);
    assert_eq!(lake.rows("weather").await, 7);
    let [first, second] = lake.receipts().try_into().unwrap();
    assert_eq!(first.transaction(), second.transaction());
}

#[tokio::test]
async fn what_is_no_directory_on_this_machine_is_refused() {
    let lake = Lake::new();
    for (target, said) in [
        ("s3://bucket/weather", "local"),
        ("{lake}/weather.parquet", "looks like one file"),
        ("{lake}/*/weather", "pattern"),
    ] {
        let copy = format!("COPY (SELECT 1 AS x) TO '{target}' STORED AS ATOMIC_PARQUET");
        let error = lake.error(&copy).await;
        assert!(cause(&error).contains(said), "{target}: {error}");
    }
    let error = lake
        .error(
            "COPY (SELECT 1 AS x) TO '{lake}/weather' STORED AS ATOMIC_PARQUET OPTIONS ('single_file_output' 'true')",
        )
        .await;
    assert!(cause(&error).contains("directory"), "{error}");
    assert_eq!(std::fs::read_dir(lake.directory.path()).unwrap().count(), 0);
    // With a slash it is a directory, and so it is with keys.
    lake.run("COPY (SELECT 1 AS x) TO '{lake}/weather.parquet/' STORED AS ATOMIC_PARQUET")
        .await;
    assert_eq!(lake.files("weather.parquet").len(), 1);
}

#[tokio::test]
async fn a_path_is_taken_as_it_is_and_a_url_is_decoded() {
    let lake = Lake::new();
    for (target, root) in [
        ("{lake}/a b%20c", "a b%20c"),
        ("file://{lake}/d%20e", "d e"),
    ] {
        lake.run(&format!(
            "COPY (SELECT 1 AS x) TO '{target}' STORED AS ATOMIC_PARQUET"
        ))
        .await;
        assert_eq!(lake.files(root).len(), 1, "{target}");
    }
}

#[tokio::test]
async fn plans_show_the_sink_with_its_options_and_what_it_took() {
    let lake = Lake::new();
    let copy = "COPY (SELECT 'KSEA' AS station_id, 1 AS x) TO '{lake}/weather' STORED AS ATOMIC_PARQUET \
                PARTITIONED BY (station_id) OPTIONS ('mode' 'overwrite', 'sort_by' 'x desc')";
    let plan = lake.table(&format!("EXPLAIN FORMAT INDENT {copy}")).await;
    assert!(
        plan.contains(
            "mode=overwrite, partition_by=[station_id], options=[mode=overwrite, sort_by=x desc]"
        ),
        "{plan}"
    );
    assert!(lake.files("weather").is_empty(), "EXPLAIN writes nothing");
    let tree = lake.table(&format!("EXPLAIN FORMAT TREE {copy}")).await;
    assert!(tree.contains("atomic_parquet"), "{tree}");
    let plan = lake.table(&format!("EXPLAIN ANALYZE {copy}")).await;
    for metric in [
        "output_rows=1",
        "files=1",
        "encoding_time=",
        "syncing_time=",
    ] {
        assert!(plan.contains(metric), "{metric}: {plan}");
    }
}

#[tokio::test]
async fn no_rows_are_a_commit_of_an_empty_data_set() {
    let lake = Lake::new();
    let copied = lake
        .number("COPY (SELECT 1 AS x WHERE false) TO '{lake}/weather' STORED AS ATOMIC_PARQUET")
        .await;
    assert_eq!(copied, 0);
    assert_eq!(lake.receipts().len(), 1);
    assert_eq!(lake.rows("weather").await, 0);
}
