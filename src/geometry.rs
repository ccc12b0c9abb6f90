//! The metadata of GeoParquet: what a schema says of its geometry columns.
//!
//! Under the key `geo` a schema has, for each column of geometries, how they are encoded and their coordinate reference
//! system (<https://geoparquet.org/releases/v1.1.0/>): the same bytes are another place on Earth under another. What it
//! says of the values of one file, their `bbox` and `geometry_types`, is no part of what the column means.

use std::collections::BTreeMap;
use std::fmt;

use arrow::datatypes::Schema;
use serde_json::{Map, Value, json};

/// The key of a schema's metadata.
const GEO: &str = "geo";
/// The member of `geo` with what is said of each column.
const COLUMNS: &str = "columns";
/// The member of `geo` that names the column to be shown first.
const PRIMARY_COLUMN: &str = "primary_column";
/// The coordinate reference system.
const CRS: &str = "crs";
/// The box around all geometries of the file, by which readers skip files.
const BBOX: &str = "bbox";
/// The types of all geometries of the file; empty if they are not known.
const GEOMETRY_TYPES: &str = "geometry_types";
/// The members that some writers leave out, and what they are then.
const DEFAULTS: [(&str, &str); 2] = [(CRS, "OGC:CRS84"), ("edges", "planar")];

/// How many characters of a value are shown.
const SHOWN_CHARS: usize = 80;

/// The geometry metadata of a schema.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Geometries {
    /// All members but the columns.
    rest: Map<String, Value>,
    /// The metadata of each geometry column that the schema has.
    columns: BTreeMap<String, Geometry>,
}

/// The metadata of one geometry column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Geometry(Map<String, Value>);

/// The members in which two columns differ, as each has them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GeometryDifference {
    pub(crate) first: String,
    pub(crate) found: String,
}

/// Whether the `geo` metadata of two schemas are the same text.
pub(crate) fn is_same_text(one: &Schema, other: &Schema) -> bool {
    one.metadata().get(GEO) == other.metadata().get(GEO)
}

impl Geometries {
    /// Reads the `geo` metadata of a schema; empty where they do not follow the specification.
    pub(crate) fn of(schema: &Schema) -> Self {
        let text = schema.metadata().get(GEO);
        let parsed = text.and_then(|text| serde_json::from_str(text).ok());
        let Some(Value::Object(mut rest)) = parsed else {
            return Geometries::default();
        };
        let Some(Value::Object(columns)) = rest.remove(COLUMNS) else {
            return Geometries::default();
        };
        let columns = columns.into_iter().filter_map(|(name, said)| match said {
            Value::Object(said) if schema.fields().find(&name).is_some() => {
                Some((name, Geometry(said)))
            }
            _ => None,
        });
        Geometries {
            columns: columns.collect(),
            rest,
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, column: &str) -> Option<&Geometry> {
        self.columns.get(column)
    }

    /// Merges the metadata of two schemas whose columns do not differ, to be true of the rows of both.
    fn united(mut self, other: Geometries) -> Self {
        for (name, said) in other.columns {
            match self.columns.get_mut(&name) {
                Some(known) => known.unite(&said),
                None => drop(self.columns.insert(name, said)),
            }
        }
        for (member, value) in other.rest {
            self.rest.entry(member).or_insert(value);
        }
        self
    }

    /// The text of the `geo` metadata; `None` if there is no geometry column.
    fn text(mut self) -> Option<String> {
        let first = self.columns.keys().next()?.clone();
        let primary = self.rest.get(PRIMARY_COLUMN).and_then(Value::as_str);
        if primary.is_none_or(|name| !self.columns.contains_key(name)) {
            self.rest.insert(PRIMARY_COLUMN.to_owned(), first.into());
        }
        let columns = self.columns.into_iter();
        let columns = columns.map(|(name, said)| (name, Value::Object(said.0)));
        self.rest.insert(COLUMNS.to_owned(), columns.collect());
        Some(Value::Object(self.rest).to_string())
    }
}

/// The schema with the merged geometry metadata of two schemas, none of whose columns differ.
pub(crate) fn with_geometries(mut schema: Schema, first: &Schema, found: &Schema) -> Schema {
    let (geometries, others) = (Geometries::of(first), Geometries::of(found));
    let text = match (geometries.columns.is_empty(), others.columns.is_empty()) {
        (true, true) => return schema,
        (false, true) => first.metadata().get(GEO).cloned(),
        (true, false) => found.metadata().get(GEO).cloned(),
        (false, false) => {
            let united = geometries.clone().united(others);
            // As it was given, where it says the same.
            match united == geometries {
                true => first.metadata().get(GEO).cloned(),
                false => united.text(),
            }
        }
    };
    let text = text.map(|text| (GEO.to_owned(), text));
    schema.metadata.extend(text);
    schema
}

/// The schema with the geometry metadata that another has of these columns, without what is true of the rows of its
/// file alone.
pub(crate) fn with_geometries_like(schema: Schema, columns: &[&str], there: &Schema) -> Schema {
    let mut known = Geometries::of(there);
    known
        .columns
        .retain(|name, _| columns.contains(&name.as_str()));
    for said in known.columns.values_mut() {
        said.0.remove(BBOX);
        said.0.insert(GEOMETRY_TYPES.to_owned(), json!([]));
    }
    let known = known.text().map(|text| (GEO.to_owned(), text));
    if known.is_none() {
        return schema;
    }
    let known = Schema::new_with_metadata(schema.fields().clone(), known.into_iter().collect());
    with_geometries(schema.clone(), &schema, &known)
}

impl Geometry {
    /// The members in which two columns differ in the meaning of their values.
    pub(crate) fn difference(&self, found: &Geometry) -> Option<GeometryDifference> {
        let differs = |member: &&String| self.meant(member) != found.meant(member);
        let is_meaning = |member: &&String| !matches!(member.as_str(), BBOX | GEOMETRY_TYPES);
        self.described(found, |member| is_meaning(member) && differs(member))
    }

