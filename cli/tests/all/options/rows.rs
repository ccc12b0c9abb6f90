//! The table of options: for each what it is, and how each face spells it or why it lacks it.

use self::Cell::{Has, Lacks};

/// How one face has an option.
pub(super) enum Cell {
    /// By these names.
    Has(&'static [&'static str]),
    /// Not as an option; the text says how else, or why not.
    Lacks(&'static str),
}

impl Cell {
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Has(names) => names.iter().map(|&name| name.to_owned()).collect(),
            Lacks(_) => Vec::new(),
        }
    }

    pub(super) fn is_named(&self) -> bool {
        matches!(self, Has(_))
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Has(names) => format!("`{}`", names.join("`, `")),
            Lacks(reason) => (*reason).to_owned(),
        }
    }
}

/// One option. Where values or the default are empty, they are those of the command.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) rust: Cell,
    pub(super) command: Cell,
    pub(super) python: Cell,
    pub(super) values: &'static str,
    pub(super) default: &'static str,
}

impl Row {
    pub(super) fn cells(&self) -> [&Cell; 3] {
        [&self.rust, &self.command, &self.python]
    }
}

/// The options of one kind of work.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    /// The types whose methods are Rust's options.
    pub(super) builders: &'static [&'static str],
    /// The subcommands whose options these are.
    pub(super) commands: &'static [&'static str],
    /// The headings of their help below which the options are; the empty one for those without.
    pub(super) headings: &'static [&'static str],
    pub(super) functions: &'static [&'static str],
    pub(super) rows: &'static [Row],
}

const fn row(
    what: &'static str,
    rust: Cell,
    command: Cell,
    python: Cell,
    values: &'static str,
    default: &'static str,
) -> Row {
    Row {
        what,
        rust,
        command,
        python,
        values,
        default,
    }
}

const TESTS_ONLY: &str = "for tests";

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "Writing a data set",
        text: "Rust: `DatasetWriter::builder`, `format::TextOptions`. Command: `write`, `stage`. Python: `write_dataset`, \
               `DatasetWriter`, `stage`.",
        builders: &["DatasetWriterBuilder", "TextOptions"],
        commands: &["write", "stage"],
        headings: &["", "Files", "Parquet", "Bounds"],
        functions: &["write_dataset", "stage"],
        rows: DATA_SET,
    },
    Section {
        title: "Reading input",
        text: "How `write` and `stage` read files, and in Python `write_files`. To Rust and to Python's `write_dataset`, rows come as \
               Arrow data, from whatever reads them.",
        builders: &[],
        commands: &["write", "stage"],
        headings: &["Input"],
        functions: &["class InputOptions"],
        rows: INPUT,
    },
    Section {
        title: "One Parquet file of a data set",
        text: "Rust: `WriterOptions` of `AtomicArrowWriter`. Python: `AtomicArrowWriter`.",
        builders: &["WriterOptions"],
        commands: &[],
        headings: &[],
        functions: &["AtomicArrowWriter.__init__"],
        rows: ONE_FILE,
    },
    Section {
        title: "One file of rows at a path",
        text: "Rust: `WriterOptions` of `AtomicArrowWriter::at` and `FileUpdate`, as above. Command: `write --to FILE.parquet`, which \
               refuses what is for data sets alone. Python: `write_parquet`, `write_ipc`, `write_csv`, `write_ndjson`, `update`, \
               `AtomicArrowWriter.at`.",
        builders: &[],
        commands: &[],
        headings: &[],
        functions: &["write_parquet", "update"],
        rows: ROW_FILE,
    },
    Section {
        title: "A file of any bytes",
        text: "Rust: `FileOptions` of `AtomicFile`. Command: `put`. Python: `open`, `write_bytes`, `write_text`, `write_json`.",
        builders: &["FileOptions"],
        commands: &["put"],
        headings: &[""],
        functions: &["open", "write_bytes", "write_text", "write_json"],
        rows: ANY_BYTES,
    },
    Section {
        title: "Committing what several processes staged",
        text: "Rust: `StagedWrites`. Command: `commit`, `discard`. Python: `commit`, `discard`.",
        builders: &["StagedWrites"],
        commands: &["commit", "discard"],
        headings: &[""],
        functions: &["commit", "discard"],
        rows: STAGED,
    },
    Section {
        title: "Checking files",
        text: "Rust: `verify::VerifyOptions`. Command: `verify`. Python: `verify`.",
        builders: &["VerifyOptions"],
        commands: &["verify"],
        headings: &[""],
        functions: &["verify"],
        rows: VERIFY,
    },
    Section {
        title: "Looking at a data set",
        text: "Rust: `InspectOptions`. Command: `inspect`. Python: `inspect`.",
        builders: &["InspectOptions"],
        commands: &["inspect"],
        headings: &[""],
        functions: &["inspect"],
        rows: INSPECT,
    },
    Section {
        title: "Recovering a data set",
        text: "Rust: `RecoverOptions`. Command: `recover`. Python: `recover`.",
        builders: &["RecoverOptions"],
        commands: &["recover"],
        headings: &[""],
        functions: &["recover"],
        rows: RECOVER,
    },
    Section {
        title: "Object stores",
        text: "Of roots and paths that are URLs of one: `s3://bucket/path` (S3 and what speaks its protocol), `gs://bucket/path` \
               (Google Cloud Storage), `az://container/path` and the other schemes of Azure Blob. Inputs are not read from them. For a path on a disk the command and the \
               Python package refuse these options. What is secret is best left to the environment: in the command, arguments \
               are seen by all users of the machine. Rust: `ObjectStoreOptions`, given to `object_store` of each builder. Command: \
               all subcommands. Python: as above; `verify`, `inspect`, `recover`, `commit`, `discard`, `staged` and \
               `already_committed` take those of them that have an effect.",
        builders: &["ObjectStoreOptions"],
        commands: &[
            "write", "stage", "commit", "discard", "put", "verify", "inspect", "recover",
        ],
        headings: &["Object stores"],
        functions: &["class ObjectStoreOptions"],
        rows: OBJECT_STORES,
    },
];

