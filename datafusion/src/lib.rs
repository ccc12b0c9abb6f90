//! DataFusion writes crash-safe Hive-partitioned data sets: `COPY`, `INSERT INTO` and `INSERT OVERWRITE`, each as one
//! commit.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let lake = tempfile::tempdir()?;
//! # let root = lake.path().join("weather").display().to_string();
//! use atomic_arrow_datafusion::{OnReceipt, register};
//! use datafusion::prelude::SessionContext;
//!
//! let context = SessionContext::new();
//! let print = OnReceipt::new(|receipt| println!("{} files", receipt.totals().files));
//! register(&context, print)?;
//!
//! let rows = "(VALUES ('KSEA', 2026, 11.5), ('KJFK', 2026, 3.0)) AS t (station_id, year, temp)";
//! let copy = format!(
//!     "COPY (SELECT * FROM {rows}) TO '{root}' STORED AS ATOMIC_PARQUET \
//!      PARTITIONED BY (station_id, year) OPTIONS ('mode' 'overwrite_partitions')"
//! );
//! context.sql(&copy).await?.collect().await?;
//!
//! let table = format!(
//!     "CREATE EXTERNAL TABLE weather (temp DOUBLE, station_id TEXT, year INT) \
//!      STORED AS ATOMIC_PARQUET PARTITIONED BY (station_id, year) LOCATION '{root}'"
//! );
//! context.sql(&table).await?.collect().await?;
//! context.sql("INSERT INTO weather VALUES (12.25, 'KSEA', 2026)").await?.collect().await?;
//! assert_eq!(context.sql("SELECT * FROM weather").await?.count().await?, 3);
//! # Ok(())
//! # }
//! ```
//!
//! All files of a statement appear, or none of them, whatever crashes and whenever; they are verified before they appear, and
//! durable when the statement has ended. [`atomic_arrow`] says what is promised, and what is not.
//!
//! - [`register`] makes the format `ATOMIC_PARQUET` known to a session: [`AtomicParquetFormatFactory`] for `COPY`, and
//!   [`AtomicTableFactory`] for `CREATE EXTERNAL TABLE`.
//! - [`AtomicTable`] is a table without SQL, [`AtomicSink`] the sink of all of them, for plans of your own.
//! - [`WriteOptions`] are the options by their names, [`OnReceipt`] hands out the receipts.
//! - An error of the library is in `DataFusionError::External`, and [`error_of`] finds it.

mod error;
mod factory;
mod files;
mod format;
mod location;
mod memory;
mod options;
mod receipts;
mod sink;
mod table;

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

pub use error::error_of;
pub use factory::AtomicTableFactory;
pub use format::AtomicParquetFormatFactory;
pub use options::WriteOptions;
pub use receipts::OnReceipt;
pub use sink::AtomicSink;
pub use table::AtomicTable;
pub use {atomic_arrow, datafusion};

/// Makes the format `ATOMIC_PARQUET` known to a session, in place of an earlier one; each statement hands its receipt to
/// `on_receipt`.
///
/// # Errors
/// That of DataFusion, of which none is known.
pub fn register(context: &SessionContext, on_receipt: OnReceipt) -> Result<(), DataFusionError> {
    let state = context.state_ref();
    let mut state = state.write();
    let tables = AtomicTableFactory::new(on_receipt.clone());
    state
        .table_factories_mut()
        .insert(format::NAME.to_owned(), Arc::new(tables));
    let copies = AtomicParquetFormatFactory::new(on_receipt);
    state.register_file_format(Arc::new(copies), true)
}

/// The examples of the README and of the page in `docs/` run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../../docs/engines/datafusion.md")]
struct Pages;
