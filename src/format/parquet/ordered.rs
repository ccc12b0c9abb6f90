//! The categories of ordered dictionaries: which there are, and their order.
//!
//! Readers take both from the dictionary page of each column chunk, where parquet-rs has the values in the order in
//! which rows have them. So the categories are [observed](OrderedColumns::observe) as they are given, and
//! [`recode`](super::recode) writes pages by them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, RecordBatch, make_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, SchemaRef};
use parquet::errors::{ParquetError, Result};

use crate::categories::{Categories, KnownCategories};
use crate::nested::{below, inner_fields};

/// The most bytes of the categories of one column: a page of them is held for each row group that is being encoded.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// The ordered dictionaries of a schema, by leaf column.
#[derive(Debug)]
pub(super) struct OrderedColumns {
    schema: SchemaRef,
    leaves: Vec<Option<Arc<OrderedColumn>>>,
}

/// The categories of one leaf column.
#[derive(Debug)]
pub(super) struct OrderedColumn {
    path: String,
    /// Whether the schema has them. Otherwise those of the first batch are taken.
    in_schema: bool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    categories: Arc<Categories>,
    /// The dictionary that came last, so that it need not be looked at again.
    last: Option<ArrayRef>,
}

impl OrderedColumns {
    /// Finds the ordered dictionaries of a schema that [`types::check`](super::types::check) let pass.
    ///
    /// # Errors
    /// The categories that Polars keeps in the metadata of an enumeration cannot be read.
    pub(super) fn new(schema: &SchemaRef) -> Result<Self> {
        let mut leaves = Vec::new();
        for field in schema.fields() {
            find(field.name(), field, &mut leaves)?;
        }
        Ok(OrderedColumns {
            schema: Arc::clone(schema),
            leaves,
        })
    }

    pub(super) fn leaf(&self, leaf: usize) -> Option<&Arc<OrderedColumn>> {
        self.leaves.get(leaf)?.as_ref()
    }

    /// The categories that are known, by path.
    pub(super) fn known(&self) -> KnownCategories {
        let columns = self.leaves.iter().flatten();
        let known = columns.map(|column| (column.path.clone(), column.categories()));
        known
            .filter(|(_, categories)| !categories.values.is_empty())
            .collect()
    }

    /// The path of the first ordered dictionary.
    pub(super) fn first(&self) -> Option<&str> {
        let first = self.leaves.iter().flatten().next();
        first.map(|column| column.path.as_str())
    }

    /// Remembers the categories of a batch, which may have other columns too.
    ///
    /// # Errors
    /// They contradict those of a batch before, or those that the schema has, or are too many.
    pub(super) fn observe(&self, batch: &RecordBatch) -> Result<()> {
        if self.first().is_none() {
            return Ok(());
        }
        let mut leaf = 0;
        for field in self.schema.fields() {
            let data = batch.column_by_name(field.name()).map(Array::to_data);
            self.observe_within(field, data.as_ref(), &mut leaf)?;
        }
        Ok(())
    }

    fn observe_within(
        &self,
        field: &Field,
        data: Option<&ArrayData>,
        leaf: &mut usize,
    ) -> Result<()> {
        let children = data.map_or(&[][..], ArrayData::child_data);
        let inner = inner_fields(field.data_type());
        if inner.is_empty() {
            let column = self.leaf(*leaf);
            *leaf += 1;
            return match (column, children.first()) {
                (Some(column), Some(values)) => column.add(&make_array(values.clone())),
                _ => Ok(()),
            };
        }
        // Runs have their ends before their values.
        let skipped = children.len().saturating_sub(inner.len());
        let mut children = children.iter().skip(skipped);
        inner
            .into_iter()
            .try_for_each(|field| self.observe_within(field, children.next(), leaf))
    }
}

/// Adds the leaves of a field.
fn find(path: &str, field: &Field, leaves: &mut Vec<Option<Arc<OrderedColumn>>>) -> Result<()> {
    let inner = inner_fields(field.data_type());
    if !inner.is_empty() {
        return inner
            .into_iter()
            .try_for_each(|inner| find(&below(path, field.data_type(), inner), inner, leaves));
    }
    if field.dict_is_ordered() != Some(true) {
        leaves.push(None);
        return Ok(());
    }
    let given = Categories::of_polars(path, field).map_err(ParquetError::General)?;
    leaves.push(Some(Arc::new(OrderedColumn {
        path: path.to_owned(),
        in_schema: given.is_some(),
        known: Mutex::new(Known {
            categories: Arc::new(given.unwrap_or_default()),
            last: None,
        }),
    })));
    Ok(())
}

impl OrderedColumn {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the schema has the categories.
    pub(super) fn is_in_schema(&self) -> bool {
        self.in_schema
    }

    pub(super) fn categories(&self) -> Arc<Categories> {
        Arc::clone(&self.known().categories)
    }

    fn add(&self, dictionary: &ArrayRef) -> Result<()> {
        let mut known = self.known();
        let is_last = |last: &ArrayRef| last.to_data().ptr_eq(&dictionary.to_data());
        if known.last.as_ref().is_some_and(is_last) {
            return Ok(());
        }
        let bytes = cast(dictionary, &DataType::LargeBinary)?;
        let bytes = bytes.as_binary::<i64>();
        if bytes.values().len() > MOST_BYTES {
            return Err(
                self.error("its categories take too much memory; cast the column to its values")
            );
        }
        let found = Categories::new(bytes.iter().flatten());
        let is_known = match self.in_schema {
            true => found
                .values
                .iter()
                .all(|value| known.categories.place(value).is_some()),
            false => known.categories.has_in_order(&found),
        };
        if !is_known {
            if self.in_schema {
                return Err(self.error(
                    "a batch has a category that the schema does not have; give all categories to the schema, or cast \
                     the column to its values",
                ));
            }
            // Where some are added after those that were known, the files until now are right as they are.
            if !found.values.starts_with(&known.categories.values) {
                return Err(self.error(
                    "the categories of a batch are not those of the batches before it in the same order; give all \
                     batches one dictionary, or cast the column to its values",
                ));
            }
            known.categories = Arc::new(found);
        }
        known.last = Some(Arc::clone(dictionary));
        Ok(())
    }

    fn error(&self, what: &str) -> ParquetError {
        ParquetError::General(format!(
            "column {:?} is an ordered dictionary: {what}",
            self.path
        ))
    }
}

#[cfg(test)]
#[path = "ordered_tests.rs"]
mod tests;