#[rustfmt::skip]
const DATA_SET: &[Row] = &[
    row("the data set's root", Lacks("argument of `builder`"), Has(&["--to"]), Lacks("argument"), "a path, a `file://` URL, or a URL of an object store, such as `s3://bucket/weather`", "required"),
    row("the schema of the rows", Lacks("argument of `build`"), Lacks("`--schema` of the input"), Has(&["schema"]), "an Arrow schema", "that of the data"),
    row("whether the index of a pandas frame is written", Lacks("pandas only"), Lacks("pandas only"), Has(&["index"]), "", "row numbers are not, another index has to be decided"),
    row("partition keys", Has(&["partition_by"]), Has(&["--partition-by"]), Has(&["partition_by"]), "`station_id`, `station_id=origin`, `year(ts)`, `bucket(16, id)`, also several", "no keys"),
    row("what becomes of files that are there", Has(&["mode"]), Has(&["--mode"]), Has(&["mode"]), "", "`append`"),
    row("destroying a table of another format", Has(&["overwrite_table"]), Has(&["--overwrite-table"]), Has(&["overwrite_table"]), "a switch", "off"),
    row("comparing with what is there", Has(&["schema_check"]), Has(&["--schema-check"]), Has(&["schema_check"]), "", ""),
    row("the write's name", Has(&["write_id"]), Has(&["--write-id"]), Has(&["write_id"]), "a text", "none"),
    row("its number in a stream of writes", Has(&["sequence"]), Has(&["--sequence"]), Has(&["sequence"]), "a number", "none"),
    row("writing a named write again whose files are gone", Has(&["rewrite_missing"]), Has(&["--rewrite-missing"]), Has(&["rewrite_missing"]), "a switch", "off"),
    row("a file that says that a commit is complete", Has(&["success_file"]), Has(&["--success-file"]), Has(&["success_file"]), "a switch", "off"),
    row("which batches are taken", Has(&["schema_policy"]), Lacks("inputs are always united"), Has(&["schema_policy"]), "`exact`, `unify`", "`unify`"),
    row("the format of the files", Has(&["format"]), Has(&["--format"]), Has(&["format"]), "", "`parquet`"),
    row("the names of the files", Has(&["file_name"]), Has(&["--file-name"]), Has(&["file_name"]), "a template with the fields `{uuid}`, `{number}`, `{partition}`", "`part-{uuid}-{number}`"),
    row("compression", Has(&["compression"]), Has(&["--compression"]), Has(&["compression", "compression_level"]), "`zstd`, `gzip`, `brotli`, each also with a level as in `zstd(3)`, `snappy`, `lz4`, `uncompressed`; in Parquet also by column; Arrow IPC has zstd and lz4, text zstd and gzip", "zstd in Parquet and Arrow IPC, none in text"),
    row("how Parquet is written, as parquet-rs has it", Has(&["properties"]), Lacks("the rows below"), Lacks("the rows below"), "`WriterProperties`", "those of parquet-rs, with zstd"),
    row("how text is written", Has(&["text"]), Lacks("the rows below"), Lacks("the rows below"), "`TextOptions`", "the rows below"),
    row("options of Parquet by their names", Has(&["parquet"]), Lacks("the rows below"), Lacks("the rows below"), "`ParquetProperties`", "none"),
    row("rows of a row group (Parquet)", Lacks("`parquet`"), Has(&["--row-group-size"]), Has(&["row_group_size"]), "a number", "1048576"),
    row("bytes of a row group (Parquet)", Lacks("`parquet`"), Has(&["--row-group-bytes"]), Has(&["row_group_bytes"]), "a size", "no limit"),
    row("bytes of a page (Parquet)", Lacks("`parquet`"), Has(&["--page-size"]), Has(&["page_size"]), "a size, also by column", "1 MiB, of texts and bytes 4 MiB"),
    row("rows of a page (Parquet)", Lacks("`parquet`"), Has(&["--page-rows"]), Has(&["page_rows"]), "a number", "20000"),
    row("version of data pages (Parquet)", Lacks("`parquet`"), Has(&["--data-page-version"]), Has(&["data_page_version"]), "`1`, `2`", "1"),
    row("dictionary encoding (Parquet)", Lacks("`parquet`"), Has(&["--dictionary"]), Has(&["dictionary"]), "a switch, also by column", "on"),
    row("bytes of a dictionary (Parquet)", Lacks("`parquet`"), Has(&["--dictionary-page-size"]), Has(&["dictionary_page_size"]), "a size, also by column", "1 MiB"),
    row("statistics (Parquet)", Lacks("`parquet`"), Has(&["--statistics"]), Has(&["statistics"]), "`page`, `chunk`, `none`, also by column", "`page`"),
    row("Arrow's own schema in the footer (Parquet)", Lacks("`parquet`"), Has(&["--arrow-schema"]), Has(&["arrow_schema"]), "`on`, `off`", "where it tells more"),
    row("bytes of texts in statistics (Parquet)", Lacks("`parquet`"), Has(&["--statistics-truncate"]), Has(&["statistics_truncate"]), "a number, `none`", "64"),
    row("bloom filters (Parquet)", Lacks("`parquet`"), Has(&["--bloom-filters"]), Has(&["bloom_filters"]), "columns, each also with `fpp` and `ndv`", "none"),
    row("field ids (Parquet)", Lacks("`parquet`"), Has(&["--field-ids"]), Has(&["field_ids"]), "columns with numbers", "those that the schema has as `PARQUET:field_id`"),
    row("key-value metadata (Parquet)", Lacks("`parquet`"), Has(&["--metadata"]), Has(&["metadata"]), "pairs of texts", "none"),
    row("the key of encrypted Parquet", Lacks("`ParquetProperties::encrypt`"), Has(&["--footer-key"]), Has(&["footer_key"]), "16 or 32 bytes; in the command `env:NAME` or `file:PATH`, where it is in hexadecimal or base64", "not encrypted"),
    row("keys of columns (Parquet)", Lacks("`ParquetKeys::column`"), Has(&["--column-keys"]), Has(&["column_keys"]), "columns with their keys", "all have that of the footer"),
    row("what is bound to encrypted files (Parquet)", Lacks("`ParquetKeys::aad_prefix`"), Has(&["--aad-prefix"]), Has(&["aad_prefix"]), "a text; in Rust and Python any bytes", "nothing"),
    row("whether files tell that (Parquet)", Lacks("`parquet`"), Has(&["--store-aad-prefix"]), Has(&["store_aad_prefix"]), "a switch", "on"),
    row("a footer that anybody may read in encrypted files (Parquet)", Lacks("`parquet`"), Has(&["--plaintext-footer"]), Has(&["plaintext_footer"]), "a switch", "off"),
    row("checksums of pages (Parquet)", Has(&["page_checksums"]), Has(&["--page-checksums"]), Has(&["page_checksums"]), "", ""),
    row("encodings chosen among (Parquet)", Has(&["encodings"]), Has(&["--encodings"]), Has(&["encodings"]), "", ""),
    row("the text that is null (CSV)", Has(&["csv_null"]), Has(&["--csv-null"]), Has(&["csv_null"]), "a text", "nothing; the empty string is `\"\"`"),
    row("NaN and the infinities (NDJSON)", Has(&["json_non_finite"]), Has(&["--json-non-finite"]), Has(&["json_non_finite"]), "", ""),
    row("the size at which a file ends", Has(&["target_file_size"]), Has(&["--target-file-size"]), Has(&["target_file_size"]), "a size, such as `128MiB`", "one file a partition"),
    row("the rows at which a file ends", Has(&["target_file_rows"]), Has(&["--target-file-rows"]), Has(&["target_file_rows"]), "a number", "one file a partition"),
    row("the order of rows in each file", Has(&["sort_by"]), Has(&["--sort-by"]), Has(&["sort_by"]), "columns, each with `asc` or `desc`, `nulls first` or `nulls last`", "as they come"),
    row("partition columns in the files too", Has(&["keep_partition_columns"]), Has(&["--keep-partition-columns"]), Has(&["keep_partition_columns"]), "a switch", "off"),
    row("names that differ by case alone", Has(&["case_sensitive_names"]), Has(&["--case-sensitive-names"]), Has(&["case_sensitive_names"]), "a switch", "off"),
    row("how closely files are checked", Has(&["verify"]), Has(&["--verify"]), Has(&["verify"]), "", ""),
    row("waiting for the medium", Has(&["durability"]), Has(&["--durability"]), Has(&["durability"]), "", ""),
    row("how files and their directories are synced", Has(&["sync"]), Has(&["--sync"]), Has(&["sync"]), "", ""),
    row("where files are staged", Has(&["staging"]), Has(&["--staging"]), Has(&["staging"]), "`auto`, `beside`, `inside`, a directory", ""),
    row("how long staged files are kept", Has(&["keep_staged"]), Has(&["--keep-staged"]), Has(&["keep_staged"]), "a number of seconds; a time such as `12h` in the command, a `timedelta` in Python", "a day"),
    row("the name of staged work", Has(&["task"]), Has(&["--task"]), Has(&["task"]), "a text", "none"),
    row("the job that staged work is a part of", Has(&["job"]), Has(&["--job"]), Has(&["job"]), "a text", "none"),
    row("memory", Has(&["memory_limit"]), Has(&["--memory-limit"]), Has(&["memory_limit"]), "a size, such as `512MiB`", "1 GiB, or a quarter of the machine's"),
    row("threads that encode", Has(&["threads"]), Has(&["--threads"]), Has(&["threads"]), "a number", "as many as the machine runs"),
    row("open files", Has(&["max_open_files"]), Has(&["--max-open-files"]), Has(&["max_open_files"]), "a number, at least 8", ""),
    row("a call for each finished file", Has(&["on_file"]), Lacks("`--verbose`"), Has(&["on_file"]), "a function", "none"),
    row("a call as the write goes on", Has(&["on_progress"]), Lacks("a bar on a terminal"), Has(&["progress"]), "a function, in Python also a switch for a bar", "none"),
    row("whether to give up", Has(&["interrupt_when"]), Lacks("signals"), Lacks("Ctrl-C"), "a function", "never"),
    row("how an object store is reached and used", Has(&["object_store"]), Lacks("those of object stores, below"), Has(&["storage_options", "spool", "part_size", "parallel_requests", "dead_after", "read_back"]), "those of object stores, below", "as the environment says"),
    row("the disk", Has(&["disk"]), Lacks(TESTS_ONLY), Lacks(TESTS_ONLY), "a `Disk` (feature `sim`)", "the system's"),
    row("reporting and writing nothing", Lacks("`dry_run` in place of `build`"), Has(&["--dry-run"]), Has(&["dry_run"]), "a switch", "off"),
    row("the receipt as JSON", Lacks("`Receipt::to_json`"), Has(&["--json"]), Lacks("`Receipt.to_json`"), "a switch", "off"),
    row("what is printed", Lacks("prints nothing"), Has(&["--quiet", "--verbose"]), Lacks("prints nothing"), "switches", "a summary"),
];

