//! `tridot report`: what it writes, what it replaces, what it refuses.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

#[path = "../../reports/tests/records/sample.rs"]
mod sample;

use sample::{Scheme, record, study};
use tridot_reports::record::Record;
use tridot_reports::store::Store;
use tridot_sim::digest::Digest;

fn report(records: &Path, output: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tridot"))
        .args(["report".as_ref(), records.as_os_str(), "-o".as_ref(), output.as_os_str()])
        .args(more)
        .output()
        .unwrap()
}

fn write_records(path: &Path, records: impl IntoIterator<Item = Record>) {
    let mut store = Store::default();
    for record in records {
        store.insert(record).unwrap();
    }
    fs::write(path, store.to_csv()).unwrap();
}

/// Every file below a folder, by its path from there.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_report_is_whole_and_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records.csv");
    write_records(&records, study());
    let out = folder.path().join("report");
    let output = report(&records, &out, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", refusal(&output));
    let first = files(&out);
    let names: Vec<_> = first.keys().map(String::as_str).collect();
    insta::assert_snapshot!(names.join("\n"));
    assert_eq!(report(&records, &out, &[]).status.code(), Some(0));
    assert_eq!(files(&out), first);
    let page = String::from_utf8(first["index.html"].clone()).unwrap();
    for outside in ["src=", "http-equiv=\"refresh\"", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // The only addresses are names of XML, which nothing asks for.
    let addresses = page.matches("http://").count() + page.matches("https://").count();
    assert_eq!(addresses, page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
}

#[test]
fn an_earlier_report_is_replaced_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records.csv");
    write_records(&records, [record(Scheme::Layer(1), "tiny")]);
    // The Records may lie in the folder of their report.
    let out = folder.path();
    assert_eq!(report(&records, out, &[]).status.code(), Some(0));
    assert!(out.join("layers/sample-dbq1-layer-tiny-cycles.svg").is_file());
    write_records(&records, [record(Scheme::Layer(2), "edge")]);
    // A run that was killed while it wrote leaves this.
    fs::write(out.join(".tridot-x.part"), "half").unwrap();
    assert_eq!(report(&records, out, &[]).status.code(), Some(0));
    assert!(!out.join("layers/sample-dbq1-layer-tiny-cycles.svg").exists());
    assert!(out.join("layers/sample-dbq2-layer-edge-cycles.svg").is_file());

    let notes = out.join("fronts/notes.txt");
    fs::write(&notes, "mine").unwrap();
    let before = files(out);
    let refused = refusal(&report(&records, out, &[]));
    assert!(
        refused.contains("holds `fronts/notes.txt`, which no earlier `tridot report` wrote"),
        "{refused}"
    );
    assert_eq!(files(out), before);
    assert_eq!(report(&records, out, &["--force"]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
}

#[test]
fn what_was_changed_is_written_over_by_force_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (records, out) = (folder.path().join("records.csv"), folder.path().join("report"));
    write_records(&records, [record(Scheme::Layer(1), "tiny")]);
    assert_eq!(report(&records, &out, &[]).status.code(), Some(0));
    let (table, figure) =
        (out.join("table.md"), out.join("layers/sample-dbq1-layer-tiny-cycles.svg"));
    let written = fs::read_to_string(&table).unwrap();
    fs::write(&table, "edited").unwrap();
    fs::write(&figure, "edited").unwrap();
    let refused = refusal(&report(&records, &out, &[]));
    assert!(refused.contains("which was changed since `tridot report` wrote it"), "{refused}");
    assert_eq!(fs::read_to_string(&table).unwrap(), "edited");
    // Of the new report only the table has the name of a changed file.
    write_records(&records, [record(Scheme::Layer(1), "edge")]);
    assert_eq!(report(&records, &out, &["--force"]).status.code(), Some(0));
    assert_ne!(fs::read_to_string(&table).unwrap(), written);
    assert_eq!(fs::read_to_string(&figure).unwrap(), "edited");
    // Records in the place of a file of the report are an input.
    fs::copy(&records, &table).unwrap();
    let refused = refusal(&report(&table, &out, &["--force"]));
    assert!(
        refused.contains("table.md: is an input, which `tridot report` would overwrite"),
        "{refused}"
    );
}

#[test]
fn a_folder_with_a_read_only_file_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (records, out) = (folder.path().join("records.csv"), folder.path().join("report"));
    write_records(&records, [record(Scheme::Layer(1), "tiny")]);
    assert_eq!(report(&records, &out, &[]).status.code(), Some(0));
    // One that would be written again, and one that would go.
    for name in ["table.tex", "layers/sample-dbq1-layer-tiny-cycles.svg"] {
        let path = out.join(name);
        let writable = fs::metadata(&path).unwrap().permissions();
        let mut permissions = writable.clone();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        let before = files(&out);
        write_records(&records, [record(Scheme::Layer(1), "edge")]);
        let refused = refusal(&report(&records, &out, &["--force"]));
        assert!(refused.contains("is read-only"), "{refused}");
        assert_eq!(files(&out), before);
        fs::set_permissions(&path, writable).unwrap();
    }
}

#[test]
fn lists_without_digests_and_files_that_pass_are_no_hindrance() {
    let folder = tempfile::tempdir().unwrap();
    let (records, out) = (folder.path().join("report/records.csv"), folder.path().join("report"));
    fs::create_dir(&out).unwrap();
    write_records(&records, [record(Scheme::Layer(1), "tiny")]);
    fs::write(out.join(".tridot-records.lock"), "").unwrap();
    assert_eq!(report(&records, &out, &[]).status.code(), Some(0));
    let list = fs::read_to_string(out.join("files.txt")).unwrap();
    let names: Vec<&str> =
        list.lines().skip(1).map(|line| line.split_once(' ').unwrap().1).collect();
    let old = format!("files of `tridot report`, format 1\n{}\n", names.join("\n"));
    fs::write(out.join("files.txt"), old).unwrap();
    // What a killed run left does not keep a folder.
    fs::write(out.join("layers/.tridot-x.part"), "half").unwrap();
    let stray = out.join("gone/file");
    fs::create_dir(out.join("gone")).unwrap();
    fs::write(&stray, "of before").unwrap();
    fs::write(out.join("gone/.tridot-y.part"), "half").unwrap();
    let list = fs::read_to_string(out.join("files.txt")).unwrap() + "gone/file\n";
    fs::write(out.join("files.txt"), list).unwrap();
    assert_eq!(report(&records, &out, &[]).status.code(), Some(0));
    assert!(!out.join("gone").exists());
    assert!(fs::read_to_string(out.join("files.txt")).unwrap().contains("format 2\n"));
}

#[test]
fn a_list_cannot_reach_outside_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (records, out) = (folder.path().join("records.csv"), folder.path().join("report"));
    write_records(&records, [record(Scheme::Layer(1), "tiny")]);
    assert_eq!(report(&records, &out, &[]).status.code(), Some(0));
    let mine = folder.path().join("mine.txt");
    fs::write(&mine, "mine").unwrap();
    let list = fs::read_to_string(out.join("files.txt")).unwrap();
    let (digest, mine_path) = (Digest::of(b"mine"), mine.display());
    let lines = format!("{list}{digest} ../mine.txt\n{digest} {mine_path}\n");
    fs::write(out.join("files.txt"), lines).unwrap();
    assert_eq!(report(&records, &out, &[]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
}

#[test]
fn records_that_cannot_be_drawn_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (records, out) = (folder.path().join("records.csv"), folder.path().join("report"));
    write_records(&records, []);
    assert!(refusal(&report(&records, &out, &[])).contains("holds no Record"));
    write_records(&records, [record(Scheme::Layer(1), "tiny")]);
    let text = fs::read_to_string(&records).unwrap();
    fs::write(&records, text.replace("\n2,", "\n7,")).unwrap();
    let refused = refusal(&report(&records, &out, &[]));
    assert!(refused.ends_with("line 2, column 1: format must be 2, got 7\n"), "{refused}");
    fs::write(&records, &text[..text.len() - 40]).unwrap();
    assert!(refusal(&report(&records, &out, &[])).contains("cut off?"));
    assert!(!out.exists());
}
