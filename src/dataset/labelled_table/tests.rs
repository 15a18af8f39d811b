//! Lists in all their forms.

use std::path::Path;

use super::*;

/// The paths and labels of a table in a folder of its own.
fn read(text: &[u8], root: Option<&Path>) -> Result<Vec<(String, String, u64)>> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("list");
    std::fs::write(&file, text).expect("a table");
    let list = LabelledTable::open(&file, root)?;
    let own = |path: &Path| path.strip_prefix(folder.path()).unwrap_or(path).to_owned();
    let row = |row: Result<LabelledRow>| {
        let row = row?;
        let path = own(Path::new(&row.input.name)).display().to_string();
        Ok((path, row.label, row.line))
    };
    list.map(row).collect()
}

fn rows(text: &str) -> Vec<(String, String, u64)> {
    read(text.as_bytes(), None).expect(text)
}

fn expected(rows: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
    let row =
        |(path, label, line): &(&str, &str, u64)| (path.to_string(), label.to_string(), *line);
    rows.iter().map(row).collect()
}

#[test]
fn tables_come_in_many_forms() {
    let two = expected(&[("a.jpg", "cat", 1), ("b c.jpg", "dog", 2)]);
    assert_eq!(rows("a.jpg,cat\nb c.jpg,dog\n"), two);
    assert_eq!(rows("a.jpg, cat\r\nb c.jpg,dog "), two);
    assert_eq!(rows("a.jpg\tcat\nb c.jpg\tdog\n"), two);
    let below = expected(&[("a.jpg", "cat", 2), ("b.jpg", "tabby, tabby cat", 3)]);
    for text in [
        "path,label\na.jpg,cat\nb.jpg,\"tabby, tabby cat\"\n",
        "\u{feff}Label,n,File_Name\ncat,1,a.jpg\n\"tabby, tabby cat\",2,b.jpg\n",
        "path\tlabel\na.jpg\tcat\nb.jpg\ttabby, tabby cat\n",
        "path,rank,index,wnid,label\na.jpg,1,3,,cat\nb.jpg,1,2,n1,\"tabby, tabby cat\"\n",
    ] {
        assert_eq!(rows(text), below, "{text}");
    }
    // As the validation set's list that Caffe came with.
    assert_eq!(
        rows("x/1.JPEG 65\nx/2.JPEG  970 \n"),
        expected(&[("x/1.JPEG", "65", 1), ("x/2.JPEG", "970", 2)])
    );
    // As Excel saves it where a comma is in numbers.
    assert_eq!(
        rows("path;label\r\na.jpg;cat\r\nb.jpg;tabby, tabby cat\r\n"),
        below
    );
    // Kaggle's, whose second column is called after what it is about, and ImageNet's there.
    assert_eq!(
        rows("id,good_boy\na,yes\nb,no\n"),
        expected(&[("a", "yes", 2), ("b", "no", 3)])
    );
    assert_eq!(
        rows("ImageId,PredictionString\nx_1,n01440764 1 2 3 4 n01440764 5 6 7 8 \n"),
        expected(&[("x_1", "n01440764", 2)])
    );
    // A class may be called as a column is.
    assert_eq!(rows("a.jpg,file\n"), expected(&[("a.jpg", "file", 1)]));
    // Paths alone, whatever is in them after the first.
    assert_eq!(
        rows("x/cat/a.jpg\ny/tabby, tabby cat/b \"c\".jpg\n"),
        expected(&[
            ("x/cat/a.jpg", "cat", 1),
            ("y/tabby, tabby cat/b \"c\".jpg", "tabby, tabby cat", 2)
        ])
    );
    assert_eq!(rows(""), []);
    assert_eq!(rows("\n\npath,label\n"), []);
}

#[test]
fn relative_paths_start_where_they_are_said_to() {
    let found = |text: &str, root| read(text.as_bytes(), Some(Path::new(root))).expect(text);
    assert_eq!(found("a,b\n", "root")[0].0, "root/a");
    assert_eq!(found("/a,b\n", "root")[0].0, "/a");
    assert_eq!(found("a,b\n", "")[0].0, "a");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let long = format!("a.jpg,cat\n{}.jpg,cat\n", "b".repeat(1 << 17));
    for (text, part) in [
        (
            &b"a.jpg,cat\nb.jpg,tabby, tabby cat\n"[..],
            "line 2: 3 columns",
        ),
        (b"a.jpg,cat\nb.jpg\n", "line 2: a path and a label"),
        (b"a.jpg\n", "line 1: a path and a label"),
        (
            b"ImageId,PredictionString\na,n1 1 2 3 4 n2 1 2 3 4\n",
            "line 2: one class",
        ),
        (b"490\n361\n", "map_clsloc.txt"),
        (b"a.jpg,cat\nb.jpg,\n", "line 2: the label is empty"),
        (b"a.jpg,cat\n\"b.jpg,dog\nc.jpg,cat\n", "line 2: it goes on"),
        (long.as_bytes(), "line 2: longer"),
        (b"path,label,n\na.jpg,cat\n", "line 2: 2 columns, not 3"),
        (b"a.jpg,c\xffat\n", "line 1: the label is not UTF-8"),
        (b"GIF89a\0\0\n", "no table"),
        (&[b'x'; 1 << 17], "no table"),
    ] {
        let error = read(text, None).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn files_may_lack_their_endings_and_numbers_are_those_of_the_development_kit() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let found = |list: &Path| -> Vec<(String, String)> {
        let rows = LabelledTable::open(list, None).expect("a list");
        let row = |row: Result<LabelledRow>| {
            let row = row.expect("a row");
            let file = Path::new(&row.input.name).file_name();
            (
                file.expect("a name").to_str().expect("UTF-8").to_owned(),
                row.label,
            )
        };
        rows.map(row).collect()
    };
    write("0.5.JPEG", "");
    write("c.txt", "");
    let list = write("labels.csv", "id,breed\n0.5,beagle\nb,pug\nc.txt,pug\n");
    let expected = [("0.5.JPEG", "beagle"), ("b", "pug"), ("c.txt", "pug")];
    assert_eq!(
        found(&list),
        expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );

    let numbers = write("truth.txt", "2\r\n1\r\n");
    assert!(LabelledTable::open(&numbers, None).is_err());
    write(
        "map_clsloc.txt",
        "n02119789 1 kit_fox\nn02100735 2 English_setter\n",
    );
    let expected = [
        ("ILSVRC2012_val_00000001.JPEG", "n02100735"),
        ("ILSVRC2012_val_00000002.JPEG", "n02119789"),
    ];
    assert_eq!(
        found(&numbers),
        expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let numbers = write("truth.txt", "2\n1001\n");
    let mut rows = LabelledTable::open(&numbers, None).expect("a list");
    assert!(rows.next().expect("a row").is_ok());
    let error = rows.next().expect("a row").expect_err("no such number");
    assert!(error.to_string().contains("line 2: 1001"), "{error}");

    // A path with spaces and commas, which is there.
    std::fs::create_dir(folder.path().join("my, cats")).expect("a folder");
    write("my, cats/a b.jpg", "");
    let bare = write("bare.txt", "my, cats/a b.jpg\n");
    assert_eq!(
        found(&bare),
        [("a b.jpg".to_owned(), "my, cats".to_owned())]
    );
}
