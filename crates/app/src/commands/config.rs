//! `obol config check` and `obol config sample`.

use std::collections::BTreeMap;
use std::path::Path;

use obol_web::server::{TlsIdentity, decide_exposure};
use serde::Serialize;

use crate::config::{
    ConfigError, Configuration, Given, SETTINGS, ServerOptions, Setting, Settings, mistyped_variables, sample,
};
use crate::failure::{End, Failure};
use crate::installation::{outgoing_authorities, page_settings};
use crate::output::{Answer, Output, table};
use crate::printable::printable;

const CHECK_HELP: &str = "\
Examples:
  obol config check --config /etc/obol.toml
  obol config check --listen 0.0.0.0:8443 --tls-self-signed --json";

const SAMPLE_HELP: &str = "\
Example:
  obol config sample > obol.toml";

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check what `serve` would run with, and say for each option its value and where it was given.
    ///
    /// Reads the file, the environment and these options as `serve` does, and starts nothing.
    #[command(after_help = CHECK_HELP)]
    Check {
        /// What `serve` would be given.
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Print a file with every option, its meaning and its default.
    #[command(after_help = SAMPLE_HELP)]
    Sample,
}

/// Runs the command.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub(crate) fn run(
    command: ConfigCommand,
    everywhere: Given,
    file: Option<&Path>,
    output: Output,
) -> Result<End, Failure> {
    match command {
        ConfigCommand::Sample => output.show(&Sample { sample: sample() })?,
        ConfigCommand::Check { options } => {
            let given = everywhere.or(options.0).or(Given::from_environment()?);
            match Configuration::load(&given, file) {
                Ok(configuration) => {
                    check_openings(&configuration.settings)?;
                    page_settings(&configuration.settings).check().map_err(Failure::refused)?;
                    output.show(&Checked::new(&configuration))?;
                }
                Err(error) => {
                    if output.json {
                        output.show(&Wrong::new(&error))?;
                    }
                    return Err(error.into());
                }
            }
        }
    }
    Ok(End::Done)
}

/// What `serve` finds out at its start: clear text off this machine, and unusable certificates.
fn check_openings(settings: &Settings) -> Result<(), Failure> {
    let tls = settings.tls_self_signed || settings.tls_cert.is_some();
    decide_exposure(settings.listen, tls, &settings.behind_proxy).map_err(Failure::refused)?;
    if let (Some(cert), Some(key)) = (&settings.tls_cert, &settings.tls_key) {
        TlsIdentity::from_files(cert.clone(), key.clone()).map_err(Failure::refused)?;
    }
    outgoing_authorities(settings)?;
    Ok(())
}

#[derive(Serialize)]
struct Sample {
    sample: String,
}

impl Answer for Sample {
    fn text(&self) -> String {
        self.sample.trim_end().to_owned()
    }
}

/// A configuration that `serve` can run with.
#[derive(Serialize)]
struct Checked {
    settings: BTreeMap<&'static str, Effective>,
    valid: bool,
    warnings: Vec<String>,
}

/// A value, and where it was given.
#[derive(Serialize)]
struct Effective {
    from: String,
    value: Option<toml::Value>,
}

impl Checked {
    fn new(configuration: &Configuration) -> Self {
        let effective = |setting: &Setting| {
            let from = configuration.origin(setting.key).to_string();
            (setting.key, Effective { from, value: (setting.get)(&configuration.settings) })
        };
        let warning = |(name, meant): (String, String)| format!("{name} is no option; did you mean {meant}?");
        Self {
            settings: SETTINGS.iter().map(effective).collect(),
            valid: true,
            warnings: mistyped_variables().into_iter().map(warning).collect(),
        }
    }
}

impl Answer for Checked {
    fn text(&self) -> String {
        let row = |key: &'static str| {
            let effective = self.settings.get(key)?;
            let value = effective.value.as_ref().map_or("-".to_owned(), ToString::to_string);
            Some(vec![key.to_owned(), value, effective.from.clone()])
        };
        let rows = SETTINGS.iter().filter_map(|setting| row(setting.key));
        let mut text = table(&["option", "value", "given by"], rows);
        for warning in &self.warnings {
            text.push_str("\nwarning: ");
            text.push_str(&printable(warning, 1_000));
        }
        text.push_str("\nThe configuration is right.");
        text
    }
}

/// A configuration that `serve` refuses.
#[derive(Serialize)]
struct Wrong {
    problems: Vec<String>,
    valid: bool,
}

impl Wrong {
    fn new(error: &ConfigError) -> Self {
        Self { problems: error.problems.iter().map(ToString::to_string).collect(), valid: false }
    }
}

impl Answer for Wrong {
    fn text(&self) -> String {
        self.problems.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(file: &str) -> Checked {
        let file = Some((Path::new("obol.toml"), file));
        Checked::new(&Configuration::from_text(&Given::default(), file).unwrap())
    }

    #[test]
    fn every_option_is_shown_with_its_value_and_its_place() {
        let checked = checked("refresh_grace = 3");
        let json = serde_json::to_value(&checked).unwrap();
        assert_eq!(json["valid"], true);
        assert_eq!(json["settings"].as_object().unwrap().len(), SETTINGS.len());
        assert_eq!(json["settings"]["refresh_grace"]["value"], 3);
        assert_eq!(json["settings"]["refresh_grace"]["from"], "obol.toml line 1, refresh_grace");
        assert_eq!(json["settings"]["listen"]["from"], "default");
        assert!(json["settings"]["issuer"]["value"].is_null());
        let text = checked.text();
        let row = |line: &str| line.split_whitespace().take(2).eq(["refresh_grace", "3"]);
        assert!(text.lines().any(row), "{text}");
        assert!(text.lines().count() > SETTINGS.len());
    }
}
