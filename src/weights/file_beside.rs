//! Names of files that one file gives for others beside it.

/// Whether a name is that of a file in the same folder, on any system.
pub(super) fn is_beside(name: &str) -> bool {
    let is_part = |c: char| c == '/' || c == '\\' || c == ':' || c.is_control();
    !name.is_empty() && name != "." && name != ".." && !name.contains(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        assert!(is_beside("model-00001-of-00003.safetensors") && is_beside("..a"));
        for name in ["", ".", "..", "../a", "a/b", "/a", "a\\b", "C:a", "a\0b"] {
            assert!(!is_beside(name), "{name:?}");
        }
    }
}