#[rustfmt::skip]
const INPUT: &[Row] = &[
    row("the format", Lacks("Arrow data"), Has(&["--input-format"]), Has(&["input_format"]), "", "by the suffix, or the first bytes"),
    row("what divides fields of CSV", Lacks("Arrow data"), Has(&["--delimiter"]), Has(&["delimiter"]), "one character", "a comma; a tab for TSV"),
    row("CSV without a header", Lacks("Arrow data"), Has(&["--no-header"]), Has(&["header"]), "a switch", "off"),
    row("the encoding of text", Lacks("Arrow data"), Has(&["--encoding"]), Has(&["encoding"]), "a name", "utf-8"),
    row("what escapes quotes in CSV", Lacks("Arrow data"), Has(&["--escape"]), Has(&["escape"]), "one character", "none"),
    row("lines of CSV that are passed over", Lacks("Arrow data"), Has(&["--comment"]), Has(&["comment"]), "one character", "none"),
    row("dates and times in CSV", Lacks("Arrow data"), Has(&["--date-format"]), Has(&["date_format"]), "as of strftime", "ISO 8601"),
    row("texts that are null in CSV", Lacks("Arrow data"), Has(&["--null"]), Has(&["null_values"]), "texts", "nothing, and `NA` but in text"),
    row("rows from which types are inferred", Lacks("Arrow data"), Has(&["--infer-rows"]), Has(&["infer_rows"]), "a number", ""),
    row("columns of directories", Lacks("Arrow data"), Has(&["--no-hive"]), Has(&["hive"]), "a switch", "they are read"),
    row("types of the columns of directories", Lacks("Arrow data"), Has(&["--hive-types"]), Has(&["hive_types"]), "names and types", "inferred"),
    row("types of columns", Lacks("Arrow data"), Has(&["--schema"]), Has(&["schema"]), "names and types", "inferred"),
    row("types that columns are cast to", Lacks("arrow's own `cast`"), Has(&["--cast"]), Has(&["cast"]), "names and types", "none"),
    row("the columns that are written", Lacks("arrow's own `RecordBatch::project`"), Has(&["--select"]), Has(&["select"]), "names, each also as `new=old`", "all"),
];

