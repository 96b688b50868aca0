//! What a person or a script types: a secret on standard input, and a yes or no.

mod editor;
mod quiet_terminal;

use std::io::{self, BufRead, IsTerminal, Read, Write};

use zeroize::Zeroizing;

use self::quiet_terminal::QuietTerminal;
use crate::failure::Failure;

/// The most bytes of one line; longer than any token, password or secret that is taken.
const MOST_BYTES: u64 = 8 * 1024;

/// One line from standard input, without its line break. On a terminal, `what` is asked for and not shown.
///
/// # Errors
/// When nothing was given, or something that is not a line of text.
pub(crate) fn secret_line(what: &str) -> Result<Zeroizing<String>, Failure> {
    let stdin = io::stdin();
    let line = match stdin.is_terminal() {
        true => ask_quietly(what)?,
        false => read_line(stdin.lock(), what)?,
    };
    match line.is_empty() {
        true => Err(Failure::Usage(format!("no {what} on standard input: write it there as one line"))),
        false => Ok(line),
    }
}

/// Whether a person at the terminal says yes.
///
/// # Errors
/// [`Failure::Usage`] when there is no terminal to ask on.
pub(crate) fn confirmed(question: &str) -> Result<bool, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Usage(
            "there is no terminal to ask on: add --yes to do it without asking".to_owned(),
        ));
    }
    eprint!("{question} [y/N] ");
    let line = read_line(stdin.lock(), "answer")?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn ask_quietly(what: &str) -> Result<Zeroizing<String>, Failure> {
    let stdin = io::stdin();
    let failed = |error: io::Error| Failure::refused(format_args!("cannot read from the terminal: {error}"));
    eprint!("{what}: ");
    let _ = io::stderr().flush();
    let typed = {
        let _quiet = QuietTerminal::new(&stdin).map_err(failed)?;
        editor::line(stdin.lock().bytes(), MOST_BYTES).map_err(failed)?
    };
    eprintln!();
    typed.ok_or_else(|| Failure::refused("given up at the terminal"))
}

fn read_line(from: impl BufRead, what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1_024));
    let read = from.take(MOST_BYTES + 1).read_until(b'\n', &mut bytes);
    read.map_err(|error| Failure::refused(format_args!("cannot read standard input: {error}")))?;
    let line = bytes.strip_suffix(b"\n").map_or(&**bytes, |line| line.strip_suffix(b"\r").unwrap_or(line));
    if line.len() as u64 > MOST_BYTES {
        return Err(Failure::Usage(format!("the {what} on standard input has more than {MOST_BYTES} bytes")));
    }
    match std::str::from_utf8(line) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Failure::Usage(format!("the {what} on standard input is not text in UTF-8"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(input: &[u8]) -> Result<String, Vec<String>> {
        read_line(input, "password").map(|line| line.to_string()).map_err(|failure| failure.sentences())
    }

    #[test]
    fn a_line_loses_its_line_break_and_nothing_else() {
        for (input, text) in [
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            ("secret", "secret"),
            (" two words \n", " two words "),
            ("first\nsecond\n", "first"),
            ("ends with\r", "ends with\r"),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(line(input.as_bytes()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_line_of_text_is_refused() {
        assert!(line(b"\xff\n").is_err());
        assert!(line(&[b'x'; 8 * 1024]).is_ok());
        assert!(line(&[b'x'; 8 * 1024 + 1]).is_err());
    }
}
