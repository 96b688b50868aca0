//! The messages of the pages, a file for each language. An operator's folder may change single ones and add languages.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use minijinja::value::{Kwargs, Value};
use minijinja::{Error, ErrorKind};

use super::look::LookError;

/// Ours, the one that all others are held against first.
const OURS: [(&str, &str); 2] =
    [("en", include_str!("messages/en.toml")), ("de", include_str!("messages/de.toml"))];

/// Messages of this group describe scopes; every name may be there.
const SCOPES: &str = "scope.";

type Texts = BTreeMap<String, String>;

/// All messages of one language.
#[derive(Debug)]
pub(super) struct Catalog {
    /// Its tag (RFC 5646).
    pub(super) language: String,
    texts: Arc<Texts>,
    translate: Value,
}

/// All languages, English first.
#[derive(Debug)]
pub(super) struct Messages(Vec<Arc<Catalog>>);

impl Catalog {
    fn new(language: String, texts: Texts) -> Self {
        let texts = Arc::new(texts);
        let all = Arc::clone(&texts);
        let translate = Value::from_function(move |key: &str, values: Kwargs| translate(&all, key, &values));
        Self { language, texts, translate }
    }

    /// The function `t(key, name=value…)` of the templates.
    pub(super) fn translate(&self) -> Value {
        self.translate.clone()
    }

    /// Whether there is such a message.
    pub(super) fn has(&self, key: &str) -> bool {
        self.texts.contains_key(key)
    }

    /// The message, with one name filled in.
    pub(super) fn text(&self, key: &str, name: &str, value: &str) -> String {
        let text = self.texts.get(key).map_or("", String::as_str);
        text.replace(&format!("{{{name}}}"), value)
    }
}

impl Messages {
    /// Ours, and those of the operator's folder.
    ///
    /// # Errors
    /// [`LookError`] when a file cannot be read or says something that is not asked.
    pub(super) fn load(folder: Option<&Path>) -> Result<Self, LookError> {
        let mut texts: Vec<(String, Texts)> = Vec::new();
        for (language, file) in OURS {
            texts.push((language.to_owned(), read(Path::new(language), file)?));
        }
        for path in folder.map(toml_files).transpose()?.unwrap_or_default() {
            let wrong = |text: String| LookError { file: path.clone(), line: None, text };
            let language = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            if !is_language(&language) {
                return Err(wrong("the name of the file has to be a language, as in fr.toml".to_owned()));
            }
            let file = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
            let changed = read(&path, &file)?;
            let english = texts.first().map(|(_, english)| english.clone()).unwrap_or_default();
            check(&changed, &english).map_err(wrong)?;
            match texts.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&language)) {
                Some((_, known)) => known.extend(changed),
                // What a language does not say is said in English.
                None => texts.push((language, english.into_iter().chain(changed).collect())),
            }
        }
        let catalogs = texts.into_iter().map(|(language, texts)| Arc::new(Catalog::new(language, texts)));
        Ok(Self(catalogs.collect()))
    }

    /// All languages.
    pub(super) fn all(&self) -> &[Arc<Catalog>] {
        &self.0
    }

    /// The language for these wishes.
    pub(super) fn choose(&self, ui_locales: &str, accept_language: &str) -> Arc<Catalog> {
        let known: Vec<&str> = self.0.iter().map(|catalog| &*catalog.language).collect();
        let chosen = super::locale::choose(&known, ui_locales, accept_language);
        self.0.get(chosen).cloned().unwrap_or_else(|| Arc::new(Catalog::new("en".to_owned(), Texts::new())))
    }
}

fn translate(texts: &Texts, key: &str, values: &Kwargs) -> Result<String, Error> {
    let unknown = || Error::new(ErrorKind::InvalidOperation, format!("there is no message `{key}`"));
    let mut text = texts.get(key).ok_or_else(unknown)?.clone();
    for name in values.args() {
        let value: Value = values.get(name)?;
        text = text.replace(&format!("{{{name}}}"), &value.to_string());
    }
    Ok(text)
}

