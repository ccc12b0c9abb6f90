//! [`SchemaPolicy`]: which batches a writer takes for its own schema.

use super::parse::names;

/// Which batches a writer takes.
///
/// | the batch has | `Exact` | `Unify` |
/// |---|---|---|
/// | the columns in another order | mismatch | put in order, by their names |
/// | a column too many or too few, nullable or not | mismatch | mismatch |
/// | `Utf8`, `LargeUtf8`, `Utf8View` for one another | mismatch | converted |
/// | `Binary`, `LargeBinary`, `BinaryView` for one another | mismatch | converted |
/// | `List`, `LargeList`, `ListView`, `LargeListView` for one another | mismatch | converted, if their items can be |
/// | a dictionary for its values, or with other indices, or the reverse | mismatch | converted |
/// | a type whose values the schema's holds: a narrower number, a coarser unit of time ([`schema`](crate::schema)) | mismatch | converted |
/// | an ordered dictionary for one without an order, or for values, or the reverse | mismatch | mismatch |
/// | an enumeration of Polars for one of other categories | mismatch | mismatch |
/// | an extension type for another, for other parameters of it, for its storage type, or the reverse | mismatch | mismatch |
/// | geometries of GeoParquet for those of another CRS, or for bytes, or the reverse | mismatch | mismatch |
/// | geometries with another `bbox`, where the schema has one | mismatch | mismatch |
/// | values for an enumeration of Polars | mismatch | converted, if they are among its categories |
/// | a struct or map of such | mismatch | converted; a struct's fields have to be in order |
/// | `Null` for any type, also within a list, struct or map | taken | taken |
/// | a map with sorted keys for one without | taken | taken |
/// | a struct whose fields have other names | mismatch | mismatch |
/// | any other type, also a wider one, and any for `Null` | mismatch | mismatch |
/// | nulls where the schema has none, also within a list, struct or map | mismatch | mismatch |
/// | other metadata, other names of list items, or no nulls where the schema allows them | taken | taken |
///
/// ```
/// use atomic_arrow::SchemaPolicy;
///
/// assert_eq!(SchemaPolicy::default(), SchemaPolicy::Unify);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SchemaPolicy {
    /// Batches with the same columns in the same order, of the same types.
    Exact,
    /// Also batches that differ in the order of columns, in how the same logical type is held in memory, or in types
    /// whose values the writer's types hold; they are converted. The default.
    #[default]
    Unify,
}

names!(SchemaPolicy {
    Exact => "exact",
    Unify => "unify",
});
