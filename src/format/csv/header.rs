//! Reading the names in the header of a CSV file, and nothing behind it.

use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use csv_core::{ReadFieldResult, ReaderBuilder};

use super::delimiter;
use crate::disk::DiskFile;
use crate::format::Fault;
use crate::format::compressed::{self, undecodable};
use crate::format::source::Source;
use crate::format::text::{BUFFER, HEAD, Utf8};

/// The names of the columns in their order; `None` if there is no header.
pub(in crate::format) fn names(
    file: Arc<dyn DiskFile>,
    path: &Path,
) -> Result<Option<Vec<String>>, Fault> {
    let source = Source::new(file)?;
    let names = read(&source, delimiter(path));
    source.settle(names)
}

fn read(source: &Source, delimiter: u8) -> Result<Option<Vec<String>>, Fault> {
    let text = Utf8::new(compressed::reader(source)?.take(HEAD));
    let mut text = BufReader::with_capacity(BUFFER, text);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
    let (mut output, mut names, mut name) = (vec![0; BUFFER], Vec::new(), Vec::new());
    loop {
        let input = text.fill_buf().map_err(undecodable)?;
        let (result, read, written) = reader.read_field(input, &mut output);
        text.consume(read);
        name.extend_from_slice(&output[..written]);
        match result {
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            ReadFieldResult::End => return Ok(None),
            ReadFieldResult::Field { record_end } => {
                // It was checked to be UTF-8 on its way.
                names.push(String::from_utf8_lossy(&std::mem::take(&mut name)).into_owned());
                if record_end {
                    return Ok(Some(names));
                }
            }
        }
    }
}
