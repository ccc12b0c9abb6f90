use arrow::array::{
    Date32Array, Date64Array, DictionaryArray, Int32Array, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::Int8Type;

use super::*;

const ALL: [Transform; 5] = Transform::NAMED;

/// Each transform of one row, as the texts of partition values.
fn texts(array: ArrayRef, row: usize) -> [String; 5] {
    ALL.map(|transform| {
        let taken = transform.apply("time", &array).unwrap();
        transform.value(value_at(&taken, row).unwrap()).to_string()
    })
}

fn seconds(values: Vec<i64>, zone: &str) -> ArrayRef {
    Arc::new(TimestampSecondArray::from(values).with_timezone(zone))
}

#[test]
fn parts_of_a_timestamp_are_the_same_in_every_unit() {
    let second = 1_373_002_496_i64;
    let arrays: [ArrayRef; 4] = [
        Arc::new(TimestampSecondArray::from(vec![second])),
        Arc::new(TimestampMillisecondArray::from(vec![second * 1_000])),
        Arc::new(TimestampMicrosecondArray::from(vec![second * 1_000_000])),
        Arc::new(TimestampNanosecondArray::from(vec![second * 1_000_000_000])),
    ];
    for array in arrays {
        assert_eq!(texts(array, 0), ["2013", "7", "5", "5", "2013-07-05"]);
    }
}

#[test]
fn parts_are_local_in_the_zone_of_the_column() {
    let midnight_utc = 1_357_002_000;
    let new_year = seconds(vec![midnight_utc], "America/New_York");
    assert_eq!(texts(new_year, 0), ["2012", "12", "31", "20", "2012-12-31"]);
    let tokyo = seconds(vec![midnight_utc], "Asia/Tokyo");
    assert_eq!(texts(tokyo, 0), ["2013", "1", "1", "10", "2013-01-01"]);
    let fixed = seconds(vec![midnight_utc], "-01:30");
    assert_eq!(texts(fixed, 0), ["2012", "12", "31", "23", "2012-12-31"]);
}

#[test]
fn hours_are_the_ones_on_the_clock_when_clocks_change() {
    // 06:30 and 07:30 UTC: 01:30 and 03:30 in spring, 02:30 does not exist.
    let spring = seconds(vec![1_362_897_000, 1_362_900_600], "America/New_York");
    assert_eq!(texts(Arc::clone(&spring), 0)[3], "1");
    assert_eq!(texts(spring, 1)[3], "3");
    // 05:30 and 06:30 UTC: 01:30 twice in autumn.
    let autumn = seconds(vec![1_383_456_600, 1_383_460_200], "America/New_York");
    assert_eq!(texts(Arc::clone(&autumn), 0)[3], "1");
    assert_eq!(texts(autumn, 1)[3], "1");
}

#[test]
fn times_before_1970_are_rounded_down() {
    let array: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1]));
    assert_eq!(texts(array, 0), ["1969", "12", "31", "23", "1969-12-31"]);
    let array: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![-1]).with_timezone("UTC"));
    assert_eq!(texts(array, 0), ["1969", "12", "31", "23", "1969-12-31"]);
}

#[test]
fn dates_have_every_part_but_the_hour() {
    let expected = |array: ArrayRef, parts: [&str; 4]| {
        for (transform, part) in [
            Transform::Year,
            Transform::Month,
            Transform::Day,
            Transform::Date,
        ]
        .iter()
        .zip(parts)
        {
            let taken = transform.apply("day", &array).unwrap();
            let value = transform.value(value_at(&taken, 0).unwrap());
            assert_eq!(value.to_string(), part);
        }
    };
    expected(
        Arc::new(Date32Array::from(vec![15_736])),
        ["2013", "1", "31", "2013-01-31"],
    );
    expected(
        Arc::new(Date64Array::from(vec![-86_400_000])),
        ["1969", "12", "31", "1969-12-31"],
    );
    expected(
        Arc::new(Date64Array::from(vec![-1])),
        ["1969", "12", "31", "1969-12-31"],
    );
    assert!(!Transform::Hour.fits(&DataType::Date32));
    assert!(!Transform::Hour.fits(&DataType::Date64));
}

#[test]
fn years_have_four_digits_at_least() {
    for (year, text) in [
        (2013, "2013"),
        (5, "0005"),
        (0, "0000"),
        (-1, "-0001"),
        (12_013, "12013"),
    ] {
        assert_eq!(
            Transform::Year.value(PartitionValue::Int(year)).to_string(),
            text
        );
    }
    assert_eq!(
        Transform::Month.value(PartitionValue::Int(5)).to_string(),
        "5"
    );
}

#[test]
fn null_stays_null() {
    let array: ArrayRef = Arc::new(TimestampSecondArray::from(vec![None, Some(0)]));
    for transform in ALL {
        let taken = transform.apply("time", &array).unwrap();
        assert!(value_at(&taken, 0).unwrap().is_null());
        assert!(!value_at(&taken, 1).unwrap().is_null());
    }
}

#[test]
fn what_is_behind_a_null_is_not_looked_at() {
    let garbage =
        TimestampSecondArray::new(vec![i64::MAX, 0].into(), Some(vec![false, true].into()));
    let array: ArrayRef = Arc::new(garbage.with_timezone("Asia/Tokyo"));
    for transform in ALL {
        assert!(transform.apply("time", &array).is_ok());
    }
}

#[test]
fn a_time_outside_of_the_calendar_is_an_error_with_its_row() {
    let arrays = [
        Arc::new(TimestampSecondArray::from(vec![
            Some(0),
            None,
            Some(i64::MAX),
        ])) as ArrayRef,
        Arc::new(TimestampSecondArray::from(vec![0, 0, i64::MIN]).with_timezone("Asia/Tokyo")),
        Arc::new(TimestampMillisecondArray::from(vec![0, 0, i64::MAX])),
    ];
    for array in arrays {
        for transform in ALL {
            let error = transform.apply("time", &array).unwrap_err();
            let PartitionError::OutOfRange { key, row, value } = error else {
                panic!("{error}")
            };
            assert_eq!((key.as_str(), row), ("time", Some(2)));
            assert!(value.contains("since 1970-01-01"), "{value}");
        }
    }
}

#[test]
fn the_last_hours_of_the_calendar_do_not_panic_in_any_zone() {
    for zone in ["+14:00", "-12:00", "Pacific/Kiritimati"] {
        let array = seconds(vec![8_210_266_876_799, -8_334_601_228_800], zone);
        for transform in ALL {
            let _ = transform.apply("time", &array);
        }
    }
}

#[test]
fn dictionaries_of_times_work_like_times() {
    let values: ArrayRef =
        Arc::new(TimestampSecondArray::from(vec![i64::MAX, 1_373_002_496]).with_timezone("UTC"));
    let keys = arrow::array::Int8Array::from(vec![Some(1), None]);
    let array: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys, values));
    assert_eq!(
        texts(Arc::clone(&array), 0),
        ["2013", "7", "5", "5", "2013-07-05"]
    );
    assert!(Transform::Hour.fits(array.data_type()));
    assert!(
        value_at(&Transform::Date.apply("time", &array).unwrap(), 1)
            .unwrap()
            .is_null()
    );
}

#[test]
fn nothing_but_dates_and_times_has_parts() {
    for transform in ALL {
        assert!(!transform.fits(&DataType::Utf8));
        assert!(!transform.fits(Int32Array::from(vec![2013]).data_type()));
    }
    assert!(Transform::Identity.fits(&DataType::Utf8));
}
