//! People sign in, with a real browser: what they see, what they do wrong, and what others try with their browsers.
//!
//! Pictures of every page are written to `target/screenshots`.

#[path = "browser/application.rs"]
mod application;
#[path = "browser/axe.rs"]
mod axe;
#[path = "browser/every_page.rs"]
mod every_page;
#[path = "browser/history.rs"]
mod history;
#[path = "browser/other_sites.rs"]
mod other_sites;
#[path = "browser/pictures.rs"]
mod pictures;
#[path = "browser/runs_in_browser.rs"]
mod runs_in_browser;
#[path = "browser/sign_in.rs"]
mod sign_in;
#[path = "browser/story.rs"]
mod story;
#[path = "browser/ways_back.rs"]
mod ways_back;
#[path = "browser/whole_way.rs"]
mod whole_way;
