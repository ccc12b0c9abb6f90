use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn refused(key: &str, value: impl Into<PartitionValue>) -> PartitionError {
    Partition::new([(key, value.into())]).unwrap_err()
}

#[test]
fn a_partition_is_the_path_of_its_keys_in_order() {
    let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")]).unwrap();
    assert_eq!(partition.to_string(), "station_id=KSEA/year=2026");
    assert_eq!(
        partition.path(),
        Path::new("station_id=KSEA").join("year=2026")
    );
    assert_eq!(
        partition.segments().collect::<Vec<_>>(),
        ["station_id=KSEA", "year=2026"]
    );
    assert_eq!((partition.len(), partition.is_empty()), (2, false));
    assert_eq!(partition.get("year"), Some(&"2026".into()));
    assert_eq!(partition.get("month"), None);
    let fields: Vec<_> = partition
        .iter()
        .map(|(key, value)| (key, value.to_string()))
        .collect();
    assert_eq!(
        fields,
        [
            ("station_id", "KSEA".to_owned()),
            ("year", "2026".to_owned())
        ]
    );
}

#[test]
fn no_keys_are_the_root_itself() {
    let none = Partition::none();
    assert!(none.is_empty());
    assert_eq!(none.path(), PathBuf::new());
    assert_eq!(none.to_string(), "");
    assert_eq!(Partition::parse("").unwrap(), none);
    assert_eq!(
        Partition::new(Vec::<(String, String)>::new()).unwrap(),
        none
    );
}

#[test]
fn values_of_several_types_stand_in_one_partition() {
    let partition = Partition::new([
        ("station_id", PartitionValue::from("KSEA")),
        ("year", PartitionValue::from(2026)),
        ("city", PartitionValue::Null),
    ]);
    let path = "station_id=KSEA/year=2026/city=__HIVE_DEFAULT_PARTITION__";
    assert_eq!(partition.unwrap().to_string(), path);
}

#[test]
fn a_partition_parsed_from_its_path_equals_and_hashes_as_the_typed_one() {
    let typed = Partition::new([("year", 2026), ("month", 7)]).unwrap();
    let parsed = Partition::parse(typed.path()).unwrap();
    assert_eq!(parsed.get("year"), Some(&"2026".into()));
    assert_eq!(parsed, typed);
    assert!(HashSet::from([typed]).contains(&parsed));
}

#[test]
fn partitions_differ_by_value_key_and_order() {
    let partition = Partition::new([("a", "1"), ("b", "2")]).unwrap();
    for other in [
        [("a", "1"), ("b", "3")],
        [("a", "1"), ("c", "2")],
        [("b", "2"), ("a", "1")],
    ] {
        assert_ne!(Partition::new(other).unwrap(), partition);
    }
    assert_ne!(Partition::new([("a", "1")]).unwrap(), partition);
    assert_ne!(
        Partition::new([("a", "07")]).unwrap(),
        Partition::new([("a", 7)]).unwrap()
    );
}

#[test]
fn keys_that_readers_would_not_see_are_refused() {
    assert!(matches!(refused("", "x"), PartitionError::EmptyKey));
    for hidden in ["_date", ".date", ".", ".."] {
        assert!(matches!(refused(hidden, "x"), PartitionError::HiddenKey { key } if key == hidden));
    }
    for character in "\"%*/:<=>?\\|\u{1}\n\u{7f}".chars() {
        let key = format!("a{character}b");
        assert!(matches!(
            refused(&key, "x"),
            PartitionError::UnreadableKey { character: found, .. } if found == character
        ));
        assert!(format!("{key}={key}").parse::<PartitionBy>().is_err());
    }
    let twice = Partition::new([("a", "1"), ("b", "2"), ("a", "3")]).unwrap_err();
    assert!(matches!(twice, PartitionError::DuplicateKey { key } if key == "a"));
}

