//! The values of the dictionaries of a write: each once, in the order in which they came.
//!
//! A file has one dictionary for a column, while batches come with their own, and what is spilled or put
//! together from several comes without. So the values of all that come are remembered ([`observe`]), and
//! columns get dictionaries of these at the end ([`restore`]): of all of them, also those that no row has,
//! in their order. Indices have the type that was given, or one of 32 bits where that has no room.
//!
//! [`observe`]: Dictionaries::observe
//! [`restore`]: Dictionaries::restore

use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, GenericListViewArray, MapArray,
    OffsetSizeTrait, RecordBatch, StringArray, StructArray, UInt32Array, make_array,
    new_empty_array,
};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::categories::{Categories, REMEDY};
use crate::nested::{below, has_runs_within, inner_fields, inner_types};
use crate::refused::Refused;

/// The dictionaries of all columns of a schema, those within columns among them.
#[derive(Debug)]
pub(crate) struct Dictionaries {
    /// The given fields, by column.
    given: SchemaRef,
    /// The dictionaries in the order of the schema, outer before inner.
    all: Vec<Dictionary>,
    /// For each column the range of its dictionaries in `all`.
    columns: Vec<Range<usize>>,
    most_bytes: usize,
}

#[derive(Debug)]
struct Dictionary {
    indices: DataType,
    values: DataType,
    order: Order,
    known: Mutex<Known>,
}

/// The meaning of the order of a dictionary's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    None,
    /// The values are ordered as in the batches.
    OfBatches,
    /// The values are ordered as in an enumeration of Polars, which lists all of them.
    OfEnumeration,
}

/// The distinct values of a dictionary so far.
struct Known {
    converter: RowConverter,
    rows: Rows,
    /// The indices of the values in `rows`, by hash.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The values, in parts.
    parts: Vec<ArrayRef>,
    /// The values of the last dictionary added, which need not be added again.
    last: Option<ArrayRef>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values = self.rows.num_rows();
        f.debug_struct("Known").field("values", &values).finish()
    }
}

impl Known {
    fn new(values: &DataType) -> Result<Self, ArrowError> {
        let converter = RowConverter::new(vec![SortField::new(values.clone())])?;
        Ok(Known {
            rows: converter.empty_rows(0, 0),
            converter,
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            parts: Vec::new(),
            last: None,
        })
    }

