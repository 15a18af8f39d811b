//! Files of labels, in the forms in which people have them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What a file says of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub label: String,
    pub wnid: Option<String>,
}

impl Entry {
    fn named(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            wnid: None,
        }
    }
}

/// What a header calls the outputs' numbers and their names, in lower case and without `_`, `-` and
/// spaces.
const NUMBERS: [&str; 8] = [
    "index",
    "id",
    "idx",
    "classid",
    "classindex",
    "labelid",
    "number",
    "output",
];
const NAMES: [&str; 7] = [
    "name",
    "label",
    "class",
    "classname",
    "labelname",
    "displayname",
    "description",
];

/// The labels of outputs from 0 on.
///
/// They stand one a line, or as JSON: a list, an object of index to label or the other way round,
/// Keras's `imagenet_class_index.json`, a `config.json` of transformers or timm. Or a table has
/// their numbers and names: two columns of CSV or TSV or more under a header, or lines that begin with
/// each number once.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it is of UTF-16: save it as UTF-8".into());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not of UTF-8")?;
    let text = text.trim_start_matches('\u{feff}');
    // As old Macs end lines.
    let replaced = (text.contains('\r') && !text.contains('\n')).then(|| text.replace('\r', "\n"));
    let text = replaced.as_deref().unwrap_or(text);
    match text.trim_start().bytes().next() {
        Some(b'[' | b'{') => json(text),
        _ => lines(text),
    }
}

/// A label as JSON has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Label {
    Name(String),
    /// Keras's.
    WithId(String, String),
}

impl From<Label> for Entry {
    fn from(label: Label) -> Self {
        match label {
            Label::Name(label) => Self::named(label),
            Label::WithId(wnid, label) => Self {
                label,
                wnid: Some(wnid),
            },
        }
    }
}

fn json(text: &str) -> Result<Vec<Entry>, String> {
    let not_json = |e: serde_json::Error| format!("not JSON of labels: {e}");
    let mut value: Value = serde_json::from_str(text).map_err(not_json)?;
    // A configuration that has them among other things.
    let within = ["id2label", "label_names"]
        .iter()
        .find(|key| value.get(**key).is_some_and(|labels| !labels.is_null()));
    if let Some(within) = within {
        value = value[*within].take();
    }
    let forms = "not JSON of labels: a list of names, or an object of index to name";
    let entry = |value: Value| serde_json::from_value::<Label>(value).map(Entry::from).ok();
    match value {
        Value::Array(labels) => {
            let entries: Option<Vec<Entry>> = labels.into_iter().map(entry).collect();
            entries.ok_or_else(|| forms.into())
        }
        Value::Object(labels) if labels.values().all(Value::is_u64) => {
            let pairs = labels.into_iter();
            let pairs = pairs.map(|(name, index)| Some((index.as_u64()?, Entry::named(name))));
            in_order(pairs.collect::<Option<_>>().ok_or(forms)?)
        }
        Value::Object(labels) => {
            let pairs = labels.into_iter();
            let pairs = pairs.map(|(index, value)| Some((index.parse().ok()?, entry(value)?)));
            in_order(pairs.collect::<Option<_>>().ok_or(forms)?)
        }
        _ => Err(forms.into()),
    }
}

/// The labels of outputs from 0 on, each of which is there once.
fn in_order(pairs: Vec<(u64, Entry)>) -> Result<Vec<Entry>, String> {
    let mut entries = BTreeMap::new();
    for (index, entry) in pairs {
        if entries.insert(index, entry).is_some() {
            return Err(format!("it has two labels for index {index}"));
        }
    }
    match (0..).zip(entries.keys()).find(|(at, index)| at != *index) {
        None => Ok(entries.into_values().collect()),
        Some((0, 1)) => Err("its labels are numbered from 1 on, where outputs are from 0".into()),
        Some((missing, _)) => Err(format!("it has no label for index {missing}")),
    }
}

fn lines(text: &str) -> Result<Vec<Entry>, String> {
    if let Some(pairs) = table(text) {
        return in_order(pairs);
    }
    if let Some(pairs) = numbered(text) {
        return Ok(pairs);
    }
    let lines = text.trim_end().lines();
    Ok(lines.map(|line| Entry::named(line.trim())).collect())
}

/// A table with a header that has numbers and names among its columns.
fn table(text: &str) -> Option<Vec<(u64, Entry)>> {
    let head = text.trim_start().lines().next()?;
    let delimiter = [b'\t', b',', b';']
        .into_iter()
        .find(|d| head.as_bytes().contains(d))?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(text.trim_start().as_bytes());
    let header = reader.headers().ok()?;
    let header: Vec<String> = header.iter().map(plain).collect();
    let place = |name: &&str| header.iter().position(|h| h == name);
    let column = |names: &[&str]| names.iter().find_map(place);
    let (number, name) = (column(&NUMBERS)?, column(&NAMES)?);
    let wnid = column(&["wnid", "synset", "wordnetid"]);
    let pair = |row: csv::Result<csv::StringRecord>| {
        let row = row.ok()?;
        let entry = Entry {
            label: row.get(name)?.trim().to_owned(),
            wnid: wnid
                .and_then(|wnid| row.get(wnid))
                .map(|id| id.trim().to_owned()),
        };
        Some((row.get(number)?.trim().parse().ok()?, entry))
    };
    reader.records().map(pair).collect()
}

