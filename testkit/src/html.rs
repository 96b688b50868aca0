//! As much of HTML as a person at our pages needs: forms, their fields, and a page that goes on by itself.

/// A form that is posted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// Where it goes.
    pub action: String,
    /// What it carries along.
    pub hidden: Vec<(String, String)>,
    /// All its fields and buttons.
    pub names: Vec<String>,
}

impl Form {
    /// Whether it has all these fields.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.names.iter().any(|known| known == name))
    }
}

/// The forms of a page, in order.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut open: Option<Form> = None;
    for tag in html.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let attribute = |name: &str| attribute(tag, name);
        match (tag.split_whitespace().next().unwrap_or_default(), &mut open) {
            ("form", _) => {
                open = Some(Form { action: attribute("action").unwrap_or_default(), ..Form::default() });
            }
            ("/form", form) => forms.extend(form.take()),
            ("input" | "button", Some(form)) => {
                let Some(name) = attribute("name") else { continue };
                if attribute("type").as_deref() == Some("hidden") {
                    form.hidden.push((name.clone(), attribute("value").unwrap_or_default()));
                }
                form.names.push(name);
            }
            _ => {}
        }
    }
    forms
}

/// Where a page goes on by itself.
pub fn refresh_target(html: &str) -> Option<String> {
    let tag = html.split('<').find(|tag| tag.starts_with("meta http-equiv=\"refresh\""))?;
    let content = attribute(tag.split('>').next()?, "content")?;
    content.split_once("url=").map(|(_, url)| url.to_owned())
}

/// What stands between these, the first time.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag[start..].split('"').next()?;
    Some(unescaped(value))
}

/// A text without the escapes that our templates write.
pub fn unescaped(text: &str) -> String {
    let known =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#39;", "'"), ("&#x2f;", "/")];
    let text = known.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain));
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_with_what_they_carry() {
        let html = "<p>a</p><form method=\"post\" action=\"/x?a&amp;b\">\n<input type=\"hidden\" name=\"t\" \
                    value=\"a&quot;&lt;&amp;lt;\"><input id=\"u\" name=\"username\"></form><form action=\"/y\">\
                    <button class=\"p\" name=\"go\" value=\"yes\">Go</button></form>";
        let found = forms(html);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].action, "/x?a&b");
        assert_eq!(found[0].hidden, [("t".to_owned(), "a\"<&lt;".to_owned())]);
        assert_eq!(found[0].names, ["t", "username"]);
        assert_eq!((found[1].action.as_str(), &found[1].names[..]), ("/y", &["go".to_owned()][..]));
    }

    #[test]
    fn a_page_may_go_on_by_itself() {
        let html = "<head><meta http-equiv=\"refresh\" content=\"0; url=https://a/?b=c&amp;d=e\"></head>";
        assert_eq!(refresh_target(html).as_deref(), Some("https://a/?b=c&d=e"));
        assert_eq!(refresh_target("<meta charset=\"utf-8\">"), None);
    }
}