    /// Adds the values of a dictionary, and returns whether it did: not if they contradict the known order.
    fn add(&mut self, values: &ArrayRef, order: Order) -> Result<bool, ArrowError> {
        let is_last = |last: &ArrayRef| last.to_data().ptr_eq(&values.to_data());
        if self.last.as_ref().is_some_and(is_last) {
            return Ok(true);
        }
        if order != Order::None && !self.keeps_order(values, order)? {
            return Ok(false);
        }
        let found = self
            .converter
            .convert_columns(std::slice::from_ref(values))?;
        let nulls = values.logical_nulls();
        let mut new = Vec::new();
        for place in 0..values.len() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(place)) {
                continue;
            }
            let row = found.row(place);
            let (rows, hasher) = (&self.rows, &self.hasher);
            let hash = hasher.hash_one(row.as_ref());
            let same = |known: &u32| rows.row(*known as usize) == row;
            if self.table.find(hash, same).is_some() {
                continue;
            }
            let number = u32::try_from(rows.num_rows())
                .map_err(|_| ArrowError::DictionaryKeyOverflowError)?;
            let rehash = |known: &u32| hasher.hash_one(rows.row(*known as usize).as_ref());
            self.table.insert_unique(hash, number, rehash);
            self.rows.push(row);
            new.push(place as u32);
        }
        if !new.is_empty() {
            self.parts
                .push(take(values, &UInt32Array::from(new), None)?);
        }
        self.last = Some(Arc::clone(values));
        Ok(true)
    }

    /// Whether the values are in the known order: all are known, or they begin with all that are known.
    fn keeps_order(&self, values: &ArrayRef, order: Order) -> Result<bool, ArrowError> {
        let found = self
            .converter
            .convert_columns(std::slice::from_ref(values))?;
        let nulls = values.logical_nulls();
        let is_null = |place| nulls.as_ref().is_some_and(|nulls| nulls.is_null(place));
        let places = (0..values.len()).filter(|place| !is_null(*place));
        let places = places.map(|place| {
            let row = found.row(place);
            let same = |known: &u32| self.rows.row(*known as usize) == row;
            let hash = self.hasher.hash_one(row.as_ref());
            self.table.find(hash, same).copied()
        });
        let places: Vec<Option<u32>> = places.collect();
        let known: Option<Vec<u32>> = places.iter().copied().collect();
        if let Some(known) = known {
            return Ok(order == Order::OfEnumeration || known.is_sorted());
        }
        let count = self.rows.num_rows();
        let begins = (0..count).all(|place| places.get(place) == Some(&Some(place as u32)));
        let rest = places.iter().skip(count).all(Option::is_none);
        Ok(order == Order::OfBatches && begins && rest)
    }

    /// Adds the categories that Polars lists in the metadata of an enumeration, whose indices refer to that list.
    fn begin(&mut self, path: &str, field: &Field, values: &DataType) -> Result<Order, ArrowError> {
        let given = Categories::of_polars(path, field).map_err(ArrowError::SchemaError)?;
        let Some(categories) = given else {
            return Ok(Order::OfBatches);
        };
        let texts = categories
            .values
            .iter()
            .map(|value| String::from_utf8_lossy(value));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        self.add(&cast(&texts, values)?, Order::None)?;
        Ok(Order::OfEnumeration)
    }

    /// The index of each value among the known ones; null for a null.
    fn places(&self, values: &ArrayRef) -> Result<UInt32Array, ArrowError> {
        let found = self
            .converter
            .convert_columns(std::slice::from_ref(values))?;
        let nulls = values.logical_nulls();
        let place = |place: usize| {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(place)) {
                return Ok(None);
            }
            let row = found.row(place);
            let same = |known: &u32| self.rows.row(*known as usize) == row;
            let found = self.table.find(self.hasher.hash_one(row.as_ref()), same);
            let unknown = || {
                let what = "a value that is not in the dictionary of the first rows, which a file by itself has for all: cast the column \
                            to its values";
                ArrowError::InvalidArgumentError(what.to_owned())
            };
            found.copied().map(Some).ok_or_else(unknown)
        };
        (0..values.len()).map(place).collect()
    }

    /// The values in one array.
    fn all(&mut self, values: &DataType) -> Result<ArrayRef, ArrowError> {
        if self.parts.len() != 1 {
            let parts: Vec<&dyn Array> = self.parts.iter().map(AsRef::as_ref).collect();
            let all = match parts.is_empty() {
                true => new_empty_array(values),
                false => concat(&parts)?,
            };
            self.parts = vec![all];
        }
        Ok(Arc::clone(&self.parts[0]))
    }
}

impl Dictionary {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The type of indices that has room for all values.
    fn indices(&self) -> DataType {
        let last = self.known().rows.num_rows().saturating_sub(1) as u64;
        let most = match self.indices {
            DataType::Int8 => i8::MAX as u64,
            DataType::UInt8 => u64::from(u8::MAX),
            DataType::Int16 => i16::MAX as u64,
            DataType::UInt16 => u64::from(u16::MAX),
            DataType::Int32 => i32::MAX as u64,
            _ => u64::MAX,
        };
        match last <= most {
            true => self.indices.clone(),
            false if last <= i32::MAX as u64 => DataType::Int32,
            false => DataType::Int64,
        }
    }