#[rustfmt::skip]
const ONE_FILE: &[Row] = &[
    row("the file's name", Has(&["file_name"]), Lacks("no such command"), Has(&["file_name"]), "a name", "one that no other writer has"),
    row("the format", Has(&["format"]), Lacks("no such command"), Lacks("not yet"), "`parquet`, `ipc`, `ndjson`, `csv`", "by the suffix of the path, else `parquet`"),
    row("how text is written", Has(&["text"]), Lacks("no such command"), Lacks("not yet"), "`TextOptions`", "as of data sets"),
    row("replacing a file that is there", Has(&["mode"]), Lacks("no such command"), Has(&["replace"]), "a switch", "off in a partition, on at a path"),
    row("partition columns in the file too", Has(&["keep_partition_columns"]), Lacks("no such command"), Has(&["keep_partition_columns"]), "a switch", "off"),
    row("names that differ by case alone", Has(&["case_sensitive_names"]), Lacks("no such command"), Has(&["case_sensitive_names"]), "a switch", "off"),
    row("comparing with what is there", Has(&["schema_check"]), Lacks("no such command"), Has(&["schema_check"]), "a switch", "on"),
    row("which batches are taken", Has(&["schema_policy"]), Lacks("no such command"), Has(&["schema_policy"]), "`exact`, `unify`", "`unify`"),
    row("how Parquet is written, as parquet-rs has it", Has(&["properties"]), Lacks("no such command"), Lacks("the rows below"), "`WriterProperties`", "those of parquet-rs, with zstd"),
    row("compression", Has(&["compression"]), Lacks("no such command"), Has(&["compression", "compression_level"]), "as of data sets", "zstd"),
    row("options of Parquet by their names", Has(&["parquet"]), Lacks("no such command"), Lacks("as of data sets"), "as of data sets", "none"),
    row("how Parquet is written", Lacks("`parquet`"), Lacks("no such command"), Has(&["row_group_size", "row_group_bytes", "page_size", "page_rows", "data_page_version", "dictionary", "dictionary_page_size", "statistics", "statistics_truncate", "arrow_schema", "bloom_filters", "field_ids", "metadata", "footer_key", "column_keys", "aad_prefix", "store_aad_prefix", "plaintext_footer"]), "as of data sets", "as of data sets"),
    row("checksums of pages", Has(&["page_checksums"]), Lacks("no such command"), Has(&["page_checksums"]), "a switch", "on"),
    row("encodings chosen among", Has(&["encodings"]), Lacks("no such command"), Has(&["encodings"]), "`auto`, `compatible`", "`auto`"),
    row("whether the index of a pandas frame is written", Lacks("pandas only"), Lacks("no such command"), Has(&["index"]), "", "as of data sets"),
    row("how closely the file is checked", Has(&["verify"]), Lacks("no such command"), Has(&["verify"]), "as of data sets", "`footer`"),
    row("waiting for the medium", Has(&["durability"]), Lacks("no such command"), Has(&["durability"]), "`synced`, `unsynced`", "`synced`"),
    row("where the file is staged", Has(&["staging"]), Lacks("no such command"), Has(&["staging"]), "as of data sets", "`auto`"),
    row("whether to give up", Has(&["interrupt_when"]), Lacks("no such command"), Lacks("Ctrl-C"), "a function", "never"),
    row("how an object store is reached and used", Has(&["object_store"]), Lacks("those of object stores, below"), Has(&["storage_options", "spool", "part_size", "parallel_requests", "dead_after", "read_back"]), "those of object stores, below", "as the environment says"),
    row("the disk", Has(&["disk"]), Lacks(TESTS_ONLY), Lacks(TESTS_ONLY), "a `Disk` (feature `sim`)", "the system's"),
];

