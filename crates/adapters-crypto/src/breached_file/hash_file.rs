use super::BreachedFileError;
use data_encoding::HEXLOWER_PERMISSIVE;
use std::{
    cmp::Ordering,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

/// A SHA-1 hash.
pub type Sha1 = [u8; 20];

/// The number of hexadecimal digits of a hash.
const DIGITS: usize = 40;
/// Maximum length of a line with its end, in bytes: far more than a hash and a count need.
const MAX_LINE: usize = 128;
/// The number of places at which an opened file is checked.
const SAMPLES: u64 = 256;
/// The number of bytes at the end of an opened file in which every line is checked.
const LAST_BYTES: u64 = 512;

/// What changes when a file is replaced or rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl From<Metadata> for Identity {
    fn from(metadata: Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// An open file of hashes, which is searched in place.
#[derive(Debug)]
pub struct HashFile {
    file: File,
    path: PathBuf,
    identity: Identity,
}

/// A line of the file.
struct Line {
    /// The offset of its first byte.
    start: u64,
    /// The offset of the next line.
    end: u64,
    hash: Sha1,
}

impl HashFile {
    /// Returns the identity of the file that is now at `path`.
    pub fn identity_at(path: &Path) -> Result<Identity, BreachedFileError> {
        let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        // Opening a pipe would block.
        if metadata.is_file() {
            Ok(metadata.into())
        } else {
            Err(unreadable(path, io::Error::other("it is not a regular file")))
        }
    }

    /// Opens the file at `path` and checks the first and the last lines and a sample of the others.
    pub fn open(path: &Path) -> Result<Self, BreachedFileError> {
        Self::identity_at(path)?;
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|source| unreadable(path, source))?;
        let file = Self {
            file,
            path: path.to_owned(),
            identity: metadata.into(),
        };
        file.check_sample()?;
        Ok(file)
    }

    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns whether a line has `hash`, by a binary search over the bytes of the file: the middle
    /// byte leads to the line that begins next.
    pub fn contains(&self, hash: &Sha1) -> Result<bool, BreachedFileError> {
        // A line with the hash, if any, begins at an offset in low..high.
        let (mut low, mut high) = (0, self.identity.length);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.line_from(middle)?.filter(|line| line.start < high) {
                Some(line) => match hash.cmp(&line.hash) {
                    Ordering::Equal => return Ok(true),
                    // No line begins between the middle and this line.
                    Ordering::Less => high = middle,
                    Ordering::Greater => low = line.end,
                },
                None => high = middle,
            }
        }
        Ok(false)
    }

    fn check_sample(&self) -> Result<(), BreachedFileError> {
        let length = self.identity.length;
        if length == 0 {
            return Err(BreachedFileError::Empty {
                path: self.path.clone(),
            });
        }
        let step = length / SAMPLES;
        // The last lines are all checked, since a download may have been interrupted there.
        let near_the_end = length.saturating_sub(LAST_BYTES);
        let (mut offset, mut previous) = (0, Sha1::default());
        while let Some(line) = self.line_from(offset)? {
            if line.hash < previous {
                return Err(BreachedFileError::Unsorted {
                    path: self.path.clone(),
                    at: line.start,
                });
            }
            previous = line.hash;
            offset = line.end.max(near_the_end.min(offset + step));
        }
        Ok(())
    }

    /// Returns the first line that begins at `offset` or later.
    fn line_from(&self, offset: u64) -> Result<Option<Line>, BreachedFileError> {
        let mut buffer = [0; 2 * MAX_LINE];
        // A line begins at the offset if the byte before it ends a line.
        let from = offset.saturating_sub(1);
        let read = self.read_at(&mut buffer, from)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        let is_at_end = read < buffer.len();
        let skipped = match (offset, end_of_line(bytes)) {
            (0, _) => 0,
            (_, Some(skipped)) => skipped,
            (_, None) if is_at_end => return Ok(None),
            (_, None) => return Err(self.malformed(from)),
        };
        let start = from + skipped as u64;
        let rest = bytes.get(skipped..).unwrap_or_default();
        if rest.is_empty() && is_at_end {
            return Ok(None);
        }
        let length = match end_of_line(rest) {
            Some(length) => length,
            None if is_at_end => rest.len(),
            None => return Err(self.malformed(start)),
        };
        let hash = rest
            .get(..length)
            .and_then(parse)
            .ok_or_else(|| self.malformed(start))?;
        let end = start + length as u64;
        Ok(Some(Line { start, end, hash }))
    }

    /// Fills `buffer` from `offset`, up to the end of the file, and returns the number of bytes.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, BreachedFileError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&self.path, error)),
            }
        }
        Ok(filled)
    }

    fn malformed(&self, at: u64) -> BreachedFileError {
        BreachedFileError::Malformed {
            path: self.path.clone(),
            at,
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> BreachedFileError {
    BreachedFileError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

/// Returns the length of the first line of `bytes` with its end, if it ends there.
fn end_of_line(bytes: &[u8]) -> Option<usize> {
    Some(bytes.iter().position(|byte| *byte == b'\n')? + 1)
}

/// Parses the hash of a line: 40 digits in either case, then a colon and the count, or nothing.
fn parse(line: &[u8]) -> Option<Sha1> {
    let (digits, rest) = line.split_at_checked(DIGITS)?;
    if !matches!(rest.first(), None | Some(b':' | b'\r' | b'\n')) {
        return None;
    }
    HEXLOWER_PERMISSIVE.decode(digits).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::{HEXLOWER, HEXUPPER};
    use proptest::prelude::*;
    use std::io::Write;
    use tempfile::NamedTempFile;

    /// Opens a file with these contents.
    fn open(contents: &str) -> Result<HashFile, BreachedFileError> {
        let mut file = NamedTempFile::new().expect("the file can be created");
        file.write_all(contents.as_bytes())
            .expect("the file can be written");
        HashFile::open(file.path())
    }

    fn contains(file: &HashFile, hash: &Sha1) -> bool {
        file.contains(hash).expect("the file can be read")
    }

    /// Returns a hash of 20 times this byte.
    fn hash(byte: u8) -> Sha1 {
        [byte; 20]
    }

    #[test]
    fn lines_of_every_form_are_found() {
        let (upper, lower) = (
            |byte| HEXUPPER.encode(&hash(byte)),
            |byte| HEXLOWER.encode(&hash(byte)),
        );
        for contents in [
            format!("{}:3\n{}:12345678\n{}:1\n", upper(0x0a), upper(0xaa), upper(0xff)),
            format!(
                "{}:3\r\n{}:12345678\r\n{}:1\r\n",
                upper(0x0a),
                upper(0xaa),
                upper(0xff)
            ),
            format!("{}\n{}\n{}", lower(0x0a), lower(0xaa), lower(0xff)),
            format!("{}\r\n{}:2\n{}", upper(0x0a), lower(0xaa), lower(0xff)),
        ] {
            let file = open(&contents).expect("the file can be used");
            for byte in [0x0a, 0xaa, 0xff] {
                assert!(contains(&file, &hash(byte)), "{byte}: {contents}");
            }
            for byte in [0x00, 0x0b, 0xa9, 0xab, 0xfe] {
                assert!(!contains(&file, &hash(byte)), "{byte}: {contents}");
            }
        }
    }

    #[test]
    fn a_file_of_something_else_is_refused_with_the_place() {
        let line = |byte| HEXUPPER.encode(&hash(byte)) + ":1\n";
        let malformed = |at| format!("the line at byte {at} does not begin with");
        for (contents, message) in [
            (String::new(), "is empty".to_owned()),
            ("\n".to_owned(), malformed(0)),
            ("8846F7EAEE8FB117AD06BDD830B7586C:4\n".to_owned(), malformed(0)),
            (format!("{}password\n", line(1)), malformed(43)),
            (format!("{}{}", line(1), &line(2)[..30]), malformed(43)),
            (
                format!("{}{}", line(1), line(2).replace(":1", "0:1")),
                malformed(43),
            ),
            (format!("{}{}", line(1), "a".repeat(1000)), malformed(43)),
            (
                format!("{}{}", line(2), line(1)),
                "the line at byte 43 is not in the order".to_owned(),
            ),
        ] {
            let refused = open(&contents).expect_err("the file cannot be used").to_string();
            assert!(refused.contains(&message), "{contents}: {refused}");
        }
    }

    #[test]
    fn an_unsorted_or_interrupted_file_of_any_size_is_refused() {
        let line = |number: u32| format!("{number:08X}{:032X}:{number}\n", 0);
        let lines: Vec<_> = (0..20_000).map(line).collect();
        assert!(open(&lines.concat()).is_ok());
        let mut unsorted = lines.clone();
        unsorted.rotate_left(7_000);
        assert!(matches!(
            open(&unsorted.concat()),
            Err(BreachedFileError::Unsorted { .. })
        ));
        let complete = lines.concat();
        let interrupted = &complete[..complete.len() - 20];
        assert!(matches!(
            open(interrupted),
            Err(BreachedFileError::Malformed { .. })
        ));
    }

    #[test]
    fn a_path_without_a_regular_file_is_refused_with_its_cause() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        for (path, cause) in [
            (folder.path().join("missing"), "No such file"),
            (folder.path().to_owned(), "not a regular file"),
        ] {
            let refused = HashFile::open(&path).expect_err("there is no file");
            let BreachedFileError::Unreadable { source, .. } = refused else {
                panic!("{refused}");
            };
            assert!(source.to_string().contains(cause), "{source}");
        }
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_open_is_searched_to_its_new_end() {
        let mut file = NamedTempFile::new().expect("the file can be created");
        for byte in 1..=200 {
            writeln!(file, "{}:1", HEXUPPER.encode(&hash(byte))).expect("the file can be written");
        }
        let open = HashFile::open(file.path()).expect("the file can be used");
        file.as_file().set_len(43 * 10).expect("the file can be cut");
        assert!(contains(&open, &hash(10)));
        assert!(!contains(&open, &hash(11)));
    }

    proptest! {
        #[test]
        fn exactly_the_listed_hashes_are_found(
            mut hashes in prop::collection::btree_set(any::<Sha1>(), 1..300),
            counts in prop::collection::vec(prop::option::of(1_u32..), 1..20),
            absent in any::<Sha1>(),
        ) {
            hashes.remove(&absent);
            prop_assume!(!hashes.is_empty());
            let lines = hashes.iter().zip(counts.iter().cycle()).map(|(hash, count)| {
                let count = count.map(|count| format!(":{count}")).unwrap_or_default();
                format!("{}{count}\n", HEXUPPER.encode(hash))
            });
            let file = open(&lines.collect::<String>()).expect("the file can be used");
            for hash in &hashes {
                prop_assert!(contains(&file, hash));
            }
            prop_assert!(!contains(&file, &absent));
        }
    }
}
