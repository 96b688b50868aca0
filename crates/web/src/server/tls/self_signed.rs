//! A self-signed certificate that stays the same over restarts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use obol_token::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{ServerName, UnixTime};

use super::pem::{self, TlsError};

const CERT_FILE: &str = "tls-self-signed.crt";
const KEY_FILE: &str = "tls-self-signed.key";
const DAY_SECS: i64 = 24 * 60 * 60;
const LIFETIME_SECS: i64 = 3650 * DAY_SECS;
const RENEW_BEFORE_SECS: i64 = 30 * DAY_SECS;

/// The certificate and key file of `folder`, usable for `listen`; made anew if they are not.
pub(super) fn ensure(
    folder: &Path,
    listen: IpAddr,
    now: Timestamp,
    provider: &CryptoProvider,
) -> Result<(PathBuf, PathBuf), TlsError> {
    let (cert, key) = (folder.join(CERT_FILE), folder.join(KEY_FILE));
    let names = names(listen);
    if is_usable(&cert, &key, &names, now, provider) {
        return Ok((cert, key));
    }
    if cert.exists() {
        tracing::warn!(
            file = %cert.display(),
            "a new self-signed certificate is made: the old one is damaged, ends soon or does not name the address"
        );
    }
    let (cert_pem, key_pem) = make(&names, now)?;
    // Key first: a crash in between leaves a pair that does not match, which the next start replaces.
    write(folder, &key, key_pem.as_bytes(), 0o600)?;
    write(folder, &cert, cert_pem.as_bytes(), 0o644)?;
    Ok((cert, key))
}

/// The addresses beside `localhost`.
fn names(listen: IpAddr) -> Vec<IpAddr> {
    let mut names = vec![IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    let listen = listen.to_canonical();
    if !listen.is_unspecified() && !names.contains(&listen) {
        names.push(listen);
    }
    names
}

fn is_usable(cert: &Path, key: &Path, names: &[IpAddr], now: Timestamp, provider: &CryptoProvider) -> bool {
    let Ok(certified) = pem::load(cert, key, provider) else { return false };
    let Ok(end_entity) = certified.end_entity_cert() else { return false };
    let Ok(parsed) = ParsedCertificate::try_from(end_entity) else { return false };
    let mut roots = RootCertStore::empty();
    if roots.add(end_entity.clone().into_owned()).is_err() {
        return false;
    }
    let soon = u64::try_from(now.plus_secs(RENEW_BEFORE_SECS).as_secs()).unwrap_or(0);
    let soon = UnixTime::since_unix_epoch(Duration::from_secs(soon));
    let algorithms = provider.signature_verification_algorithms.all;
    names.iter().all(|&name| verify_server_name(&parsed, &ServerName::from(name)).is_ok())
        && verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], soon, algorithms).is_ok()
}

/// The PEM text of a new certificate and its key.
fn make(names: &[IpAddr], now: Timestamp) -> Result<(String, String), TlsError> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.subject_alt_names.extend(names.iter().map(|&name| SanType::IpAddress(name)));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "obol self-signed");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // A day back, for clients whose clock is behind.
    let since_epoch = |secs: i64| Duration::from_secs(u64::try_from(secs).unwrap_or(0));
    params.not_before = date_time_ymd(1970, 1, 1) + since_epoch(now.plus_secs(-DAY_SECS).as_secs());
    params.not_after = date_time_ymd(1970, 1, 1) + since_epoch(now.plus_secs(LIFETIME_SECS).as_secs());
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Puts a whole file in place, durably, or leaves the old one.
fn write(folder: &Path, path: &Path, contents: &[u8], mode: u32) -> Result<(), TlsError> {
    write_in_place(folder, path, contents, mode)
        .map_err(|source| TlsError::Unwritable { path: path.into(), source })
}

fn write_in_place(folder: &Path, path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}