    /// The rows of a column, or of an array within one, as a dictionary of all values.
    fn restore(&self, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let indices = self.indices();
        let mut known = self.known();
        let places = match column.as_any_dictionary_opt() {
            Some(dictionary) if dictionary.values().len() <= column.len() => {
                let places = known.places(dictionary.values())?;
                take(&places, dictionary.keys(), None)?
                    .as_primitive::<UInt32Type>()
                    .clone()
            }
            Some(_) => known.places(&cast(column, &self.values)?)?,
            None => known.places(column)?,
        };
        let values = known.all(&self.values)?;
        drop(known);
        let keys = cast(&places, &indices)?.to_data();
        let data_type = DataType::Dictionary(Box::new(indices), Box::new(self.values.clone()));
        let data = keys.into_builder().data_type(data_type);
        Ok(make_array(data.child_data(vec![values.to_data()]).build()?))
    }
}

impl Dictionaries {
    /// The dictionaries of the columns that were given as dictionaries. Their values may take `most_bytes` bytes.
    ///
    /// # Errors
    /// A dictionary lies in a type that is not taken apart, or its values are of one that cannot be compared.
    pub(crate) fn new(given: &SchemaRef, most_bytes: usize) -> Result<Self, ArrowError> {
        let mut all = Vec::new();
        let mut columns = Vec::new();
        for field in given.fields() {
            let start = all.len();
            check(field.name(), field.data_type())?;
            find(field.name(), field, &mut all)?;
            columns.push(start..all.len());
        }
        Ok(Dictionaries {
            given: Arc::clone(given),
            all,
            columns,
            most_bytes,
        })
    }

    /// Adds the values of the dictionaries of a batch, also those that no row has.
    ///
    /// # Errors
    /// They are too many.
    pub(crate) fn observe(&self, batch: &RecordBatch) -> Result<(), ArrowError> {
        for (field, range) in self.given.fields().iter().zip(&self.columns) {
            let column = batch.column_by_name(field.name());
            let Some(column) = column.filter(|_| !range.is_empty()) else {
                continue;
            };
            let mut number = range.start;
            self.add(column, field, &mut number)?;
            let sizes = self.all[range.clone()]
                .iter()
                .map(|dictionary| dictionary.known().rows.size());
            let bytes: usize = sizes.sum();
            if bytes > self.most_bytes {
                return Err(ArrowError::InvalidArgumentError(format!(
                    "column {:?}: the values of its dictionary take {bytes} bytes, and they may take {}; \
                     cast the column to its values, or raise the memory limit",
                    field.name(),
                    self.most_bytes
                )));
            }
        }
        Ok(())
    }

    fn add(&self, array: &ArrayRef, given: &Field, number: &mut usize) -> Result<(), ArrowError> {
        match given.data_type() {
            DataType::Dictionary(..) => {
                let dictionary = &self.all[*number];
                *number += 1;
                let added = match array.as_any_dictionary_opt() {
                    Some(found) => dictionary.known().add(found.values(), dictionary.order)?,
                    None => dictionary.known().add(array, dictionary.order)?,
                };
                match added {
                    true => Ok(()),
                    false => Err(contradicts(given.name(), dictionary.order)),
                }
            }
            DataType::List(item) => self.add(array.as_list::<i32>().values(), item, number),
            DataType::LargeList(item) => self.add(array.as_list::<i64>().values(), item, number),
            DataType::ListView(item) => {
                self.add(array.as_list_view::<i32>().values(), item, number)
            }
            DataType::LargeListView(item) => {
                self.add(array.as_list_view::<i64>().values(), item, number)
            }
            DataType::FixedSizeList(item, _) => {
                self.add(array.as_fixed_size_list().values(), item, number)
            }
            DataType::Map(entries, _) => {
                let all: ArrayRef = Arc::new(array.as_map().entries().clone());
                self.add(&all, entries, number)
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns().iter().zip(fields);
                columns
                    .into_iter()
                    .try_for_each(|(column, field)| self.add(column, field, number))
            }
            _ => Ok(()),
        }
    }

