//! `verify`.

use atomic_arrow::Verify;
use atomic_arrow::verify::verify_file;

use crate::run::{Place, testdata};

#[test]
fn a_sound_data_set_exits_with_0_at_every_level() {
    let place = Place::new();
    place.write_weather(&["-q"]).exits(0);
    for level in ["footer", "checksum", "decode"] {
        let ran = place
            .run(["verify", "lake/weather", "--level", level])
            .exits(0);
        let summary = format!("36 files checked ({level}): 36 sound, 0 damaged; 26,115 rows, ");
        assert!(ran.stdout.starts_with(&summary), "{}", ran.stdout);
    }
    let ran = place.run(["verify", "lake/weather", "-v"]).exits(0);
    assert_eq!(
        ran.stdout
            .lines()
            .filter(|line| line.ends_with(": sound"))
            .count(),
        36
    );
    assert_eq!(
        place.run(["verify", "lake/weather", "-q"]).exits(0).stdout,
        ""
    );
}

#[test]
fn a_damaged_file_is_a_line_that_says_what_and_where() {
    let place = Place::new();
    place.write_weather(&["-q"]).exits(0);
    let victim = place
        .path("lake/weather")
        .join(&place.files("lake/weather")[7]);
    let mut bytes = std::fs::read(&victim).unwrap();
    bytes.truncate(bytes.len() - 5);
    std::fs::write(&victim, bytes).unwrap();
    let ran = place
        .run(["verify", "lake/weather"])
        .exits(3)
        .prints("35 sound, 1 damaged");
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    let name = victim.file_name().unwrap().to_str().unwrap();
    assert!(
        lines[0].contains(name) && lines[0].contains("byte "),
        "{}",
        lines[0]
    );
}

#[test]
fn a_flipped_page_is_seen_by_reading_pages() {
    let place = Place::new();
    let file = testdata("odd/page-flipped-crc.parquet");
    place.run(["verify", &file]).exits(0);
    place
        .run(["verify", &file, "--level", "checksum"])
        .exits(3)
        .prints("row group ")
        .prints("column ");
}

#[test]
fn json_is_one_object_with_the_place_of_the_damage() {
    let place = Place::new();
    let (cut, good) = (
        testdata("odd/cut-in-page.parquet"),
        testdata("odd/good.parquet"),
    );
    let report = place
        .run(["verify", &cut, &good, "no.parquet", "--json"])
        .exits(3)
        .json();
    assert_eq!((&report["files"], &report["sound"]), (&2.into(), &1.into()));
    assert_eq!(report["level"], "footer");
    let damaged = &report["damaged"][0];
    assert_eq!(damaged["path"], cut);
    assert!(
        damaged["offset"].is_u64() && damaged["damage"].is_string(),
        "{damaged}"
    );
    assert!(
        report["errors"][0]
            .as_str()
            .unwrap()
            .starts_with("no.parquet: cannot be read: ")
    );
}

#[test]
fn what_cannot_be_read_exits_with_1_and_the_rest_is_checked() {
    let place = Place::new();
    let good = testdata("odd/good.parquet");
    place
        .run(["verify", "no.parquet", &good])
        .exits(1)
        .says("no.parquet: cannot be read")
        .prints("1 file checked (footer): 1 sound, 0 damaged, 1 path not read to the end");
}

#[test]
fn a_directory_without_data_files_says_so() {
    let place = Place::new();
    place.file("dir/notes.txt", "x");
    let ran = place
        .run(["verify", "dir"])
        .exits(0)
        .says("no data files found");
    assert_eq!(ran.stdout, "");
}

#[test]
fn pages_carry_checksums_unless_none_are_asked_for() {
    for (switch, all_carry) in [("on", true), ("off", false)] {
        let place = Place::new();
        place
            .write_weather(&["-q", "--page-checksums", switch])
            .exits(0);
        for file in place.files("lake/weather") {
            let path = place.path("lake/weather").join(file);
            let report = verify_file(&path, Verify::Checksum).unwrap();
            let pages = report.pages().unwrap();
            assert_eq!(pages.with_crc, if all_carry { pages.all } else { 0 });
        }
    }
}

#[test]
fn columns_are_encoded_as_asked() {
    use atomic_arrow::parquet::basic::Encoding;
    use atomic_arrow::parquet::file::reader::{FileReader as _, SerializedFileReader};

    for (which, is_delta) in [("auto", true), ("compatible", false)] {
        let place = Place::new();
        place.write_weather(&["-q", "--encodings", which]).exits(0);
        let mut encodings = Vec::new();
        for file in place.files("lake/weather") {
            let file = std::fs::File::open(place.path("lake/weather").join(file)).unwrap();
            let reader = SerializedFileReader::new(file).unwrap();
            let columns = reader.metadata().row_group(0).columns().iter();
            encodings.extend(columns.flat_map(|column| column.encodings().collect::<Vec<_>>()));
        }
        let found = encodings.contains(&Encoding::DELTA_BINARY_PACKED);
        assert_eq!(found, is_delta, "{which}: {encodings:?}");
    }
}

#[test]
fn a_file_that_cannot_be_checked_is_neither_sound_nor_damaged() {
    let place = Place::new();
    let encrypted = testdata("odd/encrypted-footer.parquet");
    place
        .run(["verify", &encrypted])
        .exits(1)
        .prints("0 sound, 0 damaged, 1 not checkable");
    let report = place.run(["verify", &encrypted, "--json"]).exits(1).json();
    assert_eq!(report["damaged"].as_array().unwrap().len(), 0);
    assert_eq!(report["not_checkable"][0]["path"], encrypted);
    place
        .run(["verify", &encrypted, &testdata("odd/text.parquet")])
        .exits(3)
        .prints("0 sound, 1 damaged, 1 not checkable");
}

#[test]
fn parquet_is_written_as_it_is_asked_for_by_column() {
    use atomic_arrow::parquet::basic::Compression;
    use atomic_arrow::parquet::file::reader::{FileReader as _, SerializedFileReader};

    let place = Place::new();
    let more = "-q --compression zstd(3),temp=uncompressed --dictionary off,dewp=on --statistics none,wind_dir=chunk \
                --row-group-size 500 --encodings compatible --metadata source=nws";
    let more: Vec<&str> = more
        .split(' ')
        .chain(["--bloom-filters", "temp(fpp=0.01 ndv=50),dewp"])
        .collect();
    place.write_weather(&more).exits(0);
    let file = place.files("lake/weather").remove(0);
    let file = std::fs::File::open(place.path("lake/weather").join(file)).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let group = reader.metadata().row_group(0);
    assert_eq!(group.num_rows(), 500);
    let column = |name: &str| {
        let mut columns = group.columns().iter();
        columns
            .find(|column| column.column_path().string() == name)
            .unwrap()
    };
    assert_eq!(column("temp").compression(), Compression::UNCOMPRESSED);
    assert!(column("temp").bloom_filter_offset().is_some());
    assert!(column("dewp").dictionary_page_offset().is_some());
    assert!(column("temp").dictionary_page_offset().is_none());
    assert!(column("wind_dir").statistics().is_some() && column("temp").statistics().is_none());
    let pairs = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap();
    assert!(
        pairs
            .iter()
            .any(|pair| pair.key == "source" && pair.value.as_deref() == Some("nws"))
    );
}
