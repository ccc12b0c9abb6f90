//! Values and types: what a table gives back is what plain DataFusion reads, and what was given.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;

use crate::Lake;

/// Types of columns, each with texts that are cast to it.
fn columns() -> Vec<(DataType, Vec<&'static str>)> {
    use DataType::*;
    let numbers = vec!["0", "1", "-7", "120"];
    let mut columns: Vec<(DataType, Vec<&str>)> = [Int8, Int16, Int32, Int64, Float32, Float64]
        .into_iter()
        .map(|data_type| (data_type, numbers.clone()))
        .collect();
    columns.extend([UInt8, UInt16, UInt32, UInt64].map(|it| (it, vec!["0", "1", "200"])));
    columns.extend([Utf8, LargeUtf8, Utf8View].map(|it| (it, vec!["a", "b c/%", "ä=1", "007"])));
    columns.extend([
        (Boolean, vec!["true", "false"]),
        (Date32, vec!["2024-02-29", "1969-12-31"]),
        (Decimal128(9, 2), vec!["1.50", "-2.00", "1234567.89"]),
        (Decimal256(38, 3), vec!["1.500", "-2.000"]),
        (
            Timestamp(TimeUnit::Second, None),
            vec!["2024-01-05T00:00:01", "1969-12-31T23:59:59"],
        ),
        (
            Timestamp(TimeUnit::Millisecond, None),
            vec!["2024-01-05T00:00:00.123"],
        ),
        (
            Timestamp(TimeUnit::Microsecond, None),
            vec!["2024-01-05T00:00:00.123456"],
        ),
        (
            Timestamp(TimeUnit::Nanosecond, None),
            vec!["2024-01-05T00:00:00.123456789"],
        ),
        (
            Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            vec!["2024-01-05T00:00:00.5Z"],
        ),
        (
            Timestamp(TimeUnit::Microsecond, Some("Europe/Berlin".into())),
            vec!["2024-07-05T00:00:00+02:00"],
        ),
    ]);
    columns
}

fn array(data_type: &DataType, texts: &[&str]) -> ArrayRef {
    let values = texts
        .iter()
        .map(|text| ScalarValue::try_from_string((*text).to_owned(), data_type).unwrap());
    let null = ScalarValue::try_from(data_type).unwrap();
    ScalarValue::iter_to_array(values.chain([null])).unwrap()
}

#[tokio::test]
async fn every_type_comes_back_as_it_was_inserted_as_a_column_and_as_a_key() {
    let lake = Lake::new();
    for (index, (data_type, texts)) in columns().into_iter().enumerate() {
        let column = array(&data_type, &texts);
        let rows = column.len();
        let fields = vec![
            Field::new("value", data_type.clone(), true),
            Field::new("key", data_type.clone(), true),
        ];
        let schema = Arc::new(Schema::new(fields));
        let batch =
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(&column), column]).unwrap();
        let given = MemTable::try_new(Arc::clone(&schema), vec![vec![batch]]).unwrap();
        lake.context
            .register_table("given", Arc::new(given))
            .unwrap();

        let options =
            atomic_arrow_datafusion::WriteOptions::parse([("partition_by", "key")]).unwrap();
        let root = lake.path(&index.to_string());
        let table = atomic_arrow_datafusion::AtomicTable::new(root, schema, options).unwrap();
        lake.context.register_table("t", Arc::new(table)).unwrap();
        lake.run("INSERT INTO t SELECT * FROM given").await;
        // Both ways, so that nothing is missing and nothing is there beside it.
        for (a, b) in [("given", "t"), ("t", "given")] {
            let query = format!(
                "SELECT count(*) FROM ((SELECT value, key FROM {a}) EXCEPT ALL (SELECT value, key FROM {b}))"
            );
            assert_eq!(lake.number(&query).await, 0, "{data_type}: {a} but not {b}");
        }
        assert_eq!(lake.number("SELECT count(*) FROM t").await, rows as i64);
        assert_eq!(
            lake.number("SELECT count(*) FROM t WHERE key IS NULL")
                .await,
            1,
            "{data_type}"
        );
        let equal = "SELECT count(*) FROM t WHERE key = value";
        assert_eq!(lake.number(equal).await, rows as i64 - 1, "{data_type}");
        let read = lake.run("SELECT value, key FROM t").await;
        for field in read[0].schema().fields() {
            assert_eq!(field.data_type(), &data_type);
        }
        for name in ["given", "t"] {
            lake.context.deregister_table(name).unwrap();
        }
    }
}

/// What is nested cannot be a key, but is a column.
#[tokio::test]
async fn nested_columns_are_read_as_plain_datafusion_reads_them() {
    let lake = Lake::new();
    lake.run(
        "COPY (SELECT value AS id, make_array(value, NULL, value * 2) AS list, named_struct('a', value, 'b', 'x') AS s \
               FROM generate_series(1, 100) AS t(value)) TO '{lake}/t' STORED AS ATOMIC_PARQUET",
    )
    .await;
    lake.run("CREATE EXTERNAL TABLE ours STORED AS ATOMIC_PARQUET LOCATION '{lake}/t'")
        .await;
    lake.run("CREATE EXTERNAL TABLE plain STORED AS PARQUET LOCATION '{lake}/t/'")
        .await;
    let (ours, plain) = (
        lake.table(
            "SELECT arrow_typeof(list) AS a, arrow_typeof(s) AS b, list, s FROM ours ORDER BY id",
        )
        .await,
        lake.table(
            "SELECT arrow_typeof(list) AS a, arrow_typeof(s) AS b, list, s FROM plain ORDER BY id",
        )
        .await,
    );
    assert_eq!(ours, plain);
}

/// Rows of files that lack a column have null in it.
#[tokio::test]
async fn files_with_other_columns_and_types_are_brought_to_those_of_the_table() {
    let lake = Lake::new();
    lake.run("COPY (SELECT CAST(1 AS INT) AS x) TO '{lake}/t' STORED AS ATOMIC_PARQUET")
        .await;
    lake.run(
        "COPY (SELECT 2 AS x, 'new' AS note UNION ALL SELECT 3, NULL) TO '{lake}/t' STORED AS ATOMIC_PARQUET",
    )
    .await;
    lake.run("CREATE EXTERNAL TABLE t (x BIGINT, note TEXT) STORED AS ATOMIC_PARQUET LOCATION '{lake}/t'").await;
    let rows = lake.table("SELECT x, note FROM t ORDER BY x").await;
    assert!(
        rows.contains("| 1 |      |") && rows.contains("| 2 | new  |"),
        "{rows}"
    );
}
