//! INSERT INTO and INSERT OVERWRITE of tables.

use crate::{Lake, cause};

const TABLE: &str = "CREATE EXTERNAL TABLE weather (temp DOUBLE, station_id TEXT, year INT) STORED AS ATOMIC_PARQUET \
                     PARTITIONED BY (station_id, year) LOCATION '{lake}/weather'";

#[tokio::test]
async fn an_insert_is_one_commit_and_is_seen_at_once() {
    let lake = Lake::new();
    lake.run(TABLE).await;
    assert_eq!(lake.number("SELECT count(*) FROM weather").await, 0);
    let inserted = lake
        .number("INSERT INTO weather VALUES (11.5, 'KSEA', 2026), (3.0, 'KJFK', 2026), (2.0, NULL, NULL)")
        .await;
    assert_eq!(inserted, 3);
    lake.run("INSERT INTO weather (station_id, temp) VALUES ('KSEA', 1.0)")
        .await;
    assert_eq!(lake.receipts().len(), 2);
    let rows = lake
        .table("SELECT station_id, year, temp FROM weather ORDER BY station_id, year, temp")
        .await;
    let expected = "\
+------------+------+------+
| station_id | year | temp |
+------------+------+------+
| KJFK       | 2026 | 3.0  |
| KSEA       | 2026 | 11.5 |
| KSEA       |      | 1.0  |
|            |      | 2.0  |
+------------+------+------+";
    assert_eq!(rows, expected);
    lake.assert_clean("weather");
}

#[tokio::test]
async fn filters_of_keys_leave_files_out_and_know_nulls() {
    let lake = Lake::new();
    lake.run(TABLE).await;
    lake.run("INSERT INTO weather VALUES (1, 'KSEA', 2025), (2, 'KSEA', 2026), (3, NULL, 2026), (4, 'a b/%', NULL)")
        .await;
    for (filter, sum) in [
        ("station_id IS NULL", 3),
        ("station_id IS NOT NULL", 7),
        ("station_id <> 'KSEA'", 4),
        ("station_id = 'a b/%'", 4),
        ("year = 2026", 5),
        ("year > 2025 AND temp < 3", 2),
        ("year IS NULL OR station_id IS NULL", 7),
        ("coalesce(year, 0) = 0", 4),
    ] {
        let query = format!("SELECT CAST(sum(temp) AS BIGINT) FROM weather WHERE {filter}");
        assert_eq!(lake.number(&query).await, sum, "{filter}");
    }
    let plan = lake
        .table(
            "EXPLAIN FORMAT INDENT SELECT * FROM weather WHERE year = 2026 AND station_id = 'KSEA'",
        )
        .await;
    assert_eq!(plan.matches(".parquet").count(), 1, "{plan}");
    assert_eq!(lake.number("SELECT count(*) FROM weather").await, 4);
    assert_eq!(
        lake.number("SELECT count(station_id) FROM weather").await,
        3
    );
    assert_eq!(lake.number("SELECT max(year) FROM weather").await, 2026);
}

#[tokio::test]
async fn insert_overwrite_replaces_all_or_the_partitions() {
    let lake = Lake::new();
    lake.run(TABLE).await;
    lake.run(&format!(
        "{} OPTIONS ('mode' 'overwrite_partitions')",
        TABLE.replace("TABLE weather", "TABLE partitions")
    ))
    .await;
    lake.run("INSERT INTO partitions VALUES (1, 'KSEA', 2026), (2, 'KJFK', 2026)")
        .await;
    lake.run("INSERT INTO partitions VALUES (4, 'KSEA', 2026)")
        .await;
    let sum = "SELECT CAST(sum(temp) AS BIGINT) FROM weather";
    assert_eq!(lake.number(sum).await, 7);
    lake.run("INSERT OVERWRITE partitions VALUES (8, 'KSEA', 2026)")
        .await;
    assert_eq!(lake.number(sum).await, 10);
    // From itself: what is replaced is read before.
    lake.run("INSERT OVERWRITE weather SELECT temp * 2, station_id, year FROM weather")
        .await;
    assert_eq!(lake.number(sum).await, 20);
    lake.run("INSERT OVERWRITE weather VALUES (1, 'KBOS', 2020)")
        .await;
    assert_eq!(lake.number(sum).await, 1);
    let error = lake
        .error("REPLACE INTO weather VALUES (1, 'KBOS', 2020)")
        .await;
    assert!(cause(&error).contains("REPLACE INTO"), "{error}");
    lake.assert_clean("weather");
}

