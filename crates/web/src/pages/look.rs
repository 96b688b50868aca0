//! How the pages look: templates, messages, style. An operator's folder may hold others in the place of single ones of ours;
//! everything is tried out at the start, so that no person meets a broken page.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, UndefinedBehavior, context};
use serde::Serialize;

use super::assets::{Assets, LOGO, SCRIPT, STYLE};
use super::messages::{Catalog, Messages};

/// Our templates.
const OURS: [(&str, &str); 9] = [
    ("base.html", include_str!("templates/base.html")),
    ("sign_in.html", include_str!("templates/sign_in.html")),
    ("consent.html", include_str!("templates/consent.html")),
    ("client_links.html", include_str!("templates/client_links.html")),
    ("continue.html", include_str!("templates/continue.html")),
    ("form_post.html", include_str!("templates/form_post.html")),
    ("error.html", include_str!("templates/error.html")),
    ("sessions.html", include_str!("templates/sessions.html")),
    ("sign_out.html", include_str!("templates/sign_out.html")),
];

/// What a template is told. It stands under `page` there.
pub(super) trait Shown: Serialize + Sized {
    /// The template.
    const TEMPLATE: &'static str;

    /// One of each kind that a template has to cope with, hostile texts included.
    fn samples() -> Vec<Self>;
}

/// Why the pages cannot be shown as the operator wants.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {text}", file.display(), line.map(|line| format!(" line {line}")).unwrap_or_default())]
pub struct LookError {
    pub(super) file: PathBuf,
    pub(super) line: Option<usize>,
    pub(super) text: String,
}

/// Templates, messages and files.
#[derive(Debug)]
pub(super) struct Look {
    templates: Environment<'static>,
    pub(super) messages: Messages,
    pub(super) assets: Assets,
    display_name: String,
    /// What stands before every path of ours.
    base: String,
}

impl Look {
    /// Ours, and what the operator's folder holds instead.
    ///
    /// # Errors
    /// [`LookError`], naming file and line.
    pub(super) fn load(folder: Option<&Path>, display_name: &str, base: &str) -> Result<Self, LookError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in OURS {
            templates.add_template(name, source).map_err(|error| broken(folder, &error))?;
        }
        for (name, source) in folder.map(html_files).transpose()?.unwrap_or_default() {
            templates.add_template_owned(name, source).map_err(|error| broken(folder, &error))?;
        }
        let (messages, assets) = (Messages::load(folder)?, Assets::load(folder)?);
        Ok(Self { templates, messages, assets, display_name: display_name.to_owned(), base: base.to_owned() })
    }

    /// Renders each sample in each language.
    ///
    /// # Errors
    /// [`LookError`], naming file and line.
    pub(super) fn try_out<P: Shown>(&self, folder: Option<&Path>) -> Result<(), LookError> {
        for catalog in self.messages.all() {
            for sample in P::samples() {
                self.render(catalog, &sample).map_err(|error| broken(folder, &error))?;
            }
        }
        Ok(())
    }

    /// The page in this language.
    ///
    /// # Errors
    /// When the operator's template has a case that its sample did not meet.
    pub(super) fn render<P: Shown>(&self, catalog: &Arc<Catalog>, page: &P) -> Result<String, Error> {
        let url = |name: &str| format!("{}{}", self.base, self.assets.path(name));
        let all = context! {
            page => Value::from(Serde(page)),
            t => catalog.translate(),
            lang => &*catalog.language,
            direction => catalog.text("language.direction", "", ""),
            display_name => &*self.display_name,
            base => &*self.base,
            style => url(STYLE),
            script => url(SCRIPT),
            logo => url(LOGO),
        };
        self.templates.get_template(P::TEMPLATE)?.render(all)
    }
}

