//! What the outcome of a run depends on, and how two runs differ.

use std::collections::BTreeMap;

use serde_json::Value;

/// Differences that are worth naming.
const SHOWN: usize = 6;

/// How what is now differs from what was before, a line each; nothing where they are the same. Both are trees
/// of facts by their names; of one whose name ends in `sha256` is only said that it is another.
pub fn differences(before: &Value, now: &Value) -> Option<String> {
    let (mut earlier, mut later) = (BTreeMap::new(), BTreeMap::new());
    flatten("", before, &mut earlier);
    flatten("", now, &mut later);
    let mut names: Vec<&String> = earlier.keys().chain(later.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let value = |of: &BTreeMap<_, String>, name| {
        let value = of.get(name).cloned();
        value.unwrap_or_else(|| "nothing".to_owned())
    };
    let lines: Vec<String> = names
        .into_iter()
        .filter(|name| earlier.get(*name) != later.get(*name))
        .map(|name| match name.strip_suffix(" sha256") {
            Some(what) => format!("{what}: other contents"),
            None => format!(
                "{name}: {}, and it was {}",
                value(&later, name),
                value(&earlier, name)
            ),
        })
        .collect();
    let more = match lines.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    let shown = &lines[..lines.len().min(SHOWN)];
    (!lines.is_empty()).then(|| format!("\n  {}{more}", shown.join("\n  ")))
}

/// The values of a tree by their paths.
fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let below = |key: &str| match name {
        "" => key.to_owned(),
        name => format!("{name} {key}"),
    };
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                flatten(&below(key), value, into);
            }
        }
        // What was not said.
        Value::Null => (),
        other => {
            into.insert(name.to_owned(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named_with_both_values() {
        let before = json!({"a": 1, "b": {"c": "x", "d sha256": "0"}, "gone": null});
        assert_eq!(differences(&before, &before), None);
        let now = json!({"a": 2, "b": {"c": "x", "d sha256": "1"}, "new": true});
        let lines =
            "\n  a: 2, and it was 1\n  b d: other contents\n  new: true, and it was nothing";
        assert_eq!(differences(&before, &now).as_deref(), Some(lines));
    }
}