#[rustfmt::skip]
const ROW_FILE: &[Row] = &[
    row("replacing a file that is there", Lacks("`WriterOptions::mode`"), Lacks("`--mode overwrite`, `--mode error-if-exists`"), Has(&["mode"]), "`w`, `x`", "it is replaced"),
    row("the schema of the rows", Lacks("argument"), Lacks("`--schema` of the input"), Has(&["schema"]), "an Arrow schema", "that of the data"),
    row("whether the index of a pandas frame is written", Lacks("pandas only"), Lacks("pandas only"), Has(&["index"]), "", "as of data sets"),
    row("which batches are taken", Lacks("`WriterOptions::schema_policy`"), Lacks("inputs are always united"), Has(&["schema_policy"]), "`exact`, `unify`", "`unify`"),
    row("compression", Lacks("`WriterOptions::compression`"), Lacks("as of data sets"), Has(&["compression", "compression_level"]), "as of data sets", "zstd in Parquet and Arrow IPC; of text as its suffix says"),
    row("how Parquet is written", Lacks("`WriterOptions::parquet`"), Lacks("as of data sets"), Has(&["row_group_size", "row_group_bytes", "page_size", "page_rows", "data_page_version", "dictionary", "dictionary_page_size", "statistics", "statistics_truncate", "arrow_schema", "bloom_filters", "field_ids", "metadata", "footer_key", "column_keys", "aad_prefix", "store_aad_prefix", "plaintext_footer", "encodings", "page_checksums"]), "as of data sets", "as of data sets"),
    row("how text is written", Lacks("`WriterOptions::text`"), Lacks("as of data sets"), Has(&["csv_null", "json_non_finite"]), "as of data sets", "as of data sets"),
    row("names that differ by case alone", Lacks("`WriterOptions::case_sensitive_names`"), Lacks("as of data sets"), Has(&["case_sensitive_names"]), "a switch", "off"),
    row("how an object store is reached and used", Lacks("`WriterOptions::object_store`"), Lacks("those of object stores, below"), Has(&["storage_options", "spool", "part_size", "parallel_requests", "dead_after", "read_back"]), "those of object stores, below", "as the environment says"),
    row("how the file is published", Lacks("`WriterOptions`"), Lacks("as of data sets"), Has(&["verify", "durability", "staging"]), "as of data sets", "as of data sets; staged inside its directory"),
];

