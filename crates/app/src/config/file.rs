//! The configuration file: TOML, one `key = value` a line, every key known.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::list::{SETTINGS, Setting, Shape};
use super::nearest::nearest;
use super::problem::{Origin, Problem};

/// A value that the file gives, with its place.
pub(super) struct FileValue {
    pub(super) setting: &'static Setting,
    pub(super) origin: Origin,
    pub(super) texts: Vec<String>,
}

/// Reads the text of the file at `path`; what is wrong does not hide what is right.
pub(super) fn read(path: &Path, text: &str) -> (Vec<FileValue>, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let place = Place { path, text };
        return (Vec::new(), errors.iter().map(|error| place.not_toml(error)).collect());
    }
    let place = Place { path, text };
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for (key, value) in table.get_ref() {
        match place.value(key, value) {
            Ok(value) => values.push(value),
            Err(problem) => problems.push(problem),
        }
    }
    let line = |origin: &Origin| match origin {
        Origin::File { line, .. } => *line,
        _ => None,
    };
    problems.sort_by_key(|problem| line(&problem.origin));
    (values, problems)
}

struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    fn at(&self, offset: usize, key: Option<&str>) -> Origin {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        Origin::File { path: self.path.to_owned(), line: Some(line), key: key.map(ToOwned::to_owned) }
    }

    /// The key of the line, where there is one, belongs to the message.
    fn not_toml(&self, error: &toml::de::Error) -> Problem {
        let offset = error.span().map_or(0, |Range { start, .. }| start.min(self.text.len()));
        let start = self.text.as_bytes().iter().take(offset).rposition(|&byte| byte == b'\n');
        let line = self.text.get(start.map_or(0, |newline| newline + 1)..).unwrap_or_default();
        let key = line.lines().next().and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
        let message = error.message().replace('\n', ", ");
        Problem { origin: self.at(offset, key), text: format!("this is not TOML: {message}") }
    }

    fn value(
        &self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<FileValue, Problem> {
        let name: &str = key.get_ref();
        let origin = self.at(key.span().start, Some(name));
        let problem = |text: String| Problem { origin: origin.clone(), text };
        let setting = SETTINGS.iter().find(|setting| setting.key == name);
        let setting = setting.ok_or_else(|| problem(unknown(name, value.get_ref())))?;
        let texts = texts(setting.shape, value.get_ref()).ok_or_else(|| problem(wanted(setting)))?;
        Ok(FileValue { setting, origin: origin.clone(), texts })
    }
}

fn unknown(name: &str, value: &DeValue<'_>) -> String {
    if matches!(value, DeValue::Table(_)) {
        return "there are no sections: write every option at the top, as key = value".to_owned();
    }
    match nearest(name) {
        Some(key) => format!("there is no such option; did you mean {key}?"),
        None => "there is no such option; `obol config sample` lists them all".to_owned(),
    }
}

fn texts(shape: Shape, value: &DeValue<'_>) -> Option<Vec<String>> {
    match (shape, value) {
        (Shape::Text, DeValue::String(text)) => Some(vec![text.to_string()]),
        (Shape::Number, DeValue::Integer(number)) => Some(vec![decimal(number)?]),
        (Shape::Flag, DeValue::Boolean(on)) => Some(vec![on.to_string()]),
        (Shape::List, DeValue::Array(items)) => items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn decimal(number: &DeInteger<'_>) -> Option<String> {
    i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
}

fn wanted(setting: &Setting) -> String {
    let value = setting.default_value().map_or_else(|| setting.example.to_owned(), |value| value.to_string());
    let shape = match setting.shape {
        Shape::Text => "a text in quotes",
        Shape::Number => "a whole number without quotes",
        Shape::Flag => "true or false without quotes",
        Shape::List => "a list of texts",
    };
    format!("it takes {shape}, as in {} = {value}", setting.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        read(Path::new("obol.toml"), text).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn values_of_every_shape_are_read() {
        let text =
            "data = 'x'\nrefresh_grace = 0x0a\ntls_self_signed = true\nbehind_proxy = ['10.0.0.0/8']\n";
        let (values, problems) = read(Path::new("obol.toml"), text);
        assert!(problems.is_empty(), "{problems:?}");
        let texts: Vec<_> = values.iter().map(|value| (value.setting.key, value.texts.concat())).collect();
        for expected in [
            ("data", "x"),
            ("refresh_grace", "10"),
            ("tls_self_signed", "true"),
            ("behind_proxy", "10.0.0.0/8"),
        ] {
            assert!(texts.iter().any(|(key, text)| (*key, text.as_str()) == expected), "{expected:?}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
        assert_eq!(
            problems("# obol\n\nrefresh-grace = 10\n"),
            ["obol.toml line 3, refresh-grace: there is no such option; did you mean refresh_grace?"]
        );
        assert_eq!(
            problems("zzz = 1\n"),
            ["obol.toml line 1, zzz: there is no such option; `obol config sample` lists them all"]
        );
    }

    #[test]
    fn a_section_is_refused() {
        assert_eq!(
            problems("[server]\nlisten = '127.0.0.1:1'\n"),
            [
                "obol.toml line 1, server: there are no sections: write every option at the top, as key = value"
            ]
        );
    }

    #[test]
    fn every_problem_is_told_in_the_order_of_the_lines() {
        assert_eq!(
            problems("refresh_grace = '10'\nlisten = 8080\nbehind_proxy = '10.0.0.0/8'\n"),
            [
                "obol.toml line 1, refresh_grace: it takes a whole number without quotes, as in refresh_grace = 10",
                "obol.toml line 2, listen: it takes a text in quotes, as in listen = \"127.0.0.1:8080\"",
                "obol.toml line 3, behind_proxy: it takes a list of texts, as in behind_proxy = [\"10.0.0.0/8\"]",
            ]
        );
    }

    #[test]
    fn what_is_not_toml_is_named_with_line_and_key() {
        for (text, start) in [
            ("data = 'x'\nlisten = 127.0.0.1:8080\n", "obol.toml line 2, listen: this is not TOML: "),
            ("data = 'x'\ndata = 'y'\n", "obol.toml line 2, data: this is not TOML: duplicate key"),
            ("data\n", "obol.toml line 1: this is not TOML: "),
            ("data = 'x", "obol.toml line 1, data: this is not TOML: "),
        ] {
            let problems = problems(text);
            assert!(problems.first().is_some_and(|problem| problem.starts_with(start)), "{problems:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for text in
            ["\u{feff}data = 'ä'", "ä = 'ä'", "\n\n\u{202e}", "'", "a.b.c = 1", "data.x = 1", "= 1", "\r"]
        {
            let _ = problems(text);
        }
    }
}
