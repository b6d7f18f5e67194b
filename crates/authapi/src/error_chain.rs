use std::{error::Error, fmt, iter::successors};

/// Displays an error with all its causes on one line.
///
/// Omits a cause whose text is already part of the line: some libraries repeat their cause in their
/// own text.
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        for error in successors(Some(self.0), |&error| error.source()) {
            let text = on_one_line(error);
            if line.contains(&text) {
                continue;
            }
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
        f.write_str(&line)
    }
}

/// Returns `text` without line breaks and control characters, which errors of other crates may
/// contain.
pub fn on_one_line(text: &(impl fmt::Display + ?Sized)) -> String {
    let text = text.to_string();
    let flat = text
        .split(char::is_control)
        .map(str::trim)
        .filter(|part| !part.is_empty());
    flat.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use thiserror::Error;

    #[derive(Debug, Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<dyn Error + Send + Sync>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let (&text, causes) = texts.split_first().expect("a layer");
        let source = (!causes.is_empty()).then(|| layers(causes).into());
        Layer { text, source }
    }

    #[test]
    fn causes_follow_on_one_line_and_none_is_repeated() {
        for (texts, line) in [
            (&["it failed"][..], "it failed"),
            (
                &["it failed", "the disk\nis full", ""],
                "it failed: the disk is full",
            ),
            (
                &["it failed", "cannot write: refused", "refused", "by the server"],
                "it failed: cannot write: refused: by the server",
            ),
        ] {
            assert_eq!(ErrorChain(&layers(texts)).to_string(), line);
        }
    }

    #[test]
    fn an_error_within_an_io_error_is_shown_once() {
        let error = io::Error::other(layers(&["the key is unreadable", "it has mode 0000"]));
        let line = ErrorChain(&error).to_string();
        assert_eq!(line, "the key is unreadable: it has mode 0000");
    }
}