#[rustfmt::skip]
const ANY_BYTES: &[Row] = &[
    row("replacing a file that is there", Has(&["mode"]), Has(&["--replace"]), Has(&["replace"]), "a switch; `mode` \"w\" or \"x\" of `open`", "off; on in Python, as files are opened there"),
    row("the format that the bytes must have", Has(&["format"]), Has(&["--check"]), Has(&["check"]), "", "any bytes"),
    row("how text becomes bytes", Lacks("bytes only"), Lacks("bytes only"), Has(&["encoding", "errors", "newline"]), "as of Python's `open`", "UTF-8"),
    row("how closely the file is checked", Has(&["verify"]), Has(&["--verify"]), Has(&["verify"]), "", ""),
    row("waiting for the medium", Has(&["durability"]), Has(&["--durability"]), Has(&["durability"]), "", ""),
    row("where the file is staged", Has(&["staging"]), Has(&["--staging"]), Has(&["staging"]), "`auto`, `beside`, `inside`, a directory", ""),
    row("whether to give up", Has(&["interrupt_when"]), Lacks("signals"), Lacks("Ctrl-C"), "a function", "never"),
    row("how an object store is reached and used", Has(&["object_store"]), Lacks("those of object stores, below"), Has(&["storage_options", "spool", "part_size", "parallel_requests", "dead_after", "read_back"]), "those of object stores, below", "as the environment says"),
    row("the disk", Has(&["disk"]), Lacks(TESTS_ONLY), Lacks(TESTS_ONLY), "a `Disk` (feature `sim`)", "the system's"),
    row("what is printed", Lacks("prints nothing"), Has(&["--json", "--quiet"]), Lacks("prints nothing"), "switches", "a summary"),
];

