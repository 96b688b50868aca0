//! What the command line says of a client's own pages for people.

use obol_store::ClientSettings;

/// Its pages for people.
#[derive(Debug, Default, Clone, clap::Args)]
pub(super) struct LinksArgs {
    /// https address of its privacy policy (`policy_uri`), to which the pages of signing in and of consent link. Empty: no
    /// link.
    #[arg(long, value_name = "URL")]
    policy_uri: Option<String>,
    /// https address of its terms of use (`tos_uri`), likewise.
    #[arg(long, value_name = "URL")]
    tos_uri: Option<String>,
}

impl LinksArgs {
    /// Puts into the settings what was given.
    pub(super) fn apply(self, settings: &mut ClientSettings) {
        let named = |uri: &String| !uri.is_empty();
        settings.policy_uri = self.policy_uri.or(settings.policy_uri.take()).filter(named);
        settings.tos_uri = self.tos_uri.or(settings.tos_uri.take()).filter(named);
    }
}
