use super::*;

fn timestamp(value: i64, unit: TimeUnit, zone: Option<&str>) -> PartitionValue {
    PartitionValue::Timestamp {
        value,
        unit,
        time_zone: zone.map(Arc::from),
    }
}

fn decimal(unscaled: i128, scale: i8) -> PartitionValue {
    PartitionValue::Decimal {
        unscaled: i256::from_i128(unscaled),
        scale,
    }
}

#[test]
fn every_type_has_one_text() {
    let texts = [
        (PartitionValue::Null, "__HIVE_DEFAULT_PARTITION__"),
        (true.into(), "true"),
        (false.into(), "false"),
        (i64::MIN.into(), "-9223372036854775808"),
        (u64::MAX.into(), "18446744073709551615"),
        (" a/b ".into(), " a/b "),
        (PartitionValue::Date(0), "1970-01-01"),
        (PartitionValue::Date(-1), "1969-12-31"),
        (PartitionValue::Date(-719_529), "-0001-12-31"),
        (PartitionValue::Date(2_932_897), "+10000-01-01"),
    ];
    for (value, text) in texts {
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn floats_have_their_shortest_text_and_one_zero() {
    let texts = [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (2.0, "2.0"),
        (-0.1, "-0.1"),
        (1e16, "1e16"),
        (1.5e-7, "1.5e-7"),
    ];
    for (value, text) in texts {
        assert_eq!(PartitionValue::from(value).to_string(), text);
    }
}

#[test]
fn decimals_keep_the_digits_of_their_scale() {
    let texts = [
        (decimal(1230, 2), "12.30"),
        (decimal(0, 2), "0.00"),
        (decimal(-5, 2), "-0.05"),
        (decimal(-1200, 2), "-12.00"),
        (decimal(7, 0), "7"),
        (decimal(12, -2), "1200"),
        (decimal(0, -2), "0"),
        (
            PartitionValue::Decimal {
                unscaled: i256::MIN,
                scale: 1,
            },
            "-5789604461865809771178549250434395392663499233282028201972879200395656481996.8",
        ),
    ];
    for (value, text) in texts {
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn timestamps_have_only_the_fraction_they_need() {
    let texts = [
        (
            timestamp(1_357_016_400, TimeUnit::Second, None),
            "2013-01-01 05:00:00",
        ),
        (
            timestamp(1_357_016_400_000_000, TimeUnit::Microsecond, None),
            "2013-01-01 05:00:00",
        ),
        (
            timestamp(1_357_016_400_250, TimeUnit::Millisecond, None),
            "2013-01-01 05:00:00.250",
        ),
        (
            timestamp(-1, TimeUnit::Nanosecond, None),
            "1969-12-31 23:59:59.999999999",
        ),
        (
            timestamp(i64::MIN, TimeUnit::Nanosecond, None),
            "1677-09-21 00:12:43.145224192",
        ),
    ];
    for (value, text) in texts {
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn timestamps_with_a_zone_are_local_and_unambiguous() {
    let new_york = |seconds| timestamp(seconds, TimeUnit::Second, Some("America/New_York"));
    let texts = [
        (new_york(1_357_016_400), "2013-01-01 00:00:00-05:00"),
        // The hour that comes twice, when clocks are set back.
        (new_york(1_383_456_600), "2013-11-03 01:30:00-04:00"),
        (new_york(1_383_460_200), "2013-11-03 01:30:00-05:00"),
        // Before time zones: local mean time.
        (new_york(-3_000_000_000), "1874-12-07 13:43:58-04:56:02"),
        (
            timestamp(0, TimeUnit::Second, Some("UTC")),
            "1970-01-01 00:00:00+00:00",
        ),
        (
            timestamp(0, TimeUnit::Second, Some("+05:30")),
            "1970-01-01 05:30:00+05:30",
        ),
    ];
    for (value, text) in texts {
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn times_outside_of_the_calendar_have_no_text_in_a_path() {
    let outside = [
        PartitionValue::Date(i32::MAX),
        PartitionValue::Date(i32::MIN),
        timestamp(i64::MAX, TimeUnit::Second, None),
        timestamp(i64::MIN, TimeUnit::Millisecond, Some("UTC")),
        timestamp(i64::MAX, TimeUnit::Second, Some("Asia/Tokyo")),
    ];
    for value in outside {
        assert!(
            matches!(value.text(), Err(NoText::OutOfRange(_))),
            "{value}"
        );
        assert!(value.to_string().contains("since 1970-01-01"));
    }
}

#[test]
fn the_last_hours_of_the_calendar_do_not_panic_in_any_zone() {
    for zone in ["+14:00", "-12:00", "Pacific/Kiritimati"] {
        for seconds in [8_210_266_876_799_i64, -8_334_601_228_800] {
            let value = timestamp(seconds, TimeUnit::Second, Some(zone));
            assert!(value.text().is_ok(), "{value}");
        }
    }
}

#[test]
fn an_unknown_time_zone_is_an_error_of_its_own() {
    let value = timestamp(5, TimeUnit::Millisecond, Some("Mars/Olympus"));
    assert!(matches!(value.text(), Err(NoText::TimeZone(zone, _)) if zone == "Mars/Olympus"));
    assert_eq!(value.to_string(), "5 ms since 1970-01-01 Mars/Olympus");
}

#[test]
fn an_option_is_a_value_or_null() {
    assert_eq!(PartitionValue::from(Some("a")), PartitionValue::from("a"));
    assert!(PartitionValue::from(None::<&str>).is_null());
    assert!(!PartitionValue::from("").is_null());
}
