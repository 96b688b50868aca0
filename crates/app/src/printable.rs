//! Foreign text made fit for a log, a table or a terminal: no line break, no control character, no hidden direction,
//! and not too long (OWASP ASVS 16.4.1).

use std::borrow::Cow;
use std::fmt::Write;

use obol_oauth::changes_the_line;

/// `text` with every character that could forge a line or hide another written as `\u{…}`, and cut to `most_chars`.
pub(crate) fn printable(text: &str, most_chars: usize) -> Cow<'_, str> {
    let cut = capped(text, most_chars);
    if !cut.contains(changes_the_line) {
        return cut;
    }
    let mut clean = String::with_capacity(cut.len() + 16);
    for character in cut.chars() {
        match changes_the_line(character) {
            true => clean.extend(character.escape_unicode()),
            false => clean.push(character),
        }
    }
    Cow::Owned(clean)
}

/// `text`, or its beginning and an ellipsis, of at most `most_chars` characters.
pub(crate) fn capped(text: &str, most_chars: usize) -> Cow<'_, str> {
    // The last character that fits gives way to the ellipsis.
    match (text.char_indices().nth(most_chars), most_chars.checked_sub(1)) {
        (None, _) => Cow::Borrowed(text),
        (Some(_), None) => Cow::Borrowed(""),
        (Some(_), Some(before_last)) => {
            let end = text.char_indices().nth(before_last).map_or(0, |(at, _)| at);
            Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
        }
    }
}

/// A line of JSON in which the characters that JSON lets stand, but a terminal obeys, are written by their number, as `\u202e`.
///
/// They can stand only inside the strings of `json`, where this spelling means the same.
pub(crate) fn printable_json(json: String) -> String {
    // Serialised JSON has no other controls.
    if json.is_ascii() && !json.contains('\u{7f}') {
        return json;
    }
    let mut clean = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        match changes_the_line(character) {
            true => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a String cannot fail.
                    let _ = write!(clean, "\\u{unit:04x}");
                }
            }
            false => clean.push(character),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\r\nb\0c\u{1b}[31md\u{7f}e\u{85}f\u{202e}g\u{2028}h\u{2066}i\u{feff}j\u{e0041}k";

    #[test]
    fn asvs_16_4_1_no_character_forges_a_line_or_hides_one() {
        let clean = printable(HOSTILE, 1_000);
        assert!(!clean.contains(changes_the_line), "{clean:?}");
        assert_eq!(printable("a\nb\u{1b}c", 9), "a\\u{a}b\\u{1b}c");
        assert_eq!(printable("plain, ä 漢字 🙂", 99), "plain, ä 漢字 🙂");
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let json = serde_json::to_string(&serde_json::json!({ "value": HOSTILE })).unwrap();
        let clean = printable_json(json.clone());
        assert!(!clean.contains(changes_the_line), "{clean:?}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&clean), read(&json));
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(capped("äöü", 3), "äöü");
        assert_eq!(capped("äöüß", 3), "äö…");
        assert_eq!(capped("ab", 1), "…");
        assert_eq!(capped("ab", 0), "");
        assert_eq!(capped(&"x".repeat(1_000), 256).chars().count(), 256);
    }
}
