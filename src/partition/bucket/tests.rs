use arrow::array::{
    BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array, Decimal32Array,
    Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array,
    Int16Array, Int64Array, LargeBinaryArray, LargeStringArray, StringArray, StringViewArray,
    Time32SecondArray, Time64MicrosecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
    UInt32Array,
};

use super::*;

fn array(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

fn decimal(unscaled: i128, digits: u8) -> ArrayRef {
    let array = Decimal128Array::from(vec![unscaled]);
    Arc::new(array.with_precision_and_scale(digits, 2).unwrap())
}

fn hash(hashing: Hashing, array: &ArrayRef) -> i32 {
    assert!(hashing.fits(array.data_type()), "{}", array.data_type());
    let Ok(hashes) = hashing.hashes(array) else {
        panic!("{} has no hash", array.data_type());
    };
    hashes.value(0)
}

fn fixed(bytes: &[u8]) -> ArrayRef {
    array(FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).unwrap())
}

/// The table "32-bit Hash Requirements" of the Iceberg specification, appendix B.
#[test]
fn the_hashes_of_iceberg_are_those_of_its_specification() {
    const SECOND: i64 = 1_510_871_468;
    let uuid = uuid::uuid!("f79c3e09-677c-4bbd-a479-3f349cb785e7");
    let bytes: &[u8] = &[0, 1, 2, 3];
    for (array, expected) in [
        (array(Int32Array::from(vec![34])), 2_017_239_379),
        (array(Int64Array::from(vec![34])), 2_017_239_379),
        (array(Int8Array::from(vec![34])), 2_017_239_379),
        (array(UInt8Array::from(vec![34])), 2_017_239_379),
        (array(UInt32Array::from(vec![34])), 2_017_239_379),
        (decimal(14_20, 9), -500_754_589),
        (decimal(14_20, 38), -500_754_589),
        (array(Date32Array::from(vec![17_486])), -653_330_422),
        (
            array(Date64Array::from(vec![17_486 * MILLISECONDS_A_DAY])),
            -653_330_422,
        ),
        (
            array(Time64MicrosecondArray::from(vec![81_068_000_000])),
            -662_762_989,
        ),
        (array(Time32SecondArray::from(vec![81_068])), -662_762_989),
        (
            array(Time64NanosecondArray::from(vec![81_068_000_000_999])),
            -662_762_989,
        ),
        (
            array(TimestampSecondArray::from(vec![SECOND])),
            -2_047_944_441,
        ),
        (
            array(TimestampMillisecondArray::from(vec![SECOND * 1000])),
            -2_047_944_441,
        ),
        (
            array(TimestampMicrosecondArray::from(vec![
                SECOND * 1_000_000 + 1,
            ])),
            -1_207_196_810,
        ),
        (
            array(TimestampNanosecondArray::from(vec![
                SECOND * 1_000_000_000 + 1_001,
            ])),
            -1_207_196_810,
        ),
        (
            array(
                TimestampMicrosecondArray::from(vec![SECOND * 1_000_000])
                    .with_timezone("America/Los_Angeles"),
            ),
            -2_047_944_441,
        ),
        (array(StringArray::from(vec!["iceberg"])), 1_210_000_089),
        (
            array(LargeStringArray::from(vec!["iceberg"])),
            1_210_000_089,
        ),
        (array(StringViewArray::from(vec!["iceberg"])), 1_210_000_089),
        (fixed(uuid.as_bytes()), 1_488_055_340),
        (fixed(bytes), -188_683_207),
        (array(BinaryArray::from(vec![bytes])), -188_683_207),
        (array(LargeBinaryArray::from(vec![bytes])), -188_683_207),
        (array(BinaryViewArray::from(vec![bytes])), -188_683_207),
    ] {
        let found = hash(Hashing::Iceberg, &array);
        assert_eq!(found, expected, "{array:?}");
    }
}

