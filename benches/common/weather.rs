//! Made-up hourly weather observations, the same in every run.

use std::sync::Arc;

use atomic_arrow::arrow::array::{
    ArrayRef, Float64Array, Int16Array, Int32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};

/// Rows given to a writer at once.
const BATCH_ROWS: usize = 8192;
/// 2013-01-01T00:00:00Z.
const START: i64 = 1_356_998_400_000_000;
const HOUR: i64 = 3_600_000_000;
const SKIES: [&str; 6] = [
    "clear",
    "few",
    "scattered",
    "broken",
    "overcast",
    "obscured",
];

/// `rows` observations in batches; another `seed` makes others. A row takes about 23 bytes in a file.
pub(crate) fn batches(rows: usize, seed: u64) -> Vec<RecordBatch> {
    let mut random = Random(seed);
    (0..rows)
        .step_by(BATCH_ROWS)
        .map(|start| batch(start..rows.min(start + BATCH_ROWS), &mut random))
        .collect()
}

fn batch(rows: std::ops::Range<usize>, random: &mut Random) -> RecordBatch {
    let rows: Vec<i64> = rows.map(|row| row as i64).collect();
    let hours = rows.iter().map(|row| START + row / 40 * HOUR);
    let times = TimestampMicrosecondArray::from_iter_values(hours).with_timezone("UTC");
    let stations = rows.iter().map(|row| format!("K{:03}", row % 40));
    let mut column = |nulls: f64, low: f64, high: f64, step: f64| -> ArrayRef {
        let values = rows.iter().map(|_| random.measured(nulls, low, high, step));
        Arc::new(Float64Array::from_iter(values))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("temp", column(0.01, -20.0, 40.0, 0.0)),
        ("dewp", column(0.02, -25.0, 25.0, 0.01)),
        ("humid", column(0.02, 10.0, 100.0, 0.01)),
        ("wind_speed", column(0.05, 0.0, 30.0, 0.0)),
        ("wind_gust", column(0.8, 0.0, 45.0, 0.5)),
        ("pressure", column(0.1, 980.0, 1040.0, 0.1)),
        ("visib", column(0.0, 0.0, 10.0, 0.25)),
    ];
    let skies: StringArray = rows
        .iter()
        .map(|_| {
            random
                .measured(0.1, 0.0, 5.0, 1.0)
                .map(|sky| SKIES[sky as usize])
        })
        .collect();
    let directions: Int32Array = rows
        .iter()
        .map(|_| {
            random
                .measured(0.04, 0.0, 36.0, 1.0)
                .map(|tens| tens as i32 * 10)
        })
        .collect();
    let hours_of_day = Int16Array::from_iter_values(rows.iter().map(|row| (row / 40 % 24) as i16));
    let strings_and_integers: [(&str, ArrayRef); 5] = [
        ("station", Arc::new(StringArray::from_iter_values(stations))),
        ("time_hour", Arc::new(times)),
        ("hour", Arc::new(hours_of_day)),
        ("sky", Arc::new(skies)),
        ("wind_dir", Arc::new(directions)),
    ];
    let all = strings_and_integers.into_iter().chain(columns);
    let all = all.map(|(name, values)| (name, values, true));
    RecordBatch::try_from_iter_with_nullable(all).unwrap()
}

/// SplitMix64: enough to look measured.
struct Random(u64);

impl Random {
    /// From 0 up to 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A value of limited precision, `step`, or of a float's own if that is 0; or a null.
    fn measured(&mut self, nulls: f64, low: f64, high: f64, step: f64) -> Option<f64> {
        if self.unit() < nulls {
            return None;
        }
        let value = low + self.unit() * (high - low);
        Some(if step == 0.0 {
            value
        } else {
            (value / step).round() * step
        })
    }
}
