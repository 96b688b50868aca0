//! The option that a mistyped name may have meant.

use super::given::MASTER_KEY_VARIABLE;
use super::list::SETTINGS;

/// The key nearest to `name`, if it is near.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let name = name.replace('-', "_").to_ascii_lowercase();
    let distance = |key: &str| strsim::damerau_levenshtein(&name, key);
    let key = SETTINGS.iter().map(|setting| setting.key).min_by_key(|key| distance(key))?;
    (distance(key) <= key.len() / 3).then_some(key)
}

/// Variables of the environment that look like a mistyped option: their name and the one that may be meant.
///
/// They are no error: a container may find OBOL_PORT set by others.
pub(crate) fn mistyped_variables() -> Vec<(String, String)> {
    mistyped(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
}

fn mistyped(names: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let near = |name: String| {
        if name == MASTER_KEY_VARIABLE {
            return None;
        }
        let end = name.strip_prefix("OBOL_")?;
        let meant = format!("OBOL_{}", nearest(end)?.to_ascii_uppercase());
        (meant != name).then_some((name, meant))
    };
    names.filter_map(near).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        for (name, key) in [
            ("listem", Some("listen")),
            ("TLS-Cert", Some("tls_cert")),
            ("refreshgrace", Some("refresh_grace")),
            ("log_levle", Some("log_level")),
            ("port", None),
            ("service_host", None),
            ("", None),
        ] {
            assert_eq!(nearest(name), key, "{name}");
        }
    }

    #[test]
    fn mistyped_variables_are_noticed_and_others_left_alone() {
        let names = [
            "OBOL_LISTEM",
            "OBOL_LISTEN",
            "OBOL_CONFIG",
            "OBOL_PORT_8080_TCP",
            "LISTEM",
            "OBOL_TLSCERT",
            "OBOL_MASTER_KEY",
        ];
        let found = mistyped(names.map(str::to_owned).into_iter());
        let pair = |name: &str, meant: &str| (name.to_owned(), meant.to_owned());
        assert_eq!(found, [pair("OBOL_LISTEM", "OBOL_LISTEN"), pair("OBOL_TLSCERT", "OBOL_TLS_CERT")]);
    }
}
