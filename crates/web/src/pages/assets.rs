//! Style, script and picture, under paths that change with their content, so that browsers may keep them for good.

use std::path::Path;

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, StatusCode};

use super::look::LookError;
use super::paths::Page;
use crate::server::{Answer, UsualFields};

/// One file.
#[derive(Debug)]
struct Asset {
    name: &'static str,
    usual: UsualFields,
    version: String,
    content: Vec<u8>,
}

/// All files.
#[derive(Debug)]
pub(super) struct Assets([Asset; 3]);

/// The style.
pub(super) const STYLE: &str = "style.css";
/// The script that brings an answer to an application.
pub(super) const SCRIPT: &str = "form_post.js";
/// The picture beside the name.
pub(super) const LOGO: &str = "logo.svg";

impl Assets {
    /// Ours; an operator's folder may hold another style and another picture.
    ///
    /// # Errors
    /// [`LookError`] when a file cannot be read.
    pub(super) fn load(folder: Option<&Path>) -> Result<Self, LookError> {
        let of_operator =
            |name: &'static str, ours: &'static [u8]| match folder.map(|folder| folder.join(name)) {
                Some(path) if path.exists() => std::fs::read(&path).map_err(|error| LookError {
                    file: path,
                    line: None,
                    text: error.to_string(),
                }),
                _ => Ok(ours.to_vec()),
            };
        Ok(Self([
            Asset::new(STYLE, CSS, of_operator(STYLE, include_bytes!("assets/style.css"))?),
            Asset::new(SCRIPT, JAVASCRIPT, include_bytes!("assets/form_post.js").to_vec()),
            Asset::new(LOGO, SVG, of_operator(LOGO, include_bytes!("assets/logo.svg"))?),
        ]))
    }

    /// The path of a file, without the issuer's.
    pub(super) fn path(&self, name: &str) -> String {
        let version = self.0.iter().find(|asset| asset.name == name).map_or("", |asset| &asset.version);
        format!("{}{version}/{name}", Page::ASSETS)
    }

    /// The file at a path; `None` if there is none. The path of another version, of another node that is newer or older, gets
    /// the file as it is here, not to be kept.
    pub(super) fn answer(&self, path: &str) -> Option<Answer> {
        let (version, name) = path.strip_prefix(Page::ASSETS)?.split_once('/')?;
        let asset = self.0.iter().find(|asset| asset.name == name)?;
        let kept = if version == asset.version { "public, max-age=31536000, immutable" } else { "no-cache" };
        let answer = Answer::new(StatusCode::OK, asset.usual, asset.content.clone());
        let nothing = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
        Some(
            answer.with(CACHE_CONTROL, HeaderValue::from_static(kept)).with(CONTENT_SECURITY_POLICY, nothing),
        )
    }
}

impl Asset {
    fn new(name: &'static str, usual: UsualFields, content: Vec<u8>) -> Self {
        let version = format!("{:08x}", crc32fast::hash(&content));
        Self { name, usual, version, content }
    }
}

macro_rules! of_type {
    ($media_type:literal) => {
        UsualFields::written(concat!(
            "\r\nx-content-type-options: nosniff\r\ncross-origin-resource-policy: same-origin\r\ncontent-type: ",
            $media_type
        ))
    };
}

const CSS: UsualFields = of_type!("text/css; charset=utf-8");
const JAVASCRIPT: UsualFields = of_type!("text/javascript; charset=utf-8");
const SVG: UsualFields = of_type!("image/svg+xml");

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(assets: &Assets, path: &str) -> Option<String> {
        let response = http::Response::from(assets.answer(path)?);
        Some(response.headers()[CACHE_CONTROL].to_str().unwrap().to_owned())
    }

    #[test]
    fn a_file_is_kept_under_the_path_of_its_content_only() {
        let assets = Assets::load(None).unwrap();
        for name in [STYLE, SCRIPT, LOGO] {
            assert_eq!(kept(&assets, &assets.path(name)).unwrap(), "public, max-age=31536000, immutable");
            assert_eq!(kept(&assets, &format!("/pages/00000000/{name}")).unwrap(), "no-cache");
        }
        for path in ["/pages/", "/pages/x", "/pages/x/y", "/pages/x/../style.css", "/pages/x/"] {
            assert_eq!(kept(&assets, path), None, "{path}");
        }
    }

    #[test]
    fn an_operators_style_takes_the_place_of_ours_under_another_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(STYLE), "body { color: red }").unwrap();
        let (ours, theirs) = (Assets::load(None).unwrap(), Assets::load(Some(folder.path())).unwrap());
        assert_ne!(ours.path(STYLE), theirs.path(STYLE));
        assert_eq!(ours.path(LOGO), theirs.path(LOGO));
    }
}
