//! What the program runs with: options from the command line, the environment and a file, in this order of weight.

mod database_url;
mod file;
mod given;
mod list;
mod nearest;
mod parse;
mod problem;
mod sample;
mod settings;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use given::{
    EVERYWHERE, Given, MASTER_KEY_VARIABLE, OptionsEverywhere, ServerOptions, master_key_text,
};
pub(crate) use list::{SETTINGS, Setting};
pub(crate) use nearest::mistyped_variables;
pub(crate) use problem::{ConfigError, Origin, Problem};
pub(crate) use sample::sample;
pub(crate) use settings::{LogFormat, LogLevel, Settings, StalePolicy};

/// The settings, and where each was given.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// What counts.
    pub(crate) settings: Settings,
    origins: BTreeMap<&'static str, Origin>,
}

impl Configuration {
    /// Puts together what was given and the file at `path`.
    ///
    /// # Errors
    /// Everything that is wrong with either.
    pub(crate) fn load(given: &Given, path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Self::from_text(given, None) };
        let text = std::fs::read_to_string(path).map_err(|error| Problem {
            origin: Origin::File { path: path.to_owned(), line: None, key: None },
            text: format!("the file cannot be read: {error}"),
        })?;
        Self::from_text(given, Some((path, &text)))
    }

    /// Puts together what was given and the text of a file.
    ///
    /// # Errors
    /// Everything that is wrong with either.
    pub(crate) fn from_text(given: &Given, file: Option<(&Path, &str)>) -> Result<Self, ConfigError> {
        let mut configuration = Self { settings: Settings::default(), origins: BTreeMap::new() };
        let (values, mut problems) = file.map(|(path, text)| file::read(path, text)).unwrap_or_default();
        for value in values {
            configuration.set(value.setting, value.origin, &value.texts, &mut problems);
        }
        for setting in SETTINGS {
            if let Some(value) = given.find(setting.key) {
                configuration.set(setting, value.origin.clone(), &value.texts, &mut problems);
            }
        }
        if problems.is_empty() {
            configuration.contradictions(&mut problems);
        }
        match problems.is_empty() {
            true => Ok(configuration),
            false => Err(ConfigError { problems }),
        }
    }

    /// Where an option was given.
    pub(crate) fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// A wrong value is a problem also where another source outweighs it: it would count once that source is gone.
    fn set(
        &mut self,
        setting: &'static Setting,
        origin: Origin,
        texts: &[String],
        problems: &mut Vec<Problem>,
    ) {
        match (setting.set)(&mut self.settings, texts) {
            Ok(()) => {
                self.origins.insert(setting.key, origin);
            }
            Err(text) => problems.push(Problem { origin, text }),
        }
    }

    fn contradictions(&self, problems: &mut Vec<Problem>) {
        let settings = &self.settings;
        let mut refuse = |key: &str, text: &str| {
            problems.push(Problem { origin: self.origin(key).clone(), text: text.to_owned() });
        };
        match (&settings.tls_cert, &settings.tls_key) {
            (Some(_), None) => refuse("tls_cert", "a certificate needs its key: set tls_key as well"),
            (None, Some(_)) => refuse("tls_key", "a key needs its certificate: set tls_cert as well"),
            _ => {}
        }
        if settings.tls_cert.is_some() && settings.tls_self_signed {
            refuse("tls_self_signed", "a certificate is set in tls_cert: leave one of the two out");
        }
        if settings.lease_ms < settings.lease_renewal_ms.saturating_mul(3) {
            let key =
                if *self.origin("lease_ms") == Origin::Default { "lease_renewal_ms" } else { "lease_ms" };
            refuse(key, "lease_ms must be at least three times lease_renewal_ms");
        }
        match (settings.on_stale, settings.on_stale_max_age_ms) {
            (StalePolicy::Serve, None) => {
                refuse(
                    "on_stale",
                    "serve needs to know how old answers may be: set on_stale_max_age_ms as well",
                );
            }
            (StalePolicy::Serve, Some(ms)) if ms <= settings.lease_ms => refuse(
                "on_stale_max_age_ms",
                "must be more than lease_ms: until then the server vouches for its answers",
            ),
            (StalePolicy::Refuse, Some(_)) => refuse(
                "on_stale_max_age_ms",
                "counts with on_stale = serve only: set that as well, or leave this out",
            ),
            (StalePolicy::Serve, Some(_)) | (StalePolicy::Refuse, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::given::GivenValue;
    use super::*;

    fn given(values: &[(&'static str, Origin, &str)]) -> Given {
        let value = |(key, origin, text): &(&'static str, Origin, &str)| GivenValue {
            key,
            origin: origin.clone(),
            texts: vec![(*text).to_owned()],
        };
        Given(values.iter().map(value).collect())
    }

    fn load(given: &Given, file: &str) -> Result<Configuration, Vec<String>> {
        Configuration::from_text(given, Some((Path::new("obol.toml"), file)))
            .map_err(|error| error.problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn command_line_outweighs_environment_outweighs_file_outweighs_default() {
        let flag = Origin::CommandLine("data".into());
        let variable = Origin::Environment("OBOL_DATA".into());
        let by_flag = || given(&[("data", flag.clone(), "flag")]);
        let by_variable = || given(&[("data", variable.clone(), "variable")]);
        let file = "data = 'file'";
        let line = Origin::File { path: "obol.toml".into(), line: Some(1), key: Some("data".into()) };
        let data = |given: Given, file: &str| {
            let configuration = load(&given, file).unwrap();
            let data = configuration.settings.data.to_string_lossy().into_owned();
            (data, configuration.origin("data").clone())
        };
        assert_eq!(data(by_flag().or(by_variable()), file), ("flag".into(), flag.clone()));
        assert_eq!(data(by_variable(), file), ("variable".into(), variable.clone()));
        assert_eq!(data(Given::default(), file), ("file".into(), line));
        assert_eq!(data(Given::default(), ""), ("./obol-data".into(), Origin::Default));
    }

    #[test]
    fn a_wrong_value_names_its_place_and_a_right_form() {
        let variable = given(&[("listen", Origin::Environment("OBOL_LISTEN".into()), "8080")]);
        assert_eq!(
            load(&variable, "refresh_grace = 301").unwrap_err(),
            [
                "obol.toml line 1, refresh_grace: \"301\" is not a whole number of seconds from 0 to 300",
                "OBOL_LISTEN: \"8080\" is not an IP address with a port: write it like 127.0.0.1:8080 or [::1]:8080",
            ]
        );
    }

    #[test]
    fn a_wrong_value_in_the_file_is_refused_also_where_it_is_outweighed() {
        let flag = given(&[("listen", Origin::CommandLine("listen".into()), "127.0.0.1:1")]);
        assert!(load(&flag, "listen = 'everywhere'").is_err());
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for (file, key) in [
            ("tls_cert = 'c'", "tls_cert"),
            ("tls_key = 'k'", "tls_key"),
            ("tls_cert = 'c'\ntls_key = 'k'\ntls_self_signed = true", "tls_self_signed"),
            ("lease_ms = 1499", "lease_ms"),
            ("lease_renewal_ms = 1000", "lease_renewal_ms"),
            ("on_stale = 'serve'", "on_stale"),
            ("on_stale = 'serve'\non_stale_max_age_ms = 2000", "on_stale_max_age_ms"),
            ("on_stale = 'serve'\non_stale_max_age_ms = 3600001", "on_stale_max_age_ms"),
            ("on_stale = 'serve'\non_stale_max_age_ms = 0", "on_stale_max_age_ms"),
            ("on_stale_max_age_ms = 60000", "on_stale_max_age_ms"),
            ("on_stale = 'hope'", "on_stale"),
        ] {
            let problems = load(&Given::default(), file).unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems.iter().all(|problem| problem.contains(&format!(", {key}: "))), "{problems:?}");
        }
        assert!(load(&Given::default(), "tls_cert = 'c'\ntls_key = 'k'").is_ok());
        assert!(load(&Given::default(), "lease_ms = 1500").is_ok());
        assert!(load(&Given::default(), "on_stale = 'serve'\non_stale_max_age_ms = 2001").is_ok());
    }

    #[test]
    fn the_command_line_and_the_environment_are_usage_and_the_file_is_not() {
        let usage = |given: &Given, file: &str| {
            Configuration::from_text(given, Some((Path::new("f"), file))).unwrap_err().is_usage()
        };
        assert!(!usage(&Given::default(), "listen = ''"));
        assert!(usage(&given(&[("listen", Origin::CommandLine("listen".into()), "")]), ""));
        assert!(usage(&given(&[("listen", Origin::Environment("OBOL_LISTEN".into()), "x")]), ""));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Configuration::load(&Given::default(), Some(Path::new("no/such/obol.toml"))).unwrap_err();
        let text = error.problems.iter().map(ToString::to_string).collect::<String>();
        assert!(text.starts_with("no/such/obol.toml: the file cannot be read: "), "{text}");
    }
}
