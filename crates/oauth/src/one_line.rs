//! Text of others that people read within a line of ours.

/// Whether a character would change how the line reads: controls, breaks, marks of direction, and what is not seen.
pub fn changes_the_line(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Invisible, or joining.
            '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
            // Letters and signs that are blank.
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            // Of direction and shape.
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2065}'..='\u{206f}'
            // Breaks, annotations, tags.
            | '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_and_stays_in_its_place_may_stand() {
        for hidden in "\n\r\t\0\u{7f}\u{85}\u{ad}\u{61c}\u{3164}\u{200b}\u{200d}\u{200f}\u{2028}\u{202e}\u{2060}\u{2069}\u{feff}\u{e0041}".chars() {
            assert!(changes_the_line(hidden), "{hidden:?}");
        }
        let plain = "plain, ä 漢字 Приложение مثال दुकान 🙂 e\u{301} ❤\u{fe0f} “quoted”\u{a0}– 葛\u{e0100}";
        assert_eq!(plain.chars().find(|char| changes_the_line(*char)), None);
    }
}
