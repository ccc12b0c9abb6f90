//! Options are written in text, and in JSON, as they are read.

use std::fmt::{Debug, Display};
use std::path::PathBuf;
use std::str::FromStr;

use atomic_arrow::format::{Format, NonFinite};
use atomic_arrow::{
    CommitMode, Durability, Encodings, PublishMode, SchemaPolicy, StagingPlace, SyncPolicy, Verify,
};
use serde_json::{Value, from_value, json, to_value};

#[track_caller]
fn comes_back<T>(text: &str, option: T)
where
    T: Debug + Display + PartialEq + FromStr<Err: Debug>,
{
    assert_eq!(option.to_string(), text);
    assert_eq!(text.parse::<T>().unwrap(), option);
}

#[track_caller]
fn stands_in_json<T>(text: &str, option: T)
where
    T: Debug
        + Display
        + PartialEq
        + FromStr<Err: Debug>
        + serde::Serialize
        + serde::de::DeserializeOwned,
{
    assert_eq!(to_value(&option).unwrap(), Value::from(text));
    assert_eq!(from_value::<T>(Value::from(text)).unwrap(), option);
    assert!(from_value::<T>(json!("nonsense")).is_err());
    comes_back(text, option);
}

#[test]
fn every_option_with_a_name_comes_back_from_text_and_json() {
    stands_in_json("replace", PublishMode::Replace);
    stands_in_json("create_new", PublishMode::CreateNew);
    stands_in_json("unsynced", Durability::Unsynced);
    stands_in_json("decode", Verify::Decode);
    stands_in_json("each_file", SyncPolicy::EachFile);
    stands_in_json("exact", SchemaPolicy::Exact);
    stands_in_json("compatible", Encodings::Compatible);
    stands_in_json("null", NonFinite::Null);
    stands_in_json("ipc-stream", Format::IpcStream);
    stands_in_json("overwrite_partitions", CommitMode::OverwritePartitions);
    assert_eq!("Create-New".parse(), Ok(PublishMode::CreateNew));
}

#[test]
fn a_staging_place_is_a_name_or_a_directory() {
    comes_back("auto", StagingPlace::Auto);
    comes_back("beside", StagingPlace::Beside);
    comes_back("inside", StagingPlace::Inside);
    comes_back(
        "/scratch/staged",
        StagingPlace::Directory(PathBuf::from("/scratch/staged")),
    );
    assert!("".parse::<StagingPlace>().is_err());
}
