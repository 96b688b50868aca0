//! What `obol keys …` takes on its command line.

use std::path::PathBuf;

use clap::ValueEnum;
use obol_token::{Algorithm, KeyId, KeyKind};

use crate::commands::algorithm;

use crate::failure::Failure;

const LIST_HELP: &str = "\
A key waits until everyone can open what it will seal, or verify what it will sign, then seals or
signs, then opens or verifies until it is retired.

Example:
  obol keys list --json";

const ROTATE_HELP: &str = "\
Makes a key, waits until every server that answers can open with it, and only then lets it seal:
no token is refused because of it, and tokens of the key before stay good until that is retired.
Cut off in between, the new key waits, and the next `obol keys rotate` goes on with it. The master
key must be at hand (--master-key-file).

A signing key is published and signs later, when who keeps the published keys must have asked for
them again (jwks_max_age): a running server sees to it. Servers also rotate signing keys by
themselves (signing_key_rotation_days).

Examples:
  obol keys rotate
  obol keys rotate --kind signing
  obol keys rotate --kind signing --algorithm RS256
  obol keys rotate --kind signing --now";

const IMPORT_HELP: &str = "\
The file holds an unencrypted private key in PKCS#8 (PEM): EC on P-256 (ES256), RSA of 2048 to 8192
bits (RS256, PS256) or Ed25519 (EdDSA). It is published, and signs when a new key would.

Example:
  obol keys import signing-key.pem";

const RETIRE_HELP: &str = "\
Access tokens that the key has sealed or signed are refused everywhere when the command has
returned, and a signing key is published no more. Refresh tokens stay. `obol keys list` says until
when tokens of the key may live; before that moment the command asks.

Examples:
  obol keys retire 1f8b0c3d
  obol keys retire 1f8b0c3d --yes";

/// What to do with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeysCommand {
    /// List all keys, and what each does.
    #[command(after_help = LIST_HELP)]
    List,
    /// Put a new key in the place of the one that seals, or signs.
    #[command(after_help = ROTATE_HELP)]
    Rotate(RotateArgs),
    /// Take in a signing key that was made elsewhere.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// End a key that is not in use any more, and with it the tokens that it has sealed or signed.
    #[command(after_help = RETIRE_HELP)]
    Retire(RetireArgs),
}

/// Which key to replace.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateArgs {
    /// Whether the key is to seal or to sign.
    #[arg(long, value_name = "KIND", default_value = "sealing")]
    kind: Kind,
    /// With a signing key: how it signs. RS256 and PS256 have one key for both.
    #[arg(long, value_name = "ALGORITHM", value_parser = algorithm)]
    algorithm: Option<Algorithm>,
    /// With a signing key: let it sign at once. Who has kept the published keys refuses what it signs until they
    /// ask again.
    #[arg(long)]
    pub(super) now: bool,
}

impl RotateArgs {
    /// The kind of key that is meant.
    ///
    /// # Errors
    /// When options do not go together.
    pub(super) fn key_kind(&self) -> Result<KeyKind, Failure> {
        match (self.kind, self.algorithm) {
            (Kind::Sealing, None) if !self.now => Ok(KeyKind::Sealing),
            (Kind::Sealing, _) => {
                let sentence = "--algorithm and --now are for signing keys: add --kind signing";
                Err(Failure::Usage(sentence.to_owned()))
            }
            (Kind::Signing, algorithm) => Ok(algorithm.unwrap_or(Algorithm::Es256).key_kind()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Sealing,
    Signing,
}

/// Which key to take in.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The file that holds it.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
}

/// Which key to end.
#[derive(Debug, clap::Args)]
pub(crate) struct RetireArgs {
    /// The key's id: 8 hexadecimal digits, as `obol keys list` shows it.
    #[arg(value_name = "KEY-ID", value_parser = key_id)]
    pub(super) id: KeyId,
    /// Do it without asking, also while tokens of it live. Needed then where there is no terminal to ask on.
    #[arg(long)]
    pub(super) yes: bool,
}

fn key_id(text: &str) -> Result<KeyId, &'static str> {
    let is_id = text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16).ok().filter(|_| is_id);
    number.map(|number| KeyId::from_bytes(number.to_be_bytes())).ok_or("8 hexadecimal digits are expected")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signing_keys_take_an_algorithm() {
        let kind = |kind, algorithm, now| RotateArgs { kind, algorithm, now }.key_kind().ok();
        assert_eq!(kind(Kind::Sealing, None, false), Some(KeyKind::Sealing));
        assert_eq!(kind(Kind::Sealing, Some(Algorithm::Es256), false), None);
        assert_eq!(kind(Kind::Sealing, None, true), None);
        assert_eq!(kind(Kind::Signing, None, true), Some(KeyKind::EcP256));
        assert_eq!(kind(Kind::Signing, Some(Algorithm::Ps256), false), Some(KeyKind::Rsa));
        assert_eq!(algorithm("eddsa"), Ok(Algorithm::EdDsa));
        assert!(algorithm("HS256").is_err());
    }

    #[test]
    fn an_id_is_read_as_it_is_shown_and_nothing_else_is() {
        for text in ["00000000", "1f8b0c3d", "ffffffff"] {
            assert_eq!(key_id(text).unwrap().to_string(), text);
        }
        for text in ["", "1f8b0c3", "1f8b0c3d0", "+1f8b0c3", "1f8b0c3g", " 1f8b0c3"] {
            assert!(key_id(text).is_err(), "{text:?}");
        }
    }
}
