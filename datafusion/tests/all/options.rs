//! The options of statements by their names.

use std::collections::BTreeSet;

use atomic_arrow_datafusion::WriteOptions;

use crate::{Lake, cause};

/// A value that each option takes, and another that it does not, where there is one.
const VALUES: &[(&str, &str, Option<&str>)] = &[
    ("mode", "overwrite", Some("replace")),
    ("partition_by", "station_id", Some("year(")),
    ("overwrite_table", "true", Some("maybe")),
    ("schema_check", "off", Some("2")),
    ("write_id", "x", None),
    ("sequence", "7", Some("x")),
    ("rewrite_missing", "true", Some("x")),
    ("success_file", "true", Some("x")),
    ("schema_policy", "exact", Some("x")),
    ("file_name", "daily-{uuid}-{number}", None),
    ("page_checksums", "off", Some("x")),
    ("encodings", "compatible", Some("x")),
    ("target_file_size", "128MiB", Some("x")),
    ("target_file_rows", "1000", Some("x")),
    ("sort_by", "x desc nulls first", Some("x down")),
    ("keep_partition_columns", "true", Some("x")),
    ("case_sensitive_names", "true", Some("x")),
    ("verify", "decode", Some("x")),
    ("durability", "unsynced", Some("x")),
    ("sync", "each_file", Some("x")),
    ("staging", "beside", None),
    ("memory_limit", "64MiB", Some("x")),
    ("threads", "1", Some("x")),
    ("max_open_files", "16", Some("x")),
    ("compression", "zstd(3)", Some("rar")),
    ("dictionary", "off", Some("x")),
    ("dictionary_page_size", "64KiB", Some("x")),
    ("statistics", "chunk", Some("x")),
    ("page_size", "64KiB", Some("x")),
    ("bloom_filters::x", "fpp=0.01", Some("x")),
    ("row_group_size", "1000", Some("x")),
    ("row_group_bytes", "1MiB", Some("x")),
    ("page_rows", "100", Some("x")),
    ("data_page_version", "2", Some("3")),
    ("statistics_truncate", "none", Some("x")),
    ("field_ids::x", "7", Some("x")),
    ("arrow_schema", "off", Some("x")),
    ("metadata::owner", "weather", None),
];

#[tokio::test]
async fn every_option_is_taken_and_its_values_are_checked_before_the_query_runs() {
    let known: BTreeSet<&str> = WriteOptions::names().collect();
    let tested = VALUES
        .iter()
        .map(|(name, ..)| name.split("::").next().unwrap());
    assert_eq!(known, tested.collect());
    let lake = Lake::new();
    for (index, (name, value, wrong)) in VALUES.iter().enumerate() {
        let copy = |value: &str| {
            let beside = match *name {
                "sequence" => "'write_id' 'of a stream', ",
                _ => "",
            };
            format!(
                "COPY (SELECT 'KSEA' AS station_id, 1 AS x) TO '{{lake}}/{index}' STORED AS ATOMIC_PARQUET \
                 OPTIONS ({beside}'{name}' '{value}')"
            )
        };
        lake.run(&copy(value)).await;
        assert_eq!(lake.rows(&index.to_string()).await, 1, "{name}");
        let Some(wrong) = wrong else { continue };
        let error = lake.error(&copy(wrong)).await;
        let option = name.split("::").next().unwrap();
        assert!(
            cause(&error).starts_with(&format!("{option}: ")),
            "{name}: {error}"
        );
    }
}

/// The options of a write in docs/options.md, as Python has them, are taken or refused here by their names.
#[test]
fn no_option_of_the_library_is_unknown() {
    let page = include_str!("../../../docs/options.md");
    let writing = page
        .split("\n## ")
        .find(|part| part.starts_with("Writing a data set"));
    let rows = writing
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("| "));
    let python = rows.filter_map(|row| row.split(" | ").nth(3));
    let names = python.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let names: BTreeSet<&str> = names
        .filter(|name| name.chars().all(|c| c.is_lowercase() || c == '_'))
        .collect();
    // Of a function of another language, and of data that is given to it.
    let elsewhere = ["index", "schema", "on_file", "progress"];
    let known: Vec<&str> = WriteOptions::names().collect();
    for name in names {
        if elsewhere.contains(&name) || known.contains(&name) {
            continue;
        }
        let error = WriteOptions::parse([(name, "1")]).unwrap_err();
        assert!(
            !error.to_string().contains("has no option"),
            "{name}: {error}"
        );
    }
}

#[tokio::test]
async fn unknown_options_are_answered_with_the_nearest_and_nothing_is_written() {
    let lake = Lake::new();
    for (options, said) in [
        ("'mod' 'append'", "did you mean \"mode\"?"),
        ("'compresion' 'zstd'", "did you mean \"compression\"?"),
        ("'max_row_group_size' '1000'", "has no option"),
        ("'mode::x' 'append'", "of the whole write"),
        ("'row_group_size::x' '10'", "of whole files"),
        ("'format' 'csv'", "ATOMIC_PARQUET writes Parquet"),
        ("'job' '17'", "commits by itself"),
        ("'footer_key' '00'", "logs"),
        ("'execution.batch_size' '1'", "has no option"),
    ] {
        let copy = format!(
            "COPY (SELECT 1 AS x) TO '{{lake}}/t' STORED AS ATOMIC_PARQUET OPTIONS ({options})"
        );
        let error = lake.error(&copy).await;
        assert!(cause(&error).contains(said), "{options}: {error}");
    }
    let error = lake
        .error("CREATE EXTERNAL TABLE t (x INT) STORED AS ATOMIC_PARQUET LOCATION '{lake}/t' OPTIONS ('mod' 'append')")
        .await;
    assert!(cause(&error).contains("did you mean \"mode\"?"), "{error}");
    assert_eq!(std::fs::read_dir(lake.directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_option_of_a_column_finds_the_column_whose_name_has_capitals() {
    let lake = Lake::new();
    lake.run(
        "COPY (SELECT 1 AS \"Note\", 2 AS other) TO '{lake}/t' STORED AS ATOMIC_PARQUET \
         OPTIONS ('compression::Note' 'snappy')",
    )
    .await;
    let file = std::fs::File::open(lake.path("t").join(&lake.files("t")[0])).unwrap();
    use atomic_arrow::parquet::basic::Compression;
    use atomic_arrow::parquet::file::reader::{FileReader as _, SerializedFileReader};
    let reader = SerializedFileReader::new(file).unwrap();
    let columns = reader.metadata().row_group(0).columns();
    assert_eq!(columns[0].compression(), Compression::SNAPPY);
    assert_ne!(columns[1].compression(), Compression::SNAPPY);
}
