//! `write --select` and `--cast`: columns of any input are picked, renamed and cast exactly.

use crate::run::{Place, Ran};

fn text(place: &Place, path: &str) -> String {
    std::fs::read_to_string(place.path(path)).unwrap()
}

/// The same rows in every format that the command reads.
fn inputs(place: &Place) -> Vec<String> {
    place.file("rows.csv", "id,temp,note\n1,11.5,x\n2,3,\n");
    place.file("rows.tsv", "id\ttemp\tnote\n1\t11.5\tx\n2\t3\t\n");
    place.file(
        "rows.ndjson",
        "{\"id\":1,\"temp\":11.5,\"note\":\"x\"}\n{\"id\":2,\"temp\":3.0,\"note\":null}\n",
    );
    for to in ["rows.parquet", "rows.arrow"] {
        place.run(["write", "rows.csv", "--to", to]).exits(0);
    }
    ["csv", "tsv", "ndjson", "parquet", "arrow"]
        .map(|it| format!("rows.{it}"))
        .to_vec()
}

fn write(place: &Place, input: &str, args: &[&str]) -> Ran {
    let all = ["write", input, "--to", "out.ndjson"];
    place.run(all.iter().chain(args))
}

#[test]
fn columns_are_picked_in_order_renamed_and_cast_in_every_format() {
    let place = Place::new();
    for input in inputs(&place) {
        let args = [
            "--select",
            "note, number=id,temp",
            "--cast",
            "id=string;temp=float32",
        ];
        write(&place, &input, &args).exits(0);
        let expected = "{\"note\":\"x\",\"number\":\"1\",\"temp\":11.5}\n{\"note\":null,\"number\":\"2\",\"temp\":3.0}\n";
        assert_eq!(text(&place, "out.ndjson"), expected, "{input}");
    }
}

#[test]
fn texts_that_were_guessed_to_be_something_else_are_not_cast_back_to_texts() {
    let place = Place::new();
    place.file("a.csv", "n,b\n1e5,TRUE\n1.50,false\n");
    place.file(
        "a.ndjson",
        "{\"n\":1e5,\"b\":true}\n{\"n\":1.50,\"b\":false}\n",
    );
    for input in ["a.csv", "a.ndjson"] {
        for column in ["n", "b"] {
            write(&place, input, &["--cast", &format!("{column}=string")])
                .exits(1)
                .says(&format!("--cast: column `{column}` is read from text as "));
            assert!(!place.path("out.ndjson").exists());
        }
        let schema = ["--schema", "n=string", "--cast", "n=LargeUtf8"];
        write(&place, input, &[&schema[..], &["--select", "n"]].concat()).exits(0);
        let expected = "{\"n\":\"1e5\"}\n{\"n\":\"1.50\"}\n";
        assert_eq!(text(&place, "out.ndjson"), expected, "{input}");
        std::fs::remove_file(place.path("out.ndjson")).unwrap();
    }
}

#[test]
fn a_value_that_the_type_does_not_hold_is_named_and_nothing_is_written() {
    let place = Place::new();
    for input in inputs(&place) {
        write(&place, &input, &["--cast", "temp=int64"])
            .exits(1)
            .says(&format!(
                "{input}: column `temp`, row 0: the value 11.5 is not one of Int64"
            ));
        assert!(!place.path("out.ndjson").exists());
    }
    // Of several inputs, the row is that of its own.
    place.file("a.csv", "n\n1\n2\n");
    place.file("b.csv", "n\n3\n400\n");
    place
        .run([
            "write", "a.csv", "b.csv", "--to", "lake", "--cast", "n=int8",
        ])
        .exits(1)
        .says("b.csv: column `n`, row 1: the value 400");
    assert!(!place.path("lake").exists() || place.files("lake").is_empty());
}

#[test]
fn keys_are_made_of_what_is_selected() {
    let place = Place::new();
    place.file("rows.csv", "id,k,n\n1,x,5\n2,y,6\n");
    let write = ["write", "rows.csv", "--to", "lake", "--partition-by", "key"];
    place
        .run(write.iter().chain(&["--select", "key=k,n"]))
        .exits(0);
    assert!(
        place
            .files("lake")
            .iter()
            .any(|path| path.starts_with("key=x/"))
    );
    let write = ["write", "rows.csv", "--to", "other", "--partition-by", "k"];
    for select in ["id,n", "key=k,n"] {
        place
            .run(write.iter().chain(&["--select", select]))
            .exits(2)
            .says("column `k` is left out by --select, or has another name by it, and a key is made of it");
    }
    // What directories say is a column too.
    place
        .run(["write", "lake", "--to", "flat.csv", "--select", "n,k=key"])
        .exits(0);
    assert_eq!(text(&place, "flat.csv"), "n,k\n5,x\n6,y\n");
}

#[test]
fn columns_that_are_not_there_or_twice_are_refused() {
    let place = Place::new();
    place.file("rows.csv", "id,temperature,a=b\n1,2,3\n");
    for (args, says) in [
        (
            ["--select", "id,temprature"],
            "--select: no input has the column `temprature`: is `temperature` meant?",
        ),
        (
            ["--select", "q"],
            "--select: no input has the column `q`: there are `id`, `temperature`, `a=b`",
        ),
        (
            ["--cast", "ID2=int8"],
            "--cast: no input has the column `ID2`: is `id` meant?",
        ),
        (
            ["--select", "id,id"],
            "the name `id` is given to two columns",
        ),
        (
            ["--select", "id=temperature,id"],
            "the name `id` is given to two columns",
        ),
        (
            ["--cast", "id=date"],
            "--cast: column `id` is Int64, and is not cast to Date32",
        ),
    ] {
        write(&place, "rows.csv", &args).exits(1).says(says);
        assert!(!place.path("out.ndjson").exists());
    }
    write(&place, "rows.csv", &["--select", "id,,a"]).exits(2);
    // A column whose name has the sign is meant as it is.
    write(&place, "rows.csv", &["--select", "a=b"]).exits(0);
    assert_eq!(text(&place, "out.ndjson"), "{\"a=b\":3}\n");
}