#[rustfmt::skip]
const STAGED: &[Row] = &[
    row("the data set that all has to be of", Has(&["expect_root"]), Has(&["--to"]), Has(&["root"]), "as of data sets", "that of the first"),
    row("the job that is committed or discarded as one", Has(&["job"]), Has(&["--job"]), Has(&["job"]), "a text", "that of what is staged"),
    row("a job of which nothing is handed over", Lacks("no writes"), Has(&["--without-records"]), Lacks("`staged=[]`"), "a switch", "off"),
    row("where a job without any record staged", Has(&["staging"]), Has(&["--staging"]), Has(&["staging"]), "`auto`, `beside`, `inside`, a directory", "`auto`"),
    row("the commit's name", Has(&["write_id"]), Has(&["--write-id"]), Has(&["write_id"]), "a text", "none"),
    row("its number in a stream of commits", Has(&["sequence"]), Has(&["--sequence"]), Has(&["sequence"]), "a number", "that of what is staged"),
    row("publishing a named commit again whose files are gone", Has(&["rewrite_missing"]), Has(&["--rewrite-missing"]), Has(&["rewrite_missing"]), "a switch", "off"),
    row("a file that says that a commit is complete", Has(&["success_file"]), Has(&["--success-file"]), Has(&["success_file"]), "a switch", "off"),
    row("comparing the parts, and with what is there", Has(&["schema_check"]), Has(&["--schema-check"]), Has(&["schema_check"]), "", ""),
    row("names that differ by case alone", Has(&["case_sensitive_names"]), Has(&["--case-sensitive-names"]), Has(&["case_sensitive_names"]), "a switch", "off"),
    row("whether to give up", Has(&["interrupt_when"]), Lacks("signals"), Lacks("Ctrl-C"), "a function", "never"),
    row("how an object store is reached and used", Has(&["object_store"]), Lacks("those of object stores, below"), Has(&["storage_options", "dead_after"]), "those of object stores, below", "as the environment says"),
    row("the disk", Has(&["disk"]), Lacks(TESTS_ONLY), Lacks(TESTS_ONLY), "a `Disk` (feature `sim`)", "the system's"),
    row("what is printed", Lacks("prints nothing"), Has(&["--json", "--quiet", "--verbose"]), Lacks("prints nothing"), "switches", "a summary"),
];

#[rustfmt::skip]
const VERIFY: &[Row] = &[
    row("how closely", Has(&["level"]), Has(&["--level"]), Has(&["level"]), "", ""),
    row("the keys of encrypted Parquet", Has(&["keys"]), Has(&["--footer-key", "--column-keys", "--aad-prefix"]), Has(&["footer_key", "column_keys", "aad_prefix"]), "as of data sets", "none: encrypted files are not checkable"),
    row("what is mounted below", Has(&["cross_mounts"]), Has(&["--cross-mounts"]), Has(&["cross_mounts"]), "a switch", "off"),
    row("a call for each file", Lacks("argument"), Lacks("`--verbose`"), Has(&["on_file"]), "a function", "none"),
    row("a call as it goes on", Has(&["on_progress"]), Lacks("a bar on a terminal"), Has(&["progress"]), "a function, in Python also a switch for a bar", "none"),
    row("how an object store is reached and used", Has(&["object_store"]), Lacks("those of object stores, below"), Has(&["storage_options"]), "those of object stores, below", "as the environment says"),
    row("what is printed", Lacks("prints nothing"), Has(&["--json", "--quiet", "--verbose"]), Lacks("prints nothing"), "switches", "damage and a summary"),
];

