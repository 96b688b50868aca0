//! Options given on the command line and in the environment, through clap.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use zeroize::Zeroizing;

use super::list::{Reach, SETTINGS, Setting, Shape};
use super::problem::Origin;

/// Heads the options that every command takes, in the help.
pub(crate) const EVERYWHERE: &str = "Options of every command";

/// A value as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenValue {
    /// The option's name in the list.
    pub(crate) key: &'static str,
    /// Where.
    pub(crate) origin: Origin,
    /// Its texts: one, except for a list.
    pub(crate) texts: Vec<String>,
}

/// What was given on the command line and in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given(pub(crate) Vec<GivenValue>);

/// The environment variable that may hold the master key itself, for nodes that get their secrets that way. No option: a
/// secret on a command line is seen by all.
pub(crate) const MASTER_KEY_VARIABLE: &str = "OBOL_MASTER_KEY";

/// The text of the master key, if the environment holds it.
#[allow(clippy::disallowed_methods, reason = "the one variable that is not an option")]
pub(crate) fn master_key_text() -> Option<Zeroizing<String>> {
    let text = std::env::var(MASTER_KEY_VARIABLE).ok().map(Zeroizing::new);
    text.filter(|text| !text.is_empty())
}

impl Given {
    /// All that the environment gives, also for options that the command at hand does not take.
    ///
    /// # Errors
    /// When a variable is not text.
    pub(crate) fn from_environment() -> Result<Self, clap::Error> {
        let command = Command::new("obol").no_binary_name(true).args(SETTINGS.iter().map(argument));
        let matches = command.try_get_matches_from(std::iter::empty::<&str>())?;
        Ok(Self::from_matches(&matches))
    }

    /// This, and of `other` what is not in this.
    pub(crate) fn or(mut self, other: Self) -> Self {
        for value in other.0 {
            if self.find(value.key).is_none() {
                self.0.push(value);
            }
        }
        self
    }

    /// What was given for an option.
    pub(crate) fn find(&self, key: &str) -> Option<&GivenValue> {
        self.0.iter().find(|value| value.key == key)
    }

    fn from_matches(matches: &ArgMatches) -> Self {
        Self(SETTINGS.iter().filter_map(|setting| given_value(setting, matches)).collect())
    }
}

/// The options that every command takes.
#[derive(Debug, Clone, Default)]
pub(crate) struct OptionsEverywhere(pub(crate) Given);

/// The options that the server takes beside those.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerOptions(pub(crate) Given);

macro_rules! clap_arguments {
    ($name:ident, $reach:expr) => {
        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                let settings = SETTINGS.iter().filter(|setting| setting.reach == $reach);
                command.args(settings.map(argument))
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(Given::from_matches(matches)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                Self::from_arg_matches(matches).map(|new| *self = new)
            }
        }
    };
}

clap_arguments!(OptionsEverywhere, Reach::Everywhere);
clap_arguments!(ServerOptions, Reach::Server);

fn argument(setting: &Setting) -> Arg {
    let argument = Arg::new(setting.key)
        .long(setting.flag())
        .value_name(setting.value_name)
        .env(setting.variable())
        .hide_env_values(true)
        .global(setting.reach == Reach::Everywhere)
        .help_heading((setting.reach == Reach::Everywhere).then_some(EVERYWHERE))
        .help(help(setting));
    match setting.shape {
        Shape::Text | Shape::Number => argument.action(ArgAction::Set),
        Shape::List => argument.action(ArgAction::Append).value_delimiter(','),
        Shape::Flag => {
            argument.action(ArgAction::Set).num_args(0..=1).require_equals(true).default_missing_value("true")
        }
    }
}

fn help(setting: &Setting) -> String {
    let default = match setting.default_value() {
        Some(value) => format!(" [default: {}]", value.as_str().map_or(value.to_string(), ToOwned::to_owned)),
        None => String::new(),
    };
    format!("{}{default}", setting.about)
}

/// An empty variable counts as none, so that `OBOL_ISSUER=` in a service file leaves the option out.
fn given_value(setting: &Setting, matches: &ArgMatches) -> Option<GivenValue> {
    // Not every command knows every option.
    let texts = matches.try_get_many::<String>(setting.key).ok()??;
    let texts: Vec<String> = texts.cloned().collect();
    let origin = match matches.value_source(setting.key)? {
        ValueSource::CommandLine => Origin::CommandLine(setting.flag()),
        ValueSource::EnvVariable if texts.iter().all(String::is_empty) => return None,
        ValueSource::EnvVariable => Origin::Environment(setting.variable()),
        _ => return None,
    };
    Some(GivenValue { key: setting.key, origin, texts })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Probe {
        #[command(flatten)]
        everywhere: OptionsEverywhere,
        #[command(subcommand)]
        command: ProbeCommand,
    }

    #[derive(Debug, clap::Subcommand)]
    enum ProbeCommand {
        Serve {
            #[command(flatten)]
            options: ServerOptions,
        },
    }

    fn texts(given: &Given, key: &str) -> Vec<String> {
        given.find(key).map(|value| value.texts.clone()).unwrap_or_default()
    }

    #[test]
    fn options_are_read_before_and_after_the_command() {
        for line in [["obol", "--data", "x", "serve"], ["obol", "serve", "--data", "x"]] {
            let probe = Probe::try_parse_from(line).unwrap();
            assert_eq!(texts(&probe.everywhere.0, "data"), ["x"]);
        }
    }

    #[test]
    fn a_flag_needs_no_value_and_takes_none_without_an_equals_sign() {
        let serve = |flag: &str| {
            let probe = Probe::try_parse_from(["obol", "serve", flag]).unwrap();
            let ProbeCommand::Serve { options } = probe.command;
            texts(&options.0, "tls_self_signed")
        };
        assert_eq!(serve("--tls-self-signed"), ["true"]);
        assert_eq!(serve("--tls-self-signed=false"), ["false"]);
        assert!(Probe::try_parse_from(["obol", "serve", "--tls-self-signed", "false"]).is_err());
    }

    #[test]
    fn a_list_is_named_several_times_or_with_commas() {
        let line = ["obol", "serve", "--behind-proxy", "10.0.0.0/8,192.0.2.7", "--behind-proxy", "fd00::/8"];
        let ProbeCommand::Serve { options } = Probe::try_parse_from(line).unwrap().command;
        assert_eq!(texts(&options.0, "behind_proxy"), ["10.0.0.0/8", "192.0.2.7", "fd00::/8"]);
    }

    #[test]
    fn what_was_given_first_counts() {
        let value = |text: &str| GivenValue {
            key: "data",
            origin: Origin::CommandLine("data".to_owned()),
            texts: vec![text.to_owned()],
        };
        let merged = Given(vec![value("a")]).or(Given(vec![value("b")]));
        assert_eq!(merged, Given(vec![value("a")]));
    }
}