#[test]
fn values_that_no_path_can_tell_are_refused() {
    assert!(matches!(
        refused("a", ""),
        PartitionError::EmptyString { row: None, .. }
    ));
    assert!(matches!(
        refused("a", hive::NULL),
        PartitionError::ReservedValue { row: None, .. }
    ));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(
            refused("a", value),
            PartitionError::NonFinite { .. }
        ));
    }
}

#[test]
fn a_segment_may_have_255_bytes_after_escaping_and_no_more() {
    assert!(Partition::new([("k", "x".repeat(253))]).is_ok());
    let error = refused("k", "x".repeat(254));
    assert!(matches!(
        error,
        PartitionError::SegmentTooLong { length: 256, .. }
    ));
    assert!(Partition::new([("k", " ".repeat(84))]).is_ok());
    let error = refused("k", " ".repeat(85));
    assert!(matches!(
        error,
        PartitionError::SegmentTooLong { length: 257, .. }
    ));
    let error = refused("k", "東".repeat(85));
    assert!(matches!(
        error,
        PartitionError::SegmentTooLong { length: 257, .. }
    ));
}

#[test]
fn tricks_with_paths_stay_one_segment_each() {
    let partition = Partition::new([("a", "../../etc"), ("c", "..")]).unwrap();
    assert_eq!(partition.to_string(), "a=..%2F..%2Fetc/c=..");
    assert_eq!(partition.path().components().count(), 2);
    assert_eq!(
        Partition::new([("a", "b\0c")]).unwrap().to_string(),
        "a=b%00c"
    );
}

#[test]
fn paths_that_are_no_partition_are_refused() {
    for path in ["station", "a=1/station/b=2", "a=1/..", "../a=1", "/a=1"] {
        let error = Partition::parse(path).unwrap_err();
        assert!(
            matches!(error, PartitionError::InvalidSegment { .. }),
            "{path}: {error}"
        );
    }
    assert!(matches!(
        Partition::parse("=1"),
        Err(PartitionError::EmptyKey)
    ));
    assert!(matches!(
        Partition::parse("a="),
        Err(PartitionError::EmptyString { .. })
    ));
    assert!(matches!(
        Partition::parse("_a=1"),
        Err(PartitionError::HiddenKey { .. })
    ));
    assert!(matches!(
        Partition::parse("a=1/a=2"),
        Err(PartitionError::DuplicateKey { .. })
    ));
    assert_eq!(Partition::parse("./a=1/").unwrap().to_string(), "a=1");
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"a=\xff"));
    assert!(matches!(
        Partition::parse(path),
        Err(PartitionError::NotUtf8 { .. })
    ));
}

fn field() -> impl Strategy<Value = (String, Option<String>)> {
    let text = prop_oneof![any::<String>(), "[%/=.A-F0-9]{1,9}"];
    let key = text.clone().prop_filter("a good key", |key| {
        let lost = hive::lost_in_key(key).is_some();
        !key.is_empty() && !key.starts_with(['.', '_']) && key.len() < 40 && !lost
    });
    let value = text.prop_filter("a good value", |value| {
        !value.is_empty() && value != hive::NULL && value.len() < 40
    });
    (key, proptest::option::of(value))
}

proptest! {
    #[test]
    fn any_partition_comes_back_from_its_path(fields in proptest::collection::vec(field(), 0..4)) {
        let distinct: HashSet<_> = fields.iter().map(|(key, _)| key).collect();
        prop_assume!(distinct.len() == fields.len());
        let partition = Partition::new(fields.clone()).unwrap();
        prop_assert_eq!(partition.path().components().count(), fields.len());
        let parsed = Partition::parse(partition.path()).unwrap();
        prop_assert_eq!(&parsed, &partition);
        let read = parsed.iter().map(|(key, value)| (key.to_owned(), value.clone()));
        let given = fields.into_iter().map(|(key, value)| (key, value.into()));
        prop_assert_eq!(read.collect::<Vec<_>>(), given.collect::<Vec<_>>());
    }

    #[test]
    fn parsing_any_path_never_panics(path in any::<String>()) {
        let _ = Partition::parse(path);
    }
}