#[tokio::test]
async fn a_table_that_must_be_new_takes_rows_once() {
    let lake = Lake::new();
    lake.run(&format!("{TABLE} OPTIONS ('mode' 'error_if_any_exists')"))
        .await;
    lake.run("INSERT INTO weather VALUES (1, 'KSEA', 2026)")
        .await;
    lake.error("INSERT INTO weather VALUES (1, 'KSEA', 2026)")
        .await;
    let error = lake
        .error("INSERT OVERWRITE weather VALUES (1, 'KSEA', 2026)")
        .await;
    assert!(cause(&error).contains("error_if_any_exists"), "{error}");
    assert_eq!(lake.number("SELECT count(*) FROM weather").await, 1);
}

#[tokio::test]
async fn a_table_without_columns_has_those_of_the_files_and_directories() {
    let lake = Lake::new();
    lake.error("CREATE EXTERNAL TABLE none STORED AS ATOMIC_PARQUET LOCATION '{lake}/none'")
        .await;
    for keep in ["false", "true"] {
        lake.run(&format!(
            "COPY (SELECT 'KSEA' AS station_id, 2026 AS year, 1.5 AS temp) TO '{{lake}}/{keep}' \
             STORED AS ATOMIC_PARQUET PARTITIONED BY (station_id, year) OPTIONS ('keep_partition_columns' '{keep}')"
        ))
        .await;
        lake.run(&format!(
            "CREATE EXTERNAL TABLE \"{keep}\" STORED AS ATOMIC_PARQUET LOCATION '{{lake}}/{keep}'"
        ))
        .await;
        let rows = format!("SELECT station_id || '-' || year FROM \"{keep}\"");
        assert!(lake.table(&rows).await.contains("KSEA-2026"), "{keep}");
        lake.run(&format!(
            "INSERT INTO \"{keep}\" (station_id, year, temp) VALUES ('KJFK', '2027', 2.5)"
        ))
        .await;
        let rows = format!("SELECT count(*) FROM \"{keep}\" WHERE year = '2027'");
        assert_eq!(lake.number(&rows).await, 1, "{keep}");
    }
}

#[tokio::test]
async fn keys_with_functions_and_other_names_are_read_back() {
    let lake = Lake::new();
    lake.run(
        "CREATE EXTERNAL TABLE weather (origin TEXT, ts TIMESTAMP, temp DOUBLE) STORED AS ATOMIC_PARQUET \
         LOCATION '{lake}/weather' OPTIONS ('partition_by' 'station_id=origin, year(ts)')",
    )
    .await;
    lake.run("INSERT INTO weather (ts, temp, origin) VALUES ('2026-01-01T00:00:00', 1.5, 'KSEA')")
        .await;
    assert!(lake.files("weather")[0].starts_with("station_id=KSEA/year=2026/"));
    let row = lake
        .table("SELECT ts, temp FROM weather WHERE origin = 'KSEA'")
        .await;
    assert!(row.contains("| 2026-01-01T00:00:00 | 1.5  |"), "{row}");
}

#[tokio::test]
async fn staging_areas_hidden_names_and_others_files_are_never_read() {
    let lake = Lake::new();
    lake.run("CREATE EXTERNAL TABLE t (x INT) STORED AS ATOMIC_PARQUET LOCATION '{lake}/t' OPTIONS ('staging' 'inside')")
        .await;
    lake.run("INSERT INTO t VALUES (1)").await;
    let file = lake.path("t").join(&lake.files("t")[0]);
    for other in [
        ".atomic/part-0.parquet",
        "_tmp/part-0.parquet",
        ".hidden.parquet",
        "_SUCCESS",
    ] {
        let other = lake.path("t").join(other);
        std::fs::create_dir_all(other.parent().unwrap()).unwrap();
        std::fs::copy(&file, other).unwrap();
    }
    std::fs::write(lake.path("t").join("notes.txt"), "no rows").unwrap();
    assert_eq!(lake.number("SELECT count(*) FROM t").await, 1);
}

