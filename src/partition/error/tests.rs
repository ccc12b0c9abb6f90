use std::error::Error;

use super::*;

#[test]
fn messages_say_what_and_where() {
    let key = || "station".to_owned();
    let messages = [
        (
            PartitionError::EmptyString {
                key: key(),
                row: Some(7),
            },
            "the value of partition key \"station\" is an empty string (row 7): it cannot be told \
             from null in a path; give null, or another text",
        ),
        (
            PartitionError::ReservedValue {
                key: key(),
                row: None,
            },
            "the value of partition key \"station\" is the text __HIVE_DEFAULT_PARTITION__: in a \
             path it means null; give null, or another text",
        ),
        (
            PartitionError::NonFinite {
                key: key(),
                value: f64::NAN,
                row: Some(0),
            },
            "the value of partition key \"station\" is NaN (row 0): only finite numbers name a \
             partition; give null, or another number",
        ),
        (
            PartitionError::HiddenKey {
                key: "_id".to_owned(),
            },
            "partition key \"_id\" starts with '.' or '_', and pyarrow and Spark silently ignore \
             such directories: give it another name",
        ),
        (
            PartitionError::UnknownColumn {
                column: key(),
                available: vec!["a".into(), "b".into()],
            },
            "there is no column \"station\": there are \"a\", \"b\"",
        ),
        (
            PartitionError::UnknownColumn {
                column: "Sation".to_owned(),
                available: vec!["a".into(), "station".into()],
            },
            "there is no column \"Sation\": there are \"a\", \"station\"; did you mean \"station\"?",
        ),
        (
            PartitionError::InvalidPartitionBy {
                text: "a,".to_owned(),
                position: 2,
                problem: "expected a name, found the end".to_owned(),
            },
            "partition keys \"a,\" cannot be read at character 3: expected a name, found the end",
        ),
        (
            PartitionError::TransformMismatch {
                column: key(),
                transform: Transform::Hour,
                data_type: DataType::Utf8,
            },
            "hour cannot be taken of column \"station\" of type Utf8: cast it to a timestamp",
        ),
        (
            PartitionError::TransformMismatch {
                column: key(),
                transform: Transform::Day,
                data_type: DataType::Utf8,
            },
            "day cannot be taken of column \"station\" of type Utf8: cast it to a date or a timestamp",
        ),
    ];
    for (error, message) in messages {
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn long_values_are_cut_in_messages_and_whole_in_the_error() {
    let value = "é\n".repeat(200);
    let error = PartitionError::SegmentTooLong {
        key: "k".to_owned(),
        value: value.clone(),
        length: 802,
        row: Some(3),
    };
    let message = error.to_string();
    assert!(
        message.contains("\"… (600 bytes) takes 802 bytes (row 3)"),
        "{message}"
    );
    assert!(message.len() < 300 && !message.contains('\n'), "{message}");
    assert!(matches!(error, PartitionError::SegmentTooLong { value: kept, .. } if kept == value));
}

#[test]
fn many_columns_are_counted_not_listed() {
    let available = (0..20).map(|column| format!("c{column}")).collect();
    let error = PartitionError::UnknownColumn {
        column: "x".to_owned(),
        available,
    };
    assert!(error.to_string().ends_with("\"c11\" and 8 more"), "{error}");
    let error = PartitionError::UnknownColumn {
        column: "x".to_owned(),
        available: Vec::new(),
    };
    assert_eq!(
        error.to_string(),
        "there is no column \"x\": there are none"
    );
}

#[test]
fn a_cause_is_in_the_source_and_not_in_the_message() {
    let error = PartitionError::arrow(ArrowError::ComputeError("the cause".to_owned()));
    assert!(!error.to_string().contains("the cause"));
    assert!(error.source().unwrap().to_string().contains("the cause"));
    let error = PartitionError::InvalidTimeZone {
        key: "time".to_owned(),
        time_zone: "Mars/Olympus".to_owned(),
        source: ArrowError::ParseError("the cause".to_owned()),
    };
    assert_eq!(
        error.to_string(),
        "the time zone \"Mars/Olympus\" of \"time\" is not known: give one of the IANA data base, as \
         Europe/Berlin, or an offset"
    );
    assert!(error.source().unwrap().to_string().contains("the cause"));
}
