//! The master key: wraps what the store keeps of keys, so that a stolen database opens and forges nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obol_token::{KeyId, KeyKind, Position, SessionId, SubjectId};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::{Zeroize, Zeroizing};

use crate::sealing::{FreshKey, SEAL_OVERHEAD_BYTES, SealKey, SealingKey};
use crate::signing::{self, SigningKey};
use crate::{PlainSecret, random_bytes};

/// The installation's master key. Does not print.
pub struct MasterKey {
    wraps: SealKey,
    pairwise: hmac::Key,
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or made.
    #[error("cannot {doing} the master key {}: {cause}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others than its owner may read the file; of a file of root's, others than its group.
    #[error("the master key {} can be read by others; run `chmod 600` on it", .0.display())]
    Exposed(PathBuf),
    /// The file does not hold a master key.
    #[error("{} does not hold a master key; put back the file that belongs to this database", .0.display())]
    Malformed(PathBuf),
}

/// A stored key cannot be unwrapped with this master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key {0} was wrapped with another master key; put back the file that belongs to this database, or name \
     it with --master-key-file"
)]
pub struct WrongMasterKey(pub KeyId);

/// A signing key, wrapped for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedSigningKey {
    /// Which.
    pub id: KeyId,
    /// With which algorithms it signs.
    pub kind: KeyKind,
    /// The wrapped bytes.
    pub wrapped: Vec<u8>,
}

/// Why a text holds no signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Not PEM, or without a private key in PKCS#8.
    #[error("it holds no unencrypted private key in PKCS#8 (\"-----BEGIN PRIVATE KEY-----\")")]
    NotPkcs8,
    /// Another algorithm or size.
    #[error("it signs with none of ES256 (EC, P-256), RS256 (RSA, 2048 to 8192 bits), EdDSA (Ed25519)")]
    Unsuitable,
    /// The cryptographic library refuses.
    #[error("the cryptographic library did not wrap it")]
    Library,
}

const FILE_PREFIX: &str = "obol-master-key-1 ";

impl MasterKey {
    /// Reads the key from `path`.
    ///
    /// # Errors
    /// [`MasterKeyError`]
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let failed = |cause| MasterKeyError::File { doing: "read", path: path.to_owned(), cause };
        let file = fs::metadata(path).map_err(failed)?;
        if is_exposed(file.mode(), file.uid()) {
            return Err(MasterKeyError::Exposed(path.to_owned()));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
        Self::parse(text).ok_or_else(|| MasterKeyError::Malformed(path.to_owned()))
    }

