//! What people see.

use maud::{DOCTYPE, Markup, html};
use openidconnect::core::CoreUserInfoClaims;

use crate::provider::Person;

pub const STYLE: &str = include_str!("style.css");

pub fn welcome() -> String {
    page("Welcome", html! { p { a href="/sign-in" { "Sign in" } } })
}

pub fn message(title: &str, text: &str) -> String {
    page(title, html! { p { (text) } p { a href="/sign-in" { "Sign in" } } })
}

/// `id` and `class` are names by which the tests find what stands there.
pub fn signed_in(person: &Person, info: &CoreUserInfoClaims) -> String {
    let name = info.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    let username = info.preferred_username().map(|name| name.as_str()).unwrap_or("—");
    let facts = [
        ("sub", "Subject", person.claims.subject().as_str().to_owned()),
        ("username", "User name", username.to_owned()),
        ("email", "E-mail", info.email().map(|email| email.as_str()).unwrap_or("—").to_owned()),
        ("issued", "ID token issued", person.claims.issue_time().to_string()),
        ("key", "Signed by key", person.signed_by.clone()),
    ];
    page(
        &format!("Hello, {}", name.unwrap_or(username)),
        html! {
            dl { @for (id, label, value) in &facts { dt { (label) } dd id=(id) { (value) } } }
            form method="post" action="/refresh" { button { "Get new tokens" } }
            form method="post" action="/sign-out" { button { "Sign out" } }
        },
    )
}

fn page(title: &str, body: Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                link rel="stylesheet" href="/style.css";
            }
            body { main { h1 { (title) } (body) } }
        }
    }
    .into_string()
}