    /// The members that would not be true of the values of another file: box and types of geometries.
    pub(crate) fn lacks(&self, found: &Geometry) -> Option<GeometryDifference> {
        self.described(found, |member| match member.as_str() {
            BBOX => self.0.contains_key(BBOX) && self.0.get(BBOX) != found.0.get(BBOX),
            GEOMETRY_TYPES => self.with_types_of(found) != self.0.get(GEOMETRY_TYPES).cloned(),
            _ => false,
        })
    }

    fn described(
        &self,
        found: &Geometry,
        differs: impl Fn(&&String) -> bool,
    ) -> Option<GeometryDifference> {
        let members: Vec<&String> = self
            .0
            .keys()
            .chain(
                found
                    .0
                    .keys()
                    .filter(|member| !self.0.contains_key(*member)),
            )
            .filter(differs)
            .collect();
        let described = |said: &Geometry| {
            let shown = members.iter().map(|member| said.shown(member));
            format!("geometry of {}", shown.collect::<Vec<_>>().join(", "))
        };
        (!members.is_empty()).then(|| GeometryDifference {
            first: described(self),
            found: described(found),
        })
    }

    /// The meaning of a member: of a coordinate reference system its identifier, where it has one, since writers
    /// spell out the rest in several ways.
    fn meant(&self, member: &str) -> Option<Value> {
        let value = self.0.get(member).cloned();
        let value = value.or_else(|| {
            let default = DEFAULTS.iter().find(|(name, _)| *name == member)?;
            Some(default.1.into())
        })?;
        match identifier(&value) {
            Some(identifier) if member == CRS => Some(identifier.into()),
            _ => Some(value),
        }
    }

    fn shown(&self, member: &str) -> String {
        let text = match self.meant(member) {
            None => return format!("no {member}"),
            Some(Value::Null) if member == CRS => return "an unknown crs".to_owned(),
            Some(Value::String(text)) => text,
            Some(value) => match value.get("name").and_then(Value::as_str) {
                Some(name) => name.to_owned(),
                None => value.to_string(),
            },
        };
        match text.char_indices().nth(SHOWN_CHARS) {
            Some((end, _)) => format!("{member} {}…", &text[..end]),
            None => format!("{member} {text}"),
        }
    }

    /// The geometry types of both columns; `None` if those of one are not known.
    fn with_types_of(&self, found: &Geometry) -> Option<Value> {
        let types = |said: &Geometry| said.0.get(GEOMETRY_TYPES)?.as_array().cloned();
        let (Some(mut all), Some(others)) = (types(self), types(found)) else {
            return self.0.get(GEOMETRY_TYPES).map(|_| json!([]));
        };
        if all.is_empty() || others.is_empty() {
            return Some(json!([]));
        }
        for other in others {
            if !all.contains(&other) {
                all.push(other);
            }
        }
        Some(all.into())
    }

    fn unite(&mut self, found: &Geometry) {
        if self.0.get(BBOX) != found.0.get(BBOX) {
            self.0.remove(BBOX);
        }
        if let Some(types) = self.with_types_of(found) {
            self.0.insert(GEOMETRY_TYPES.to_owned(), types);
        }
    }
}

impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "geometry of {}", self.shown(CRS))
    }
}

/// The authority and the code of a coordinate reference system, as in `EPSG:2056`.
fn identifier(crs: &Value) -> Option<String> {
    let id = crs.get("id")?;
    let code = match id.get("code")? {
        Value::String(code) => code.clone(),
        code => code.to_string(),
    };
    Some(format!("{}:{code}", id.get("authority")?.as_str()?))
}
