//! [`AtomicTableFactory`]: `CREATE EXTERNAL TABLE … STORED AS ATOMIC_PARQUET`.

use std::sync::Arc;

use async_trait::async_trait;
use atomic_arrow::PartitionKey;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::logical_expr::CreateExternalTable;

use crate::error::{Result, invalid};
use crate::format::keys;
use crate::location::root;
use crate::options::WriteOptions;
use crate::receipts::OnReceipt;
use crate::table::AtomicTable;

/// Makes an [`AtomicTable`] of `CREATE EXTERNAL TABLE … STORED AS ATOMIC_PARQUET`.
#[derive(Debug, Clone, Default)]
pub struct AtomicTableFactory {
    on_receipt: OnReceipt,
}

impl AtomicTableFactory {
    /// A factory whose tables hand their receipts to this.
    #[must_use]
    pub fn new(on_receipt: OnReceipt) -> Self {
        AtomicTableFactory { on_receipt }
    }
}

#[async_trait]
impl TableProviderFactory for AtomicTableFactory {
    async fn create(
        &self,
        state: &dyn Session,
        cmd: &CreateExternalTable,
    ) -> Result<Arc<dyn TableProvider>> {
        refuse_unused(cmd)?;
        let [location] = cmd.locations.as_slice() else {
            return invalid("LOCATION", "one directory is needed");
        };
        let root = root(&ListingTableUrl::parse(location)?)?;
        let options = WriteOptions::parse(&cmd.options)?;
        let keys = keys(cmd.table_partition_cols.iter(), &options)?;
        let options = match keys.is_empty() {
            true => options,
            false => {
                let keys: Vec<String> = keys.keys().iter().map(PartitionKey::to_string).collect();
                options.with("partition_by", keys.join(", "))?
            }
        };
        let table = if cmd.schema.fields().is_empty() {
            AtomicTable::open(state, root, options).await?
        } else {
            AtomicTable::new(root, Arc::clone(cmd.schema.inner()), options)?
        };
        Ok(Arc::new(
            table
                .on_receipt(self.on_receipt.clone())
                .column_defaults(cmd.column_defaults.clone())
                .definition(cmd.definition.clone()),
        ))
    }
}

/// Refuses what the statement may say and nobody would keep to.
fn refuse_unused(cmd: &CreateExternalTable) -> Result<()> {
    if !cmd.order_exprs.is_empty() {
        return invalid(
            "WITH ORDER",
            "files that are there need not be sorted so; have the rows of each new file sorted by OPTIONS ('sort_by' '…')",
        );
    }
    if cmd.unbounded {
        return invalid("UNBOUNDED", "a data set has an end; leave the word out");
    }
    if cmd.constraints.iter().next().is_some() {
        return invalid(
            "constraints",
            "nobody checks keys and uniqueness of rows in files; leave them out",
        );
    }
    Ok(())
}