/// What `select hash(…)` of Spark 4.3 gives for one value.
#[test]
fn the_hashes_of_spark_are_those_of_spark() {
    let text = |text: &str| array(StringArray::from(vec![text]));
    let bytes = |bytes: &[u8]| array(BinaryArray::from(vec![bytes]));
    let micros = |value| array(TimestampMicrosecondArray::from(vec![value]));
    for (array, expected) in [
        (array(Int32Array::from(vec![34])), -1_191_485_789),
        (array(Int8Array::from(vec![34])), -1_191_485_789),
        (array(Int16Array::from(vec![-7])), -1_618_159_745),
        (array(Int64Array::from(vec![34])), -691_554_788),
        (array(Int64Array::from(vec![-1])), -939_490_007),
        (array(Int64Array::from(vec![0])), -1_670_924_195),
        (array(Int64Array::from(vec![i64::MAX])), -1_604_625_029),
        (array(BooleanArray::from(vec![true])), -559_580_957),
        (array(BooleanArray::from(vec![false])), 933_211_791),
        (array(Float32Array::from(vec![1.5])), -221_251_528),
        (array(Float32Array::from(vec![-0.0])), 933_211_791),
        (array(Float32Array::from(vec![-f32::NAN])), -349_261_430),
        (array(Float64Array::from(vec![1.5])), 1_290_763_749),
        (array(Float64Array::from(vec![-0.0])), -1_670_924_195),
        (array(Float64Array::from(vec![-f64::NAN])), -1_281_358_385),
        (decimal(14_20, 9), -2_047_835_571),
        (decimal(14_20, 18), -2_047_835_571),
        (decimal(14_20, 20), 1_761_037_121),
        (decimal(-1_234_567_890_123_456_789_012, 38), 333_635_401),
        (
            array(
                Decimal32Array::from(vec![14_20])
                    .with_precision_and_scale(9, 2)
                    .unwrap(),
            ),
            -2_047_835_571,
        ),
        (array(Date32Array::from(vec![17_486])), 526_832_025),
        (micros(1_510_871_468_000_001), 1_310_378_583),
        (micros(-1), -939_490_007),
        (text(""), 142_593_372),
        (text("a"), 1_485_273_170),
        (text("ab"), -97_053_317),
        (text("abc"), 1_322_437_556),
        (text("abcd"), -396_302_900),
        (text("iceberg"), 772_410_301),
        (text("é€"), -470_537_149),
        (bytes(&[0, 1, 2, 3]), -1_066_376_783),
        (bytes(&[0xFF, 0x80]), -577_813_652),
    ] {
        let found = hash(Hashing::Spark, &array);
        assert_eq!(found, expected, "{array:?}");
    }
}

#[test]
fn a_bucket_is_the_hash_without_its_sign_or_its_remainder_and_null_has_one_with_spark_alone() {
    let values = array(Int64Array::from(vec![Some(34), Some(-1), Some(0), None]));
    let buckets = |hashing: Hashing| {
        let buckets = hashing.buckets("id", &values, 16).unwrap();
        let buckets = buckets.as_primitive::<Int32Type>();
        buckets.iter().collect::<Vec<_>>()
    };
    // Iceberg's are the remainders of 2017239379, 1651860712 and 1669671676.
    assert_eq!(
        buckets(Hashing::Iceberg),
        [Some(3), Some(8), Some(12), None]
    );
    assert_eq!(
        buckets(Hashing::Spark),
        [Some(12), Some(9), Some(13), Some(10)]
    );
    let most = Hashing::Iceberg.buckets("id", &values, i32::MAX).unwrap();
    assert_eq!(most.as_primitive::<Int32Type>().value(0), 2_017_239_379);
}

#[test]
fn values_of_a_dictionary_have_the_buckets_that_they_have_by_themselves() {
    let texts = [Some("iceberg"), None, Some("a"), Some("iceberg")];
    let dictionary: DictionaryArray<Int8Type> = texts.into_iter().collect();
    for hashing in [Hashing::Iceberg, Hashing::Spark] {
        let plain = array(StringArray::from(texts.to_vec()));
        let buckets = |array: &ArrayRef| hashing.buckets("id", array, 100).unwrap();
        assert!(hashing.fits(dictionary.data_type()));
        assert_eq!(&buckets(&array(dictionary.clone())), &buckets(&plain));
    }
}

#[test]
fn what_is_too_far_away_names_its_row() {
    for values in [
        array(TimestampSecondArray::from(vec![0, i64::MAX])),
        array(TimestampMillisecondArray::from(vec![0, i64::MIN])),
        array(Date64Array::from(vec![0, i64::MAX])),
    ] {
        let error = Hashing::Iceberg.buckets("ts", &values, 4).unwrap_err();
        assert!(
            matches!(&error, PartitionError::OutOfRange { key, row: Some(1), .. } if key == "ts"),
            "{error:?}"
        );
    }
}

#[test]
fn types_without_buckets_are_told() {
    use DataType::{
        Boolean, Decimal256, Duration, FixedSizeBinary, Float16, Float32, Float64, List, Null,
        Time64, Timestamp, UInt8, UInt64,
    };
    use TimeUnit::{Microsecond, Nanosecond};
    let list = List(Arc::new(arrow::datatypes::Field::new("item", Null, true)));
    for none in [
        UInt64,
        Float16,
        Decimal256(40, 2),
        Duration(Microsecond),
        Null,
        list,
    ] {
        for hashing in [Hashing::Iceberg, Hashing::Spark] {
            assert!(!hashing.fits(&none), "{hashing:?} {none}");
        }
    }
    for spark in [Boolean, Float32, Float64] {
        assert!(Hashing::Spark.fits(&spark) && !Hashing::Iceberg.fits(&spark));
    }
    for iceberg in [
        UInt8,
        FixedSizeBinary(16),
        Time64(Microsecond),
        Timestamp(Nanosecond, None),
    ] {
        assert!(Hashing::Iceberg.fits(&iceberg) && !Hashing::Spark.fits(&iceberg));
    }
}
