//! Which language a page speaks: the one that the client asks for, else the browser's, else English.

/// The most wishes that are read of each; a person has a few.
const MOST_WISHES: usize = 32;

/// The index of the best of `known`: by `ui_locales` (OpenID Connect Core §3.1.2.1), then by `Accept-Language` (RFC 9110
/// §12.5.4), else the first.
pub(super) fn choose(known: &[&str], ui_locales: &str, accept_language: &str) -> usize {
    let asked = ui_locales.split_ascii_whitespace().take(MOST_WISHES);
    asked.chain(accepted(accept_language)).find_map(|wish| look_up(known, wish)).unwrap_or_default()
}

/// RFC 4647 §3.4: what was wished for, then without its last parts.
fn look_up(known: &[&str], wish: &str) -> Option<usize> {
    let mut wish = wish;
    loop {
        if let Some(found) = known.iter().position(|known| known.eq_ignore_ascii_case(wish)) {
            return Some(found);
        }
        (wish, _) = wish.rsplit_once('-')?;
    }
}

/// The languages of the header, the best first; those of weight 0 are not wanted.
fn accepted(header: &str) -> impl Iterator<Item = &str> {
    let mut wishes: Vec<(&str, u16)> = header
        .split(',')
        .take(MOST_WISHES)
        .filter_map(|wish| {
            let (language, weight) = wish.split_once(';').unwrap_or((wish, "q=1"));
            let weight = weight.trim().strip_prefix("q=").and_then(thousandths)?;
            (weight > 0).then_some((language.trim(), weight))
        })
        .collect();
    wishes.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    wishes.into_iter().map(|(language, _)| language)
}

/// A weight (RFC 9110 §12.4.2) in thousandths.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["en", "de", "pt-BR", "zh-Hant"];

    fn chosen(ui_locales: &str, accept_language: &str) -> &'static str {
        KNOWN[choose(&KNOWN, ui_locales, accept_language)]
    }

    #[test]
    fn what_the_client_asks_for_comes_first_then_the_browser_then_english() {
        for (ui_locales, accept_language, language) in [
            ("", "", "en"),
            ("de", "en", "de"),
            ("fr de", "en", "de"),
            ("fr", "de", "de"),
            ("fr", "it", "en"),
            ("DE-at", "", "de"),
            ("pt-BR", "", "pt-BR"),
            ("pt", "", "en"),
            ("zh-Hant-TW", "", "zh-Hant"),
        ] {
            assert_eq!(chosen(ui_locales, accept_language), language, "{ui_locales} | {accept_language}");
        }
    }

    #[test]
    fn rfc9110_12_5_4_the_heaviest_wish_wins() {
        for (header, language) in [
            ("de, en", "de"),
            ("en, de", "en"),
            ("en;q=0.5, de;q=0.8", "de"),
            ("en;q=0.5,de;q=0.8,fr", "de"),
            ("de;q=0, en", "en"),
            ("de;q=0.001", "de"),
            ("de;q=2, en;q=0.1", "en"),
            ("de;q=abc", "en"),
            ("de;q=0.1234", "en"),
            ("*", "en"),
            (",;,q=;=", "en"),
        ] {
            assert_eq!(chosen("", header), language, "{header}");
        }
    }

    #[test]
    fn a_flood_of_wishes_is_not_read_to_its_end() {
        let flood = "xx,".repeat(100_000) + "de";
        assert_eq!(chosen("", &flood), "en");
        assert_eq!(chosen(&flood.replace(',', " "), ""), "en");
    }
}
