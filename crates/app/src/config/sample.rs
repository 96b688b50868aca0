//! The commented sample of the configuration file.

use super::list::{SETTINGS, Setting};

const WIDTH: usize = 100;

const HEAD: &str = "\
# Configuration of obol: `obol serve --config FILE`, or OBOL_CONFIG=FILE.
#
# Every option has the same name on the command line (--refresh-grace), in the environment (OBOL_REFRESH_GRACE) and here
# (refresh_grace). The command line counts first, then the environment, then this file, then the default.
# The lines that are commented out show the defaults, or an example where there is none.
";

/// The sample: every option with what it does, commented out, so that it means the defaults.
pub(crate) fn sample() -> String {
    let mut text = HEAD.to_owned();
    for setting in SETTINGS {
        text.push('\n');
        for line in wrap(setting.about, WIDTH) {
            text.push_str("# ");
            text.push_str(&line);
            text.push('\n');
        }
        text.push_str(&assignment(setting));
    }
    text
}

fn assignment(setting: &Setting) -> String {
    match setting.default_value() {
        Some(value) => format!("#{} = {value}\n", setting.key),
        None => format!("#{} = {}\n", setting.key, setting.example),
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Configuration, Given, Origin, Settings};

    fn load(text: &str) -> Configuration {
        Configuration::from_text(&Given::default(), Some((Path::new("sample.toml"), text))).unwrap()
    }

    #[test]
    fn every_option_is_in_the_sample_once() {
        let sample = sample();
        for setting in SETTINGS {
            let start = format!("#{} = ", setting.key);
            assert_eq!(sample.lines().filter(|line| line.starts_with(&start)).count(), 1, "{}", setting.key);
        }
    }

    #[test]
    fn the_sample_means_the_defaults() {
        assert_eq!(load(&sample()).settings, Settings::default());
    }

    #[test]
    fn the_defaults_of_the_sample_mean_the_defaults_when_they_are_made_to_count() {
        let defaults = SETTINGS.iter().filter(|setting| setting.default_value().is_some());
        let text: String = defaults.map(|setting| assignment(setting).replacen('#', "", 1)).collect();
        assert_eq!(load(&text).settings, Settings::default());
    }

    #[test]
    fn every_example_of_the_sample_is_a_right_value() {
        for setting in SETTINGS.iter().filter(|setting| !setting.example.is_empty()) {
            let line = assignment(setting).replacen('#', "", 1);
            let needed = match setting.key {
                "tls_cert" => "tls_key = 'k.pem'",
                "tls_key" => "tls_cert = 'c.pem'",
                "on_stale_max_age_ms" => "on_stale = 'serve'",
                _ => "",
            };
            let configuration = load(&format!("{line}{needed}\n"));
            assert!(
                matches!(configuration.origin(setting.key), Origin::File { line: Some(1), .. }),
                "{line}"
            );
        }
    }

    #[test]
    fn no_comment_is_wider_than_a_page() {
        assert!(sample().lines().all(|line| line.len() <= 120));
    }
}