    /// The key in this text, which is that of a file; `None` if it is not.
    pub fn parse(text: Zeroizing<String>) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        let encoded = text.strip_prefix(FILE_PREFIX)?.trim_end();
        let read = URL_SAFE_NO_PAD.decode_slice(encoded, bytes.as_mut_slice()).ok()?;
        if read != bytes.len() {
            return None;
        }
        let derived = hmac::sign(&hmac::Key::new(HMAC_SHA256, bytes.as_slice()), b"obol pairwise subjects");
        Some(Self {
            wraps: SealKey::from_bytes(&bytes)?,
            pairwise: hmac::Key::new(HMAC_SHA256, derived.as_ref()),
        })
    }

    /// By what the clients of a sector know a person, and nobody else (OpenID Connect Core §8.1). The same for as long as the
    /// installation keeps its master key.
    pub fn pairwise_subject(&self, sector: &str, subject: SubjectId) -> String {
        self.pairwise_id(sector, &[], subject.as_bytes())
    }

    /// By what the clients of a sector know a session (`sid`), so that it cannot be told from theirs that another sector's is the
    /// same.
    pub fn pairwise_session(&self, sector: &str, session: SessionId) -> String {
        self.pairwise_id(sector, b"session\0", session.as_bytes())
    }

    fn pairwise_id(&self, sector: &str, of: &[u8], id: &[u8; 16]) -> String {
        let mut context = hmac::Context::with_key(&self.pairwise);
        context.update(sector.as_bytes());
        // No host has a zero byte.
        context.update(&[0]);
        context.update(of);
        context.update(id);
        URL_SAFE_NO_PAD.encode(context.sign())
    }

    /// Reads the key from `path`, or makes a new one there, readable by its owner alone and on stable storage.
    ///
    /// # Errors
    /// [`MasterKeyError`]
    pub fn load_or_create(path: &Path) -> Result<Self, MasterKeyError> {
        if !path.exists() {
            create_file(path).map_err(|cause| MasterKeyError::File {
                doing: "create",
                path: path.to_owned(),
                cause,
            })?;
        }
        Self::load(path)
    }

    /// The secret of a client that signs with it, wrapped for the store; `None` if the library refuses.
    pub fn wrap_client_secret(&self, client_id: &str, secret: &PlainSecret) -> Option<Vec<u8>> {
        self.wrap(&secret_wrapping(client_id), secret.reveal().as_bytes())
    }

    /// What [`Self::wrap_client_secret`] has wrapped of this client.
    pub fn unwrap_client_secret(&self, client_id: &str, wrapped: &[u8]) -> Option<PlainSecret> {
        self.unwrap(&secret_wrapping(client_id), wrapped, |bytes| {
            PlainSecret::chosen(String::from_utf8(bytes.to_vec()).ok()?).ok()
        })
    }

    /// A new sealing key, wrapped for the store: its id and the wrapped bytes.
    pub fn new_sealing_key(&self) -> Option<(KeyId, Vec<u8>)> {
        let fresh = FreshKey::generate();
        Some((fresh.id, self.wrap(&wrapping(fresh.id), &fresh.bytes)?))
    }

    /// A new signing key of this kind; `None` if the library makes none, or the kind does not sign.
    pub fn new_signing_key(&self, kind: KeyKind) -> Option<WrappedSigningKey> {
        self.wrap_signing_key(kind, &signing::generate(kind)?)
    }

    /// The signing key in this PEM text, which is of PKCS#8 (RFC 5958, RFC 7468 §10).
    ///
    /// # Errors
    /// [`ImportError`]
    pub fn import_signing_key(&self, pem: &[u8]) -> Result<WrappedSigningKey, ImportError> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| ImportError::NotPkcs8)?;
        let pkcs8 = Zeroizing::new(key.secret_pkcs8_der().to_vec());
        let fits = |kind: &KeyKind| SigningKey::from_pkcs8(*kind, &pkcs8, None).is_some();
        let kind = KeyKind::SIGNING.into_iter().find(fits).ok_or(ImportError::Unsuitable)?;
        self.wrap_signing_key(kind, &pkcs8).ok_or(ImportError::Library)
    }

    fn wrap_signing_key(&self, kind: KeyKind, pkcs8: &[u8]) -> Option<WrappedSigningKey> {
        let id = SigningKey::from_pkcs8(kind, pkcs8, None)?.id();
        Some(WrappedSigningKey { id, kind, wrapped: self.wrap(&signing_wrapping(kind, id), pkcs8)? })
    }

    fn wrap(&self, associated: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        let nonce = random_bytes();
        let mut wrapped = Vec::with_capacity(bytes.len() + SEAL_OVERHEAD_BYTES);
        wrapped.extend_from_slice(bytes);
        self.wraps.seal(nonce, associated, &mut wrapped).ok()?;
        wrapped.extend_from_slice(&nonce);
        Some(wrapped)
    }

    /// Unwraps a sealing key from the store, which seals from this position on, if it does.
    ///
    /// # Errors
    /// [`WrongMasterKey`] when it was wrapped with another master key, under another id, or was changed.
    pub fn unwrap_key(
        &self,
        id: KeyId,
        wrapped: &[u8],
        sealing_from: Option<Position>,
    ) -> Result<SealingKey, WrongMasterKey> {
        self.unwrap(&wrapping(id), wrapped, |bytes| {
            SealingKey::from_bytes(id, <&[u8; 32]>::try_from(bytes).ok()?, sealing_from)
        })
        .ok_or(WrongMasterKey(id))
    }

    /// Unwraps a signing key from the store, which signs from this position on, if it does.
    ///
    /// # Errors
    /// [`WrongMasterKey`] when it was wrapped with another master key, under another id or as another kind, or was changed.
    pub fn unwrap_signing_key(
        &self,
        key: &WrappedSigningKey,
        signing_from: Option<Position>,
    ) -> Result<SigningKey, WrongMasterKey> {
        let WrappedSigningKey { id, kind, wrapped } = key;
        self.unwrap(&signing_wrapping(*kind, *id), wrapped, |bytes| {
            SigningKey::from_pkcs8(*kind, bytes, signing_from).filter(|key| key.id() == *id)
        })
        .ok_or(WrongMasterKey(*id))
    }

    fn unwrap<T>(
        &self,
        associated: &[u8],
        wrapped: &[u8],
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let mut sealed = Zeroizing::new(wrapped.to_vec());
        let (body, nonce) = sealed.split_last_chunk_mut::<12>()?;
        read(self.wraps.open(*nonce, associated, body)?)
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

fn wrapping(id: KeyId) -> Vec<u8> {
    [b"obol sealing key ".as_slice(), id.as_bytes()].concat()
}

fn signing_wrapping(kind: KeyKind, id: KeyId) -> Vec<u8> {
    [b"obol signing key ".as_slice(), &kind.number().to_be_bytes(), id.as_bytes()].concat()
}

fn secret_wrapping(client_id: &str) -> Vec<u8> {
    [b"obol client secret ".as_slice(), client_id.as_bytes()].concat()
}

/// Writes beside the place and links into it: a start that is cut off leaves no half file, and of two starts at once
/// one wins and both read the same key.
fn create_file(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut suffix = String::new();
    URL_SAFE_NO_PAD.encode_string(random_bytes::<6>(), &mut suffix);
    let draft = folder.join(format!(".master.key.{suffix}"));
    let mut text = FILE_PREFIX.to_owned();
    URL_SAFE_NO_PAD.encode_string(random_bytes::<32>(), &mut text);
    text.push('\n');
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    text.zeroize();
    fs::remove_file(&draft).ok();
    written?;
    fs::File::open(folder)?.sync_all()
}

/// Root may hand its file to the server's group to read: systemd's credentials and Kubernetes' secrets come that way.
fn is_exposed(mode: u32, owner: u32) -> bool {
    let others = if owner == 0 { 0o037 } else { 0o077 };
    mode & others != 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use obol_token::Seal;

    fn new_key(folder: &tempfile::TempDir, name: &str) -> MasterKey {
        MasterKey::load_or_create(&folder.path().join(name)).unwrap()
    }

    #[test]
    fn a_wrapped_key_unwraps_with_the_same_master_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let master = new_key(&folder, "a");
        let (id, wrapped) = master.new_sealing_key().unwrap();
        let from = Some(Position::START);
        assert_eq!(master.unwrap_key(id, &wrapped, from).unwrap().key_id(), id);
        assert_eq!(new_key(&folder, "a").unwrap_key(id, &wrapped, from).unwrap().key_id(), id, "read again");

        assert_eq!(new_key(&folder, "b").unwrap_key(id, &wrapped, from).unwrap_err(), WrongMasterKey(id));
        let other = KeyId::from_bytes([0; 4]);
        assert_eq!(master.unwrap_key(other, &wrapped, from).unwrap_err(), WrongMasterKey(other));
        assert_eq!(master.unwrap_key(id, &wrapped[1..], from).unwrap_err(), WrongMasterKey(id));
        assert_eq!(master.unwrap_key(id, &[], from).unwrap_err(), WrongMasterKey(id));
    }

    #[test]
    fn a_file_of_roots_may_be_read_by_its_group_and_any_other_by_its_owner_only() {
        for (mode, of_root, of_another) in [
            (0o100_400, false, false),
            (0o100_600, false, false),
            (0o100_440, false, true),
            (0o100_640, false, true),
            (0o100_660, true, true),
            (0o100_610, true, true),
            (0o100_604, true, true),
            (0o100_644, true, true),
        ] {
            assert_eq!(is_exposed(mode, 0), of_root, "{mode:o}");
            assert_eq!(is_exposed(mode, 1000), of_another, "{mode:o}");
        }
    }

    #[test]
    fn a_wrapped_signing_key_unwraps_as_what_it_is_and_as_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (master, other) = (new_key(&folder, "a"), new_key(&folder, "b"));
        for kind in KeyKind::SIGNING {
            let key = master.new_signing_key(kind).unwrap();
            let unwrapped = master.unwrap_signing_key(&key, None).unwrap();
            assert_eq!((unwrapped.id(), unwrapped.kind()), (key.id, kind));
            let refused = |key: &WrappedSigningKey, master: &MasterKey| {
                assert_eq!(master.unwrap_signing_key(key, None).unwrap_err(), WrongMasterKey(key.id));
            };
            refused(&key, &other);
            for as_other in KeyKind::ALL.into_iter().filter(|other| *other != kind) {
                refused(&WrappedSigningKey { kind: as_other, ..key.clone() }, &master);
            }
            refused(&WrappedSigningKey { id: KeyId::from_bytes([0; 4]), ..key.clone() }, &master);
            refused(&WrappedSigningKey { wrapped: key.wrapped[1..].to_vec(), ..key.clone() }, &master);
            refused(&WrappedSigningKey { wrapped: Vec::new(), ..key.clone() }, &master);
            assert!(master.unwrap_key(key.id, &key.wrapped, None).is_err(), "it does not seal");
        }
        assert_eq!(master.new_signing_key(KeyKind::Sealing), None);
        let (id, wrapped) = master.new_sealing_key().unwrap();
        let sealing = WrappedSigningKey { id, kind: KeyKind::EcP256, wrapped };
        assert!(master.unwrap_signing_key(&sealing, None).is_err(), "it does not sign");
    }

    #[test]
    fn a_wrapped_client_secret_unwraps_for_its_client_only() {
        let folder = tempfile::tempdir().unwrap();
        let (master, other) = (new_key(&folder, "a"), new_key(&folder, "b"));
        let secret = PlainSecret::generate();
        let wrapped = master.wrap_client_secret("gateway", &secret).unwrap();
        assert!(!wrapped.windows(8).any(|window| secret.reveal().as_bytes().starts_with(window)));
        let unwrapped = master.unwrap_client_secret("gateway", &wrapped).unwrap();
        assert_eq!(unwrapped.reveal(), secret.reveal());
        assert!(master.unwrap_client_secret("fcare", &wrapped).is_none());
        assert!(other.unwrap_client_secret("gateway", &wrapped).is_none());
        assert!(master.unwrap_client_secret("gateway", &wrapped[1..]).is_none());
        assert!(master.unwrap_client_secret("gateway", &[]).is_none());
    }

    #[test]
    fn a_pem_file_is_imported_as_the_key_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let master = new_key(&folder, "a");
        let pem = |label: &str, bytes: &[u8]| {
            let body = base64::engine::general_purpose::STANDARD.encode(bytes);
            format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
        };
        for kind in KeyKind::SIGNING {
            let pkcs8 = signing::generate(kind).unwrap();
            let imported = master.import_signing_key(pem("PRIVATE KEY", &pkcs8).as_bytes()).unwrap();
            let expected = SigningKey::from_pkcs8(kind, &pkcs8, None).unwrap();
            let read = master.unwrap_signing_key(&imported, None).unwrap();
            assert_eq!((imported.kind, read.kid()), (kind, expected.kid()));
            let labelled = pem("PUBLIC KEY", &pkcs8);
            assert_eq!(master.import_signing_key(labelled.as_bytes()), Err(ImportError::NotPkcs8));
            let cut = pem("PRIVATE KEY", &pkcs8[..pkcs8.len() / 2]);
            assert_eq!(master.import_signing_key(cut.as_bytes()), Err(ImportError::Unsuitable));
        }
        assert_eq!(master.import_signing_key(b"no key"), Err(ImportError::NotPkcs8));
    }

    #[test]
    fn the_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(MasterKey::load(&path), Err(MasterKeyError::Exposed(_))));
    }

    #[test]
    fn a_file_with_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        for text in ["", "obol-master-key-1 ", "obol-master-key-1 AAAA", "something else"] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(MasterKey::load_or_create(&path), Err(MasterKeyError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn oidc_core_8_1_pairwise_subjects_differ_by_sector_person_and_installation() {
        let key = |digit: &str| {
            MasterKey::parse(Zeroizing::new(format!("{FILE_PREFIX}{}", digit.repeat(43)))).unwrap()
        };
        let (one, other) = (SubjectId::from_bytes([1; 16]), SubjectId::from_bytes([2; 16]));
        let subject = key("A").pairwise_subject("a.example", one);
        assert_eq!(subject, key("A").pairwise_subject("a.example", one));
        for differs in [
            key("A").pairwise_subject("a.example", other),
            key("A").pairwise_subject("b.example", one),
            key("I").pairwise_subject("a.example", one),
        ] {
            assert_ne!(subject, differs);
        }
    }
}
