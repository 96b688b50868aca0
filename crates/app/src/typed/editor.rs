//! A line typed on a terminal that neither shows nor edits it.

use std::io;

use zeroize::Zeroizing;

const INTERRUPT: u8 = 3;
const END_OF_INPUT: u8 = 4;
const BACKSPACE: u8 = 8;
const KILL_LINE: u8 = 21;
const DELETE: u8 = 127;

/// Reads to the end of the line, obeying backspace and Ctrl-U; `None` when the person gives up with Ctrl-C, or with
/// Ctrl-D on an empty line.
///
/// # Errors
/// When the terminal cannot be read, or the line is longer than `most_bytes` or not UTF-8.
pub(super) fn line(
    bytes: impl Iterator<Item = io::Result<u8>>,
    most_bytes: u64,
) -> io::Result<Option<Zeroizing<String>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(1_024));
    for byte in bytes {
        match byte? {
            INTERRUPT => return Ok(None),
            END_OF_INPUT if line.is_empty() => return Ok(None),
            b'\r' | b'\n' | END_OF_INPUT => break,
            BACKSPACE | DELETE => drop_character(&mut line),
            KILL_LINE => line.clear(),
            _ if line.len() as u64 == most_bytes => return Err(io::Error::other("the line is too long")),
            byte => line.push(byte),
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| io::Error::other("the line is not UTF-8"))?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

/// A character of UTF-8 ends where a byte is not a continuation.
fn drop_character(line: &mut Vec<u8>) {
    while let Some(byte) = line.pop() {
        if byte & 0b1100_0000 != 0b1000_0000 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Option<String> {
        line(keys.iter().map(|&key| Ok(key)), 16).unwrap().map(|line| line.to_string())
    }

    #[test]
    fn keys_edit_the_line() {
        for (keys, text) in [
            ("secret\r", "secret"),
            ("secret\nmore", "secret"),
            ("secrxt\u{7f}\u{7f}et\n", "secret"),
            ("ä€🙂\u{8}\u{8}\n", "ä"),
            ("\u{7f}x\n", "x"),
            ("wrong\u{15}right\n", "right"),
            ("secret\u{4}", "secret"),
            ("secret", "secret"),
        ] {
            assert_eq!(typed(keys.as_bytes()).as_deref(), Some(text), "{keys:?}");
        }
    }

    #[test]
    fn a_person_can_give_up() {
        assert_eq!(typed(b"secr\x03et\n"), None);
        assert_eq!(typed(b"\x04"), None);
    }

    #[test]
    fn what_is_too_long_or_no_text_is_refused() {
        let line = |keys: &[u8]| super::line(keys.iter().map(|&key| Ok(key)), 16);
        assert!(line(&[b'x'; 16]).is_ok());
        assert!(line(&[b'x'; 17]).is_err());
        assert!(line(b"\xff\n").is_err());
    }
}