#[rustfmt::skip]
const INSPECT: &[Row] = &[
    row("the size of small files", Has(&["small_file"]), Has(&["--small-file"]), Has(&["small_file"]), "a size", "1 MiB"),
    row("what is mounted below", Has(&["cross_mounts"]), Has(&["--cross-mounts"]), Has(&["cross_mounts"]), "a switch", "off"),
    row("the keys of encrypted Parquet", Has(&["keys"]), Has(&["--footer-key", "--column-keys", "--aad-prefix"]), Has(&["footer_key", "column_keys", "aad_prefix"]), "as of data sets", "none: encrypted files are not checkable"),
    row("where writers stage their files", Has(&["staging"]), Has(&["--staging"]), Has(&["staging"]), "`auto`, `beside`, `inside`, a directory", ""),
    row("how an object store is reached and used", Has(&["object_store"]), Lacks("those of object stores, below"), Has(&["storage_options"]), "those of object stores, below", "as the environment says"),
    row("the disk", Has(&["disk"]), Lacks(TESTS_ONLY), Lacks(TESTS_ONLY), "a `Disk` (feature `sim`)", "the system's"),
    row("a call as it goes on", Has(&["on_progress"]), Lacks("a bar on a terminal"), Has(&["progress"]), "a function, in Python also a switch for a bar", "none"),
    row("what is printed", Lacks("prints nothing"), Has(&["--all", "--json"]), Lacks("prints nothing"), "switches", "the first of each kind"),
];

#[rustfmt::skip]
const RECOVER: &[Row] = &[
    row("doing nothing", Has(&["dry_run"]), Has(&["--dry-run"]), Has(&["dry_run"]), "a switch", "off"),
    row("giving up commits that cannot be finished", Has(&["abort_unfinished"]), Has(&["--abort"]), Has(&["abort_unfinished"]), "a switch", "off"),
    row("where writers stage their files", Has(&["staging"]), Has(&["--staging"]), Has(&["staging"]), "`auto`, `beside`, `inside`, a directory", ""),
    row("whether to give up", Has(&["interrupt_when"]), Lacks("signals"), Lacks("Ctrl-C"), "a function", "never"),
    row("how an object store is reached and used", Has(&["object_store"]), Lacks("those of object stores, below"), Has(&["storage_options", "dead_after"]), "those of object stores, below", "as the environment says"),
    row("the disk", Has(&["disk"]), Lacks(TESTS_ONLY), Lacks(TESTS_ONLY), "a `Disk` (feature `sim`)", "the system's"),
    row("a call as it goes on", Has(&["on_progress"]), Lacks("a bar on a terminal"), Has(&["progress"]), "a function, in Python also a switch for a bar", "none"),
    row("what is printed", Lacks("prints nothing"), Has(&["--json", "--quiet"]), Lacks("prints nothing"), "switches", "a summary"),
];

#[rustfmt::skip]
const OBJECT_STORES: &[Row] = &[
    row("settings of the client", Has(&["set"]), Has(&["--storage-option"]), Has(&["storage_options"]), "names and values, as of the crate object_store, and of the `storage_options` of Polars and delta-rs: `aws_region`, `aws_endpoint`, `aws_allow_http`, `timeout`; in Python also a store of `obstore`", "those of the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY`, `GOOGLE_SERVICE_ACCOUNT` and the like; for a setting that is in neither, the store's own"),
    row("the client itself", Has(&["store", "store_with_parts"]), Lacks("not possible"), Lacks("its settings, of a store of `obstore`"), "an `Arc<dyn ObjectStore>`", "made of the URL"),
    row("where files are made and verified before they are uploaded", Has(&["spool"]), Has(&["--spool"]), Has(&["spool"]), "a directory on a disk", "the system's for temporary files"),
    row("the size of parts in which longer files are uploaded", Has(&["part_size"]), Has(&["--part-size"]), Has(&["part_size"]), "a size, at least 5 MiB", "8 MiB"),
    row("reading back what was uploaded before it is visible", Has(&["read_back"]), Has(&["--read-back"]), Has(&["read_back"]), "a switch; not of one file by itself", "off: the store compares checksums"),
    row("requests at a time", Has(&["parallel_requests"]), Has(&["--parallel-requests"]), Has(&["parallel_requests"]), "a number", "16"),
    row("how long a silent writer is taken to be alive", Has(&["dead_after"]), Has(&["--dead-after"]), Has(&["dead_after"]), "a number of seconds, at least 60; a time such as `1h` in the command, a `timedelta` in Python", "15 minutes"),
];
