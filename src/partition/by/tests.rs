use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> PartitionBy {
    text.parse().unwrap()
}

/// Where a text stops making sense, in characters from zero, and why.
fn problem(text: &str) -> (usize, String) {
    match text.parse::<PartitionBy>().unwrap_err() {
        PartitionError::InvalidPartitionBy {
            position, problem, ..
        } => (position, problem),
        other => panic!("{other}"),
    }
}

#[test]
fn text_and_builder_say_the_same() {
    let by = PartitionBy::none()
        .column_as("station_id", "origin")
        .then_column("city")
        .year("year", "time")
        .month("m", "time")
        .day("day", "time")
        .hour("hour", "time")
        .date("observed", "time")
        .bucket("id_bucket", 16, "id")
        .bucket("b", 8, "say, \"hi\"")
        .spark_bucket("id_bucket2", 4, "id");
    let text = "station_id=origin,city,year(time),m=month(time),day(time),hour(time),observed=date(time),\
                bucket(16, id),b=bucket(8, \"say, \"\"hi\"\"\"),id_bucket2=spark_bucket(4, id)";
    assert_eq!(parsed(text), by);
    assert_eq!(by.to_string(), text);
}

#[test]
fn a_key_has_a_name_a_column_and_a_transform() {
    let by = parsed("station_id=origin,year,y=year(time)");
    let keys: Vec<_> = by
        .keys()
        .iter()
        .map(|key| (key.name(), key.column(), key.transform()))
        .collect();
    let expected = [
        ("station_id", "origin", Transform::Identity),
        ("year", "year", Transform::Identity),
        ("y", "time", Transform::Year),
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_key_of_buckets_is_named_after_its_column() {
    for (text, transform) in [
        ("bucket(16, id)", Transform::Bucket(16)),
        ("spark_bucket( 16 ,id )", Transform::SparkBucket(16)),
    ] {
        let by = parsed(text);
        let key = &by.keys()[0];
        assert_eq!(
            (key.name(), key.column(), key.transform()),
            ("id_bucket", "id", transform)
        );
        assert_eq!(transform.to_string().parse(), Ok(transform));
    }
    // A column of that name, and one in which the parenthesis is.
    assert_eq!(parsed("bucket"), PartitionBy::column("bucket"));
    for text in ["bucket", "bucket[]", "bucket[x]", "bucket[1", "year[1]"] {
        assert!(text.parse::<Transform>().is_err(), "{text}");
    }
}

#[test]
fn the_empty_text_is_no_keys() {
    assert_eq!(parsed(""), PartitionBy::none());
    assert_eq!(parsed("  "), PartitionBy::none());
    assert!(parsed("").is_empty());
    assert_eq!(PartitionBy::none().to_string(), "");
}

#[test]
fn white_space_around_names_does_not_count_and_within_does() {
    assert_eq!(parsed(" a = b , year ( t ) "), parsed("a=b,year(t)"));
    assert_eq!(parsed("wind dir"), PartitionBy::column("wind dir"));
}

#[test]
fn names_with_special_characters_stand_in_quotes() {
    let by = PartitionBy::none()
        .column_as("a,b", "c=d")
        .year("year", "time (local)")
        .column_as("greeting", "say \"hi\"")
        .column_as("last", "");
    let text = r#""a,b"="c=d",year("time (local)"),greeting="say ""hi""",last="""#;
    assert_eq!(by.to_string(), text);
    assert_eq!(parsed(text), by);
    assert_eq!(parsed("\"year(t)\""), PartitionBy::column("year(t)"));
}

#[test]
fn text_that_cannot_be_read_says_where_and_why() {
    let expected = |what: &str| format!("expected a name, found {what}");
    assert_eq!(problem("a,,b"), (2, expected("','")));
    assert_eq!(problem(",a"), (0, expected("','")));
    assert_eq!(problem("a,"), (2, expected("the end")));
    assert_eq!(problem("é, =b"), (3, expected("'='")));
    assert_eq!(problem("a="), (2, expected("the end")));
    assert_eq!(problem("year()"), (5, expected("')'")));
    assert_eq!(
        problem("a=b=c"),
        (3, "expected a comma or the end, found '='".to_owned())
    );
    assert_eq!(
        problem("\"a\"b"),
        (3, "expected a comma or the end, found 'b'".to_owned())
    );
    assert_eq!(
        problem("year(a"),
        (
            6,
            "expected a closing parenthesis, found the end".to_owned()
        )
    );
    assert_eq!(problem("a,\"b"), (2, "this quote is not closed".to_owned()));
    let known = "\"yaer\" is none of year, month, day, hour, date, bucket, spark_bucket".to_owned();
    assert_eq!(problem("a, x = yaer(b)"), (7, known));
    let count = |found: &str| format!("expected a number of buckets, found {found:?}");
    assert_eq!(problem("bucket(id, 16)"), (7, count("id")));
    assert_eq!(problem("bucket( 0, id)"), (8, count("0")));
    assert_eq!(problem("bucket(-1, id)"), (7, count("-1")));
    assert_eq!(problem("bucket(4294967296, id)"), (7, count("4294967296")));
    assert_eq!(
        problem("spark_bucket(16)"),
        (
            15,
            expected("')'").replace("a name", "a comma and the column")
        )
    );
    assert_eq!(problem("bucket(16, )"), (11, expected("')'")));
}

#[test]
fn text_with_keys_that_cannot_be_is_refused() {
    let error = |text: &str| text.parse::<PartitionBy>().unwrap_err();
    assert!(matches!(error("a,b=c,a"), PartitionError::DuplicateKey { key } if key == "a"));
    assert!(matches!(error("_a"), PartitionError::HiddenKey { .. }));
    assert!(matches!(error("\"\"=a"), PartitionError::EmptyKey));
}

fn key() -> impl Strategy<Value = (String, String, usize)> {
    let text = || prop_oneof![any::<String>(), "[ab,=()\" ]{1,6}", Just("year".to_owned())];
    (text(), text(), 0..8_usize)
}

proptest! {
    #[test]
    fn what_is_displayed_reads_back(keys in proptest::collection::vec(key(), 0..4)) {
        let mut by = PartitionBy::none();
        for (name, column, transform) in keys {
            by = match transform {
                0 => by.then_column(column),
                1 => by.column_as(name, column),
                2 => by.year(name, column),
                3 => by.hour("hour", column),
                4 => by.month(name, column),
                5 => by.bucket(name, 16, column),
                6 => by.spark_bucket(format!("{column}_bucket"), 7, column),
                _ => by.date(name, column),
            };
        }
        prop_assume!(by.check_keys().is_ok());
        prop_assert_eq!(by.to_string().parse::<PartitionBy>().unwrap(), by);
    }

    #[test]
    fn reading_any_text_never_panics(text in prop_oneof![any::<String>(), "[yearbucket1,=()\"é ]{0,16}"]) {
        let _ = text.parse::<PartitionBy>();
    }
}