    /// The schema of the files.
    pub(crate) fn schema(&self) -> SchemaRef {
        let fields = self.given.fields().iter().zip(&self.columns);
        let fields = fields.map(|(field, range)| self.field(field, &mut range.start.clone()));
        let metadata = self.given.metadata().clone();
        Arc::new(Schema::new_with_metadata(
            fields.collect::<Fields>(),
            metadata,
        ))
    }

    fn field(&self, given: &FieldRef, number: &mut usize) -> FieldRef {
        let data_type = match given.data_type() {
            DataType::Dictionary(_, values) => {
                let indices = self.all[*number].indices();
                *number += 1;
                DataType::Dictionary(Box::new(indices), values.clone())
            }
            DataType::List(item) => DataType::List(self.field(item, number)),
            DataType::LargeList(item) => DataType::LargeList(self.field(item, number)),
            DataType::ListView(item) => DataType::ListView(self.field(item, number)),
            DataType::LargeListView(item) => DataType::LargeListView(self.field(item, number)),
            DataType::FixedSizeList(item, size) => {
                DataType::FixedSizeList(self.field(item, number), *size)
            }
            DataType::Map(entries, sorted) => DataType::Map(self.field(entries, number), *sorted),
            DataType::Struct(fields) => {
                DataType::Struct(fields.iter().map(|f| self.field(f, number)).collect())
            }
            _ => return Arc::clone(given),
        };
        Arc::new(given.as_ref().clone().with_data_type(data_type))
    }

    /// Whether a column, by its place in the schema, is a dictionary.
    pub(crate) fn is_dictionary(&self, column: usize) -> bool {
        let field = self.given.field(column);
        matches!(field.data_type(), DataType::Dictionary(..))
    }

    /// A column as the files hold it; the batch has dictionaries within it, or their values in their place.
    pub(crate) fn restore(&self, number: usize, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let range = self.columns[number].clone();
        match range.is_empty() {
            true => Ok(Arc::clone(column)),
            false => self.restored(column, self.given.field(number), &mut range.start.clone()),
        }
    }

    fn restored(
        &self,
        array: &ArrayRef,
        given: &Field,
        number: &mut usize,
    ) -> Result<ArrayRef, ArrowError> {
        Ok(match given.data_type() {
            DataType::Dictionary(..) => {
                let dictionary = &self.all[*number];
                *number += 1;
                dictionary.restore(array)?
            }
            DataType::List(item) => self.list::<i32>(array, item, number)?,
            DataType::LargeList(item) => self.list::<i64>(array, item, number)?,
            DataType::ListView(item) => self.list_view::<i32>(array, item, number)?,
            DataType::LargeListView(item) => self.list_view::<i64>(array, item, number)?,
            DataType::FixedSizeList(item, size) => {
                let list = array.as_fixed_size_list();
                let (item, values) = self.items(list.values(), item, number)?;
                let nulls = list.nulls().cloned();
                Arc::new(FixedSizeListArray::try_new_with_length(
                    item,
                    *size,
                    values,
                    nulls,
                    list.len(),
                )?)
            }
            DataType::Map(entries, sorted) => {
                let map = array.as_map();
                let all: ArrayRef = Arc::new(map.entries().clone());
                let (entries, all) = self.items(&all, entries, number)?;
                let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
                let all = all.as_struct().clone();
                Arc::new(MapArray::try_new(entries, offsets, all, nulls, *sorted)?)
            }
            DataType::Struct(fields) => {
                let structs = array.as_struct();
                let members = structs.columns().iter().zip(fields);
                let members = members.map(|(column, field)| self.items(column, field, number));
                let members = members.collect::<Result<Vec<_>, _>>()?;
                let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = members.into_iter().unzip();
                Arc::new(StructArray::try_new_with_length(
                    fields.into(),
                    columns,
                    structs.nulls().cloned(),
                    structs.len(),
                )?)
            }
            _ => Arc::clone(array),
        })
    }