#[tokio::test]
async fn what_a_table_cannot_take_for_rows_is_an_error_and_not_left_out() {
    let lake = Lake::new();
    lake.run(TABLE).await;
    lake.run("INSERT INTO weather VALUES (1, 'KSEA', 2026)")
        .await;
    let file = lake.path("weather").join(&lake.files("weather")[0]);
    for (other, said) in [
        ("part-0.parquet", "no key \"station_id\""),
        (
            "station_id=KSEA/year=two/part-0.parquet",
            "no value of column \"year\"",
        ),
        ("a/part-0.parquet", "key=value"),
    ] {
        let other = lake.path("weather").join(other);
        std::fs::create_dir_all(other.parent().unwrap()).unwrap();
        std::fs::copy(&file, &other).unwrap();
        let error = lake.error("SELECT count(*) FROM weather").await;
        let chain = format!("{:?}", atomic_arrow_datafusion::error_of(&error).unwrap());
        let text = format!("{chain} {}", cause(&error));
        assert!(text.replace('\\', "").contains(said), "{said}: {text}");
        std::fs::remove_file(&other).unwrap();
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/nowhere", lake.path("weather").join("a.parquet")).unwrap();
        let error = lake.error("SELECT count(*) FROM weather").await;
        assert!(cause(&error).contains("symbolic link"), "{error}");
    }
}

#[tokio::test]
async fn what_nobody_keeps_to_is_refused_in_a_definition() {
    let lake = Lake::new();
    let define = |columns: &str, rest: &str| {
        format!(
            "CREATE EXTERNAL TABLE t ({columns}) STORED AS ATOMIC_PARQUET {rest} LOCATION '{{lake}}/t'"
        )
    };
    for (statement, said) in [
        (define("x INT, PRIMARY KEY (x)", ""), "constraints"),
        (define("x INT", "WITH ORDER (x)"), "sort_by"),
        (
            define("x INT", "PARTITIONED BY (x)").replace("x INT", "y INT"),
            "y",
        ),
        (
            define("x INT", "").replace("EXTERNAL", "UNBOUNDED EXTERNAL"),
            "UNBOUNDED",
        ),
    ] {
        let error = lake.error(&statement).await;
        assert!(error.to_string().contains(said), "{statement}: {error}");
    }
}

#[tokio::test]
async fn defaults_and_definitions_are_kept() {
    let lake = Lake::new();
    lake.run("CREATE EXTERNAL TABLE t (x INT, y INT DEFAULT 7) STORED AS ATOMIC_PARQUET LOCATION '{lake}/t'")
        .await;
    lake.run("INSERT INTO t (x) VALUES (1)").await;
    assert_eq!(lake.number("SELECT y FROM t").await, 7);
    let table = lake.context.table_provider("t").await.unwrap();
    assert!(
        table
            .get_table_definition()
            .unwrap()
            .contains("ATOMIC_PARQUET")
    );
}

/// Or the second INSERT would be taken for the first, and its rows be lost.
#[tokio::test]
async fn a_table_has_no_name_of_one_write() {
    let lake = Lake::new();
    for option in [
        "'write_id' 'x'",
        "'write_id' 'x', 'sequence' '1'",
        "'rewrite_missing' 'true'",
    ] {
        let error = lake.error(&format!("{TABLE} OPTIONS ({option})")).await;
        assert!(cause(&error).contains("of one write"), "{error}");
    }
}

#[tokio::test]
async fn the_sessions_word_on_partition_columns_holds_for_tables() {
    let lake = Lake::new();
    lake.run(TABLE).await;
    lake.run("SET datafusion.execution.keep_partition_by_columns = true")
        .await;
    lake.run("INSERT INTO weather VALUES (1, 'KSEA', 2026)")
        .await;
    let file = lake.path("weather").join(&lake.files("weather")[0]);
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'kept'";
    lake.run("SET datafusion.catalog.information_schema = true")
        .await;
    lake.run(&format!(
        "CREATE EXTERNAL TABLE kept STORED AS PARQUET LOCATION '{}'",
        file.display()
    ))
    .await;
    assert_eq!(lake.number(columns).await, 3);
    assert_eq!(
        lake.number("SELECT count(*) FROM weather WHERE station_id = 'KSEA' AND year = 2026")
            .await,
        1
    );
}