/// In lower case, without what stands between words.
fn plain(name: &str) -> String {
    let letters = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | ' ' | '\u{feff}'));
    letters.flat_map(char::to_lowercase).collect()
}

/// Lines that begin with the number of their output, each of which is there: names that happen to
/// begin with a number don't do that.
fn numbered(text: &str) -> Option<Vec<Entry>> {
    let pair = |line: &str| {
        let line = line.trim();
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = line.split_at(digits);
        let name = rest.trim_start_matches([' ', '\t', ',', ';', ':']);
        // What is quoted has its quotes from CSV.
        let quoted = name
            .strip_prefix('"')
            .and_then(|name| name.strip_suffix('"'));
        let name = quoted.map_or(name.to_owned(), |name| name.replace("\"\"", "\""));
        let is_pair = !name.is_empty() && name.len() < rest.len();
        Some((number.parse().ok()?, Entry::named(name))).filter(|_| is_pair)
    };
    let pairs: Option<Vec<(u64, Entry)>> = text.trim().lines().map(pair).collect();
    in_order(pairs.filter(|pairs| !pairs.is_empty())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_in_the_forms_that_people_have() {
        let expected: Vec<Entry> = ["a", "b, c"].map(Entry::named).into();
        for text in [
            "a\nb, c\n",
            "a\r\nb, c\n\n",
            "a\rb, c\r",
            "\u{feff}a\r\nb, c\r\n",
            r#"["a", "b, c"]"#,
            "\u{feff}[\"a\", \"b, c\"]",
            r#"{"1": "b, c", "0": "a"}"#,
            r#"{"b, c": 1, "a": 0}"#,
            r#"{"id2label": {"0": "a", "1": "b, c"}, "label2id": {"a": 0}, "alpha": 1.0}"#,
            r#"{"label_names": ["a", "b, c"], "num_classes": 2}"#,
            "0 a\n1 b, c",
            "0\ta\n1\tb, c\n",
            "1:b, c\n0:a\n",
            "0,a\r\n1,\"b, c\"\r\n",
            "index,name\n0,a\n1,\"b, c\"\n",
            "\u{feff}Class ID;Label;more\r\n1;b, c;x\r\n0;a;y\r\n",
            "name\tidx\nb, c\t1\na\t0\n",
        ] {
            assert_eq!(parse(text.as_bytes()).as_ref(), Ok(&expected), "{text:?}");
        }
    }

    #[test]
    fn keras_has_a_wordnet_id_with_each_name() {
        let text = r#"{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}"#;
        let found = parse(text.as_bytes()).expect("labels");
        assert_eq!(found[1].label, "goldfish");
        assert_eq!(found[1].wnid.as_deref(), Some("n01443537"));
        let text = "index,wnid,label\n0,n01440764,tench\n";
        assert_eq!(parse(text.as_bytes()).as_deref(), Ok(&found[..1]));
    }

    /// Names that look like numbers, or begin with some.
    #[test]
    fn names_may_be_numbers() {
        for text in [
            "0\n1\n2\n",
            "1 euro\n2 euro\n",
            "7 up\nfanta",
            "2 a\n1 b\n",
            "a,b\nc,d\n",
        ] {
            let found = parse(text.as_bytes()).expect("labels");
            let labels: Vec<&str> = found.iter().map(|entry| entry.label.as_str()).collect();
            assert_eq!(labels, text.trim().lines().collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_not_of_such_a_form_is_refused() {
        for (text, reason) in [
            (&br#"{"0": "a", "2": "b"}"#[..], "no label for index 1"),
            (br#"{"1": "a", "2": "b"}"#, "numbered from 1 on"),
            (br#"{"a": 0, "b": 0}"#, "two labels for index 0"),
            (br#"{"0": 1.5}"#, "not JSON of labels"),
            (br#"{"0": ["a", "b", "c"]}"#, "not JSON of labels"),
            (br#"{"a": "b"}"#, "not JSON of labels"),
            (b"[1, 2]", "not JSON of labels"),
            (b"{", "not JSON of labels"),
            (b"id,label\n1,a\n2,b\n", "numbered from 1 on"),
            (b"id,label\n0,a\n0,b\n", "two labels for index 0"),
            (b"\xff\xfea\0", "UTF-16"),
            (b"caf\xe9\n", "not of UTF-8"),
        ] {
            let error = parse(text).expect_err(reason);
            assert!(error.contains(reason), "{error}");
        }
    }
}