    /// The child arrays of a column, with their fields.
    fn items(
        &self,
        array: &ArrayRef,
        given: &FieldRef,
        number: &mut usize,
    ) -> Result<(FieldRef, ArrayRef), ArrowError> {
        let array = self.restored(array, given, number)?;
        let field = given.as_ref().clone();
        Ok((
            Arc::new(field.with_data_type(array.data_type().clone())),
            array,
        ))
    }

    fn list<O: OffsetSizeTrait>(
        &self,
        array: &ArrayRef,
        item: &FieldRef,
        number: &mut usize,
    ) -> Result<ArrayRef, ArrowError> {
        let list = array.as_list::<O>();
        let (item, values) = self.items(list.values(), item, number)?;
        let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
        let list = GenericListArray::try_new(item, offsets, values, nulls)?;
        Ok(Arc::new(list))
    }

    fn list_view<O: OffsetSizeTrait>(
        &self,
        array: &ArrayRef,
        item: &FieldRef,
        number: &mut usize,
    ) -> Result<ArrayRef, ArrowError> {
        let list = array.as_list_view::<O>();
        let (item, values) = self.items(list.values(), item, number)?;
        let (offsets, sizes) = (list.offsets().clone(), list.sizes().clone());
        let nulls = list.nulls().cloned();
        let list = GenericListViewArray::try_new(item, offsets, sizes, values, nulls)?;
        Ok(Arc::new(list))
    }
}

/// Refuses dictionary values that cannot be compared, or gathered from the rows of several batches.
fn check(path: &str, data_type: &DataType) -> Result<(), ArrowError> {
    match data_type {
        DataType::FixedSizeBinary(0) => {
            refuse(path, "of binary values of no bytes: leave the column out")
        }
        data_type if has_runs_within(data_type) => refuse(
            path,
            "of runs within another type: cast it to a type of their values",
        ),
        DataType::Dictionary(_, values) => check(path, values),
        other => inner_fields(other)
            .into_iter()
            .try_for_each(|field| check(&below(path, other, field), field.data_type())),
    }
}

fn contradicts(column: &str, order: Order) -> ArrowError {
    let what = match order {
        Order::OfEnumeration => "a batch has a category that the enumeration does not have",
        Order::None | Order::OfBatches => {
            "the categories of a batch are not those of the batches before it in the same order"
        }
    };
    Refused::new(
        column,
        format!("it is an ordered dictionary: {what}; {REMEDY}"),
    )
    .into()
}

/// Adds the dictionaries of a field.
fn find(path: &str, field: &Field, all: &mut Vec<Dictionary>) -> Result<(), ArrowError> {
    let data_type = field.data_type();
    let mut below = |field: &Field| find(&below(path, data_type, field), field, all);
    match data_type {
        DataType::Dictionary(indices, values) => {
            if has_dictionary(values) {
                return refuse(
                    path,
                    "a dictionary whose values are dictionaries: cast it to the values of these",
                );
            }
            let mut known = Known::new(values)?;
            let order = match field.dict_is_ordered() == Some(true) {
                true => known.begin(path, field, values)?,
                false => Order::None,
            };
            all.push(Dictionary {
                indices: indices.as_ref().clone(),
                values: values.as_ref().clone(),
                order,
                known: Mutex::new(known),
            });
            Ok(())
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => below(item),
        DataType::Struct(fields) => fields.iter().try_for_each(|field| below(field)),
        other if has_dictionary(other) => refuse(
            path,
            "a union or runs of dictionaries: cast these to their values",
        ),
        _ => Ok(()),
    }
}

fn refuse(path: &str, what: &str) -> Result<(), ArrowError> {
    Err(Refused::new(path, format!("it is {what}")).into())
}

fn has_dictionary(data_type: &DataType) -> bool {
    let within = || inner_types(data_type).into_iter().any(has_dictionary);
    matches!(data_type, DataType::Dictionary(..)) || within()
}
