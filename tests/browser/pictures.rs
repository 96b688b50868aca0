//! Pictures of pages in `target/screenshots`, and a page that shows them side by side.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use obol_testkit::Chromium;
use serde_json::json;

/// Languages of the pages.
pub(crate) const LANGUAGES: [&str; 2] = ["en", "de"];
/// What people may have set.
pub(crate) const SCHEMES: [&str; 2] = ["light", "dark"];
/// A desktop, and the narrowest screen that pages are for (WCAG 2.2, 1.4.10), in CSS pixels.
pub(crate) const WIDTHS: [u32; 2] = [1280, 320];

const HEIGHT: u32 = 800;

/// Shows the page as on a screen of this width, in this colour scheme.
#[track_caller]
pub(crate) fn show(browser: &Chromium, width: u32, scheme: &str) {
    let metrics = json!({ "width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
    browser.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
}

/// Takes a picture.
#[track_caller]
pub(crate) fn take(browser: &Chromium, page: &str, language: &str, width: u32, scheme: &str) {
    let path = folder().join(name(page, language, width, scheme));
    fs::write(path, browser.picture()).expect("the target folder can be written");
}

/// Writes the page that shows all pictures of these pages, and says where it is.
pub(crate) fn write_index(pages: &[&str]) {
    let mut html = "<!doctype html><meta charset=utf-8><title>Pages of obol</title><style>body{font:1rem \
        sans-serif;margin:2rem}div{display:flex;gap:1rem;align-items:start;overflow-x:auto}img{border:1px solid \
        #999;height:32rem;width:auto}</style><h1>Pages of obol</h1>"
        .to_owned();
    for page in pages {
        for language in LANGUAGES {
            let _ = write!(html, "<h2>{page}, {language}</h2><div>");
            for (width, scheme) in WIDTHS.iter().flat_map(|width| SCHEMES.map(|scheme| (*width, scheme))) {
                let name = name(page, language, width, scheme);
                let _ = write!(
                    html,
                    "<a href={name}><img src={name} alt='{width} px, {scheme}' loading=lazy></a>"
                );
            }
            html.push_str("</div>");
        }
    }
    let index = folder().join("index.html");
    fs::write(&index, html).expect("the target folder can be written");
    println!("pictures of every page: {}", index.display());
}

fn name(page: &str, language: &str, width: u32, scheme: &str) -> String {
    format!("{page}-{language}-{width}-{scheme}.png")
}

fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target folder");
    let folder = target.join("screenshots");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}