/// The texts of a file, by `group.name`.
fn read(path: &Path, file: &str) -> Result<Texts, LookError> {
    let wrong = |line, text: &str| LookError { file: path.to_owned(), line, text: text.trim().to_owned() };
    let groups: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(file).map_err(|error| {
        let before = error.span().and_then(|span| file.get(..span.start));
        wrong(before.map(|before| before.matches('\n').count().saturating_add(1)), error.message())
    })?;
    let each = |(group, texts): (String, BTreeMap<String, String>)| {
        texts.into_iter().map(move |(name, text)| (format!("{group}.{name}"), text))
    };
    Ok(groups.into_iter().flat_map(each).collect())
}

/// Whether each message is one that is asked for, and fills in only what is given to it.
fn check(texts: &Texts, english: &Texts) -> Result<(), String> {
    for (key, text) in texts {
        let given = match english.get(key) {
            Some(english) => names(english),
            None if key.starts_with(SCOPES) => Vec::new(),
            None => return Err(format!("there is no message `{key}`")),
        };
        let mut filled = names(text);
        filled.sort_unstable();
        let mut expected = given;
        expected.sort_unstable();
        if filled != expected {
            return Err(format!("the message `{key}` has to hold {}", listed(&expected)));
        }
    }
    Ok(())
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "no name in braces".to_owned(),
        names => names.iter().map(|name| format!("{{{name}}} once")).collect::<Vec<_>>().join(" and "),
    }
}

/// The names in braces.
fn names(text: &str) -> Vec<&str> {
    text.split('{').skip(1).map(|after| after.split('}').next().unwrap_or_default()).collect()
}

fn toml_files(folder: &Path) -> Result<Vec<std::path::PathBuf>, LookError> {
    let folder = folder.join("messages");
    let wrong =
        |error: std::io::Error| LookError { file: folder.clone(), line: None, text: error.to_string() };
    if !folder.try_exists().map_err(wrong)? {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_language(tag: &str) -> bool {
    (2..=35).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_of_ours_says_the_same_things() {
        let messages = Messages::load(None).unwrap();
        let english = &messages.all()[0].texts;
        for catalog in messages.all() {
            assert_eq!(check(&catalog.texts, english), Ok(()), "{}", catalog.language);
            assert!(english.keys().eq(catalog.texts.keys()), "{}", catalog.language);
        }
    }

    fn folder(name: &str, text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("messages")).unwrap();
        std::fs::write(folder.path().join("messages").join(name), text).unwrap();
        folder
    }

    #[test]
    fn an_operator_changes_one_message_and_adds_a_language() {
        let changed =
            folder("de.toml", "[sign_in]\nsubmit = 'Rein'\n[scope]\n'billing:read' = 'Rechnungen lesen'\n");
        let messages = Messages::load(Some(changed.path())).unwrap();
        let german = messages.choose("de", "");
        assert_eq!(german.text("sign_in.submit", "", ""), "Rein");
        assert_eq!(german.text("sign_in.password", "", ""), "Passwort");
        assert!(german.has("scope.billing:read"));

        let added = folder("fr.toml", "[sign_in]\nsubmit = 'Entrer'\n");
        let messages = Messages::load(Some(added.path())).unwrap();
        let french = messages.choose("fr-CA", "");
        assert_eq!((&*french.language, french.text("sign_in.submit", "", "")), ("fr", "Entrer".to_owned()));
        assert_eq!(french.text("sign_in.password", "", ""), "Password", "what it does not say is English");
    }

    #[test]
    fn a_wrong_file_stops_with_a_sentence_that_names_it() {
        for (name, text, sentence) in [
            ("de.toml", "[sign_in]\nsubmt = 'x'", "de.toml: there is no message `sign_in.submt`"),
            ("de.toml", "[sign_in]\nto = 'x'", "de.toml: the message `sign_in.to` has to hold {client} once"),
            ("de.toml", "[sign_in]\nto = '{client} {x}'", "has to hold {client} once"),
            ("de.toml", "[sign_in]\nsubmit = '{x}'", "has to hold no name in braces"),
            ("de.toml", "[sign_in]\nsubmit = 'x'\nnonsense", "de.toml line 3: "),
            ("d e.toml", "", "has to be a language"),
        ] {
            let folder = folder(name, text);
            let said = Messages::load(Some(folder.path())).unwrap_err().to_string();
            assert!(said.contains(sentence), "{said}");
        }
    }
}
