use crate::cli::Format;

/// First bytes of files that are not text in UTF-8, and what to do with such a file.
const NOT_TEXT: [(&[u8], &str); 5] = [
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"\x1f\x8b", COMPRESSED),
    (b"\x28\xb5\x2f\xfd", COMPRESSED),
    (
        b"PK\x03\x04",
        "it is a ZIP file or a spreadsheet; save it as CSV in UTF-8",
    ),
];
const UTF_16: &str = "it is UTF-16; convert it to UTF-8";
const COMPRESSED: &str = "it is compressed; decompress it first";

/// Returns why the whole file is not of this format and what to do about it, if its first line
/// shows that.
#[must_use]
pub fn mistaken_file(first_line: &[u8], format: Format) -> Option<&'static str> {
    if let Some((_, remedy)) = NOT_TEXT.iter().find(|(start, _)| first_line.starts_with(start)) {
        return Some(remedy);
    }
    let first_line = first_line.trim_ascii_start();
    let has = |separator| first_line.contains(&separator);
    match (format, first_line.first()?) {
        (Format::Jsonl, b'[') => {
            Some("it is a JSON array; write one object per line, for example with jq -c '.[]'")
        }
        (Format::Jsonl, b'{') => None,
        (Format::Jsonl, _) if names_columns(first_line) => {
            Some("it seems to be CSV; choose that with --format csv")
        }
        (Format::Csv, b'[' | b'{') => {
            Some("it is JSON; write one object per line and choose that with --format jsonl")
        }
        (Format::Csv, _) if has(b';') => {
            Some("its columns are separated by semicolons; separate them by commas")
        }
        (Format::Csv, _) if has(b'\t') => Some("its columns are separated by tabs; separate them by commas"),
        (Format::Jsonl | Format::Csv, _) => None,
    }
}

fn names_columns(line: &[u8]) -> bool {
    let mut words = line.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    words.any(|word| word == b"login" || word == b"password_hash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_format_is_recognised_by_its_first_line() {
        for (format, line, says) in [
            (Format::Jsonl, &b"["[..], "JSON array"),
            (Format::Jsonl, b"  [{\"login\":\"ann\"}]", "JSON array"),
            (Format::Jsonl, b"login,password_hash", "CSV"),
            (Format::Jsonl, b"\"id\";\"login\"", "CSV"),
            (Format::Csv, b"{\"login\":\"ann\"}", "--format jsonl"),
            (Format::Csv, b"[", "--format jsonl"),
            (Format::Csv, b"login;password_hash", "semicolons"),
            (Format::Csv, b"login\tpassword_hash", "tabs"),
            (Format::Csv, b"\xff\xfel\0o\0", "UTF-16"),
            (Format::Jsonl, b"\xfe\xff\0{", "UTF-16"),
            (Format::Jsonl, b"\x1f\x8b\x08", "compressed"),
            (Format::Csv, b"PK\x03\x04\x14", "spreadsheet"),
        ] {
            let remedy = mistaken_file(line, format);
            assert!(
                remedy.is_some_and(|remedy| remedy.contains(says)),
                "{line:?}: {remedy:?}"
            );
        }
    }

    #[test]
    fn a_first_line_that_may_be_damaged_is_read_like_any_other() {
        for (format, line) in [
            (Format::Jsonl, &b"{\"login\":\"ann\"}"[..]),
            (Format::Jsonl, b"{\"login\":"),
            (Format::Jsonl, b"nonsense"),
            (Format::Jsonl, b""),
            (Format::Csv, b"login,password_hash"),
            (Format::Csv, b"login,hash"),
        ] {
            assert_eq!(mistaken_file(line, format), None, "{line:?}");
        }
    }
}