/// The operator's templates. Each has the name of one of ours, or begins with `_` and is for the others to include.
fn html_files(folder: &Path) -> Result<Vec<(String, String)>, LookError> {
    let wrong = |path: &Path, text: String| LookError { file: path.to_owned(), line: None, text };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| wrong(folder, error.to_string()))? {
        let path = entry.map_err(|error| wrong(folder, error.to_string()))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(ToOwned::to_owned) else {
            continue;
        };
        if !name.ends_with(".html") {
            continue;
        }
        if !name.starts_with('_') && !OURS.iter().any(|(ours, _)| *ours == name) {
            let ours = OURS.map(|(ours, _)| ours).join(", ");
            return Err(wrong(&path, format!("there is no such page: the pages are {ours}")));
        }
        let source = std::fs::read_to_string(&path).map_err(|error| wrong(&path, error.to_string()))?;
        files.push((name, source));
    }
    Ok(files)
}

fn broken(folder: Option<&Path>, error: &Error) -> LookError {
    let name = error.name().unwrap_or_default();
    let file = folder.map(|folder| folder.join(name)).filter(|path| path.exists()).unwrap_or(name.into());
    let text = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    LookError { file, line: error.line(), text }
}

#[cfg(test)]
mod tests {
    use super::super::{
        ConsentPage, ContinuePage, ErrorPage, FormPostPage, SessionsPage, SignInPage, every_page_is_tried_out,
    };
    use super::*;

    fn folder(name: &str, text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        folder
    }

    fn load(folder: &Path) -> Result<Look, LookError> {
        let look = Look::load(Some(folder), "obol", "")?;
        every_page_is_tried_out(&look, Some(folder))?;
        Ok(look)
    }

    #[test]
    fn ours_are_whole() {
        every_page_is_tried_out(&Look::load(None, "obol", "/tenant").unwrap(), None).unwrap();
    }

    #[test]
    fn s_18_hostile_texts_are_shown_and_not_obeyed() {
        let look = Look::load(None, "<script>alert(0)</script>", "/<script>").unwrap();
        fn html<P: Shown>(look: &Look) -> Vec<String> {
            let german = look.messages.choose("de", "");
            P::samples().iter().map(|sample| look.render(&german, sample).unwrap()).collect()
        }
        let pages = [
            html::<SignInPage>(&look),
            html::<ConsentPage>(&look),
            html::<ContinuePage>(&look),
            html::<FormPostPage>(&look),
            html::<SessionsPage>(&look),
            html::<ErrorPage>(&look),
        ];
        for html in pages.into_iter().flatten() {
            let scripts: Vec<_> = html.split("<script").skip(1).collect();
            assert!(scripts.iter().all(|script| script.starts_with(" src=\"&#x2f;&lt;script&gt;")), "{html}");
            for text in ["<b>", "<i>", "\"\">", "='", "<a>"] {
                assert!(!html.contains(text), "{text}: {html}");
            }
        }
    }

    #[test]
    fn a_broken_template_stops_with_a_sentence_that_names_file_and_line() {
        for (name, text, sentence) in [
            ("error.html", "<p>\n{{ page.nothing }}", "error.html line 2: undefined value"),
            ("error.html", "<p>\n\n{% if %}", "error.html line 3: syntax error"),
            ("sign_in.html", "{{ t('sign_in.nothing') }}", "sign_in.html line 1: "),
            ("sign-in.html", "", "sign-in.html: there is no such page: the pages are base.html, "),
        ] {
            let folder = folder(name, text);
            let said = load(folder.path()).unwrap_err().to_string();
            assert!(said.contains(sentence) && said.starts_with(&*folder.path().to_string_lossy()), "{said}");
        }
        let nowhere = Path::new("no/such/folder");
        assert!(load(nowhere).unwrap_err().to_string().starts_with("no/such/folder: "));
    }

    #[test]
    fn an_operators_page_takes_the_place_of_ours_and_the_others_stay() {
        let folder = folder("base.html", "{% include '_head.html' %}{% block content %}{% endblock %}");
        std::fs::write(folder.path().join("_head.html"), "<b>{{ display_name }}</b>").unwrap();
        let look = load(folder.path()).unwrap();
        let english = look.messages.choose("en", "");
        let page = super::super::trouble::ErrorPage::samples().remove(0);
        let html = look.render(&english, &page).unwrap();
        assert!(html.starts_with("<b>obol</b>") && html.contains("<h1>This did not work</h1>"), "{html}");
    }
}
