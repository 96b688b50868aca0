//! A real browser: Chromium without a window, driven through WebDriver, with an empty profile.

mod driver;

use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use http::Method;
use serde_json::{Value, json};

use self::driver::Driver;
use crate::wait_until;

/// How long something may take to appear on a page.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name under which WebDriver says the id of an element (W3C WebDriver §11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser to be.
#[derive(Debug, Clone)]
pub struct ChromiumBuilder {
    language: String,
    scripts: bool,
}

impl ChromiumBuilder {
    /// The language that it asks for, e.g. `de`.
    pub fn language(self, language: &str) -> Self {
        Self { language: language.to_owned(), ..self }
    }

    /// Its user has forbidden scripts.
    pub fn without_scripts(self) -> Self {
        Self { scripts: false, ..self }
    }

    /// Starts it.
    #[track_caller]
    pub fn open(&self) -> Chromium {
        let mut arguments = vec![
            "--headless=new",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--disable-sync",
            "--force-color-profile=srgb",
            "--hide-scrollbars",
            "--no-first-run",
            "--window-size=1280,900",
        ];
        if rustix::process::geteuid().is_root() {
            // Chromium's sandbox does not run as root.
            arguments.push("--no-sandbox");
        }
        let scripts = if self.scripts { 1 } else { 2 };
        let preferences = json!({
            "intl.accept_languages": self.language,
            "profile.managed_default_content_settings.javascript": scripts,
            "credentials_enable_service": false,
        });
        Chromium {
            driver: Driver::start(&json!({
                "acceptInsecureCerts": true,
                    "goog:loggingPrefs": { "browser": "ALL" },
                "goog:chromeOptions": { "args": arguments, "prefs": preferences },
            })),
        }
    }
}

/// A browser that runs. Its calls fail the test when the browser refuses them.
pub struct Chromium {
    driver: Driver,
}

/// One of the browser's tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab(String);

impl Chromium {
    /// A browser of an English-speaking person.
    pub fn builder() -> ChromiumBuilder {
        ChromiumBuilder { language: "en".to_owned(), scripts: true }
    }

    /// Opens a page and waits until it has loaded.
    #[track_caller]
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The address that it shows.
    #[track_caller]
    pub fn url(&self) -> String {
        text_of(&self.get("/url"))
    }

    /// The title of the page.
    #[track_caller]
    pub fn title(&self) -> String {
        text_of(&self.get("/title"))
    }

    /// Its back button.
    #[track_caller]
    pub fn back(&self) {
        self.post("/back", &json!({}));
    }

    /// Its reload button.
    #[track_caller]
    pub fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    /// Whether the page has such an element (CSS selector) now.
    #[track_caller]
    pub fn has(&self, selector: &str) -> bool {
        !self.find_all(selector).is_empty()
    }

    /// How many such elements the page has now.
    #[track_caller]
    pub fn count(&self, selector: &str) -> usize {
        self.find_all(selector).len()
    }

    /// Waits for such an element.
    #[track_caller]
    pub fn await_element(&self, selector: &str) {
        self.await_found(selector);
    }

    /// Clicks the first such element, once it is there, and waits until another page has loaded.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.await_found(selector);
        self.leave(|| drop(self.post(&format!("/element/{element}/click"), &json!({}))));
    }

    /// Types into the first such element, after what stands there.
    #[track_caller]
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.await_found(selector);
        self.post(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// The visible text of the first such element, once it is there.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let element = self.await_found(selector);
        text_of(&self.get(&format!("/element/{element}/text")))
    }

    /// The value of a property of the first such element.
    #[track_caller]
    pub fn property(&self, selector: &str, name: &str) -> Value {
        let element = self.await_found(selector);
        self.get(&format!("/element/{element}/property/{name}"))
    }

    /// The id of the element that has the focus; empty when it has none.
    #[track_caller]
    pub fn focused(&self) -> String {
        text_of(&self.run("return document.activeElement ? document.activeElement.id : ''"))
    }

    /// Presses keys one after the other, as a person at the keyboard.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.post("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Presses Enter, and waits until another page has loaded.
    #[track_caller]
    pub fn press_enter(&self) {
        self.leave(|| self.press("\u{e007}"));
    }

    /// Clicks twice on the first such element, as quickly as a nervous person does.
    #[track_caller]
    pub fn double_click(&self, selector: &str) {
        let element = self.await_found(selector);
        let once =
            [json!({ "type": "pointerDown", "button": 0 }), json!({ "type": "pointerUp", "button": 0 })];
        let mut actions =
            vec![json!({ "type": "pointerMove", "x": 0, "y": 0, "origin": { ELEMENT: element } })];
        actions.extend(once.iter().chain(&once).cloned());
        let mouse = json!({ "type": "pointer", "id": "mouse", "actions": actions });
        self.post("/actions", &json!({ "actions": [mouse] }));
    }

    /// What a script returns, run as the body of a function in the page.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What a script gives to the function that is its last argument.
    #[track_caller]
    pub fn run_until_called_back(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// The cookies for the address that it shows.
    #[track_caller]
    pub fn cookies(&self) -> Vec<Value> {
        self.get("/cookie").as_array().cloned().unwrap_or_default()
    }

    /// Forgets all cookies, as a person's other browser would have none.
    #[track_caller]
    pub fn forget_cookies(&self) {
        self.devtools("Network.clearBrowserCookies", &json!({}));
    }

    /// The tab that is in front.
    #[track_caller]
    pub fn tab(&self) -> Tab {
        Tab(text_of(&self.get("/window")))
    }

    /// Opens another tab and brings it to the front.
    #[track_caller]
    pub fn open_tab(&self) -> Tab {
        let tab = Tab(text_of(&self.post("/window/new", &json!({ "type": "tab" }))["handle"]));
        self.bring_to_front(&tab);
        tab
    }

    /// Brings a tab to the front.
    #[track_caller]
    pub fn bring_to_front(&self, tab: &Tab) {
        self.post("/window", &json!({ "handle": tab.0 }));
    }

    /// A command of Chromium's own (DevTools protocol).
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// What the browser has complained about since the last call, but for answers of servers: each with `source` (e.g.
    /// `security` for a policy that was broken) and `message`.
    #[track_caller]
    pub fn complaints(&self) -> Vec<Value> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let all = log.as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|entry| entry["source"] != "network").collect()
    }

    /// The whole page as a picture (PNG).
    #[track_caller]
    pub fn picture(&self) -> Vec<u8> {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let data = text_of(&self.devtools("Page.captureScreenshot", &whole)["data"]);
        base64::engine::general_purpose::STANDARD.decode(data).expect("a picture is base64")
    }

    /// Does what makes the browser load another page, and waits until it has.
    #[track_caller]
    fn leave(&self, act: impl FnOnce()) {
        let document = || json!({ "using": "css selector", "value": "html" });
        let former = self.post("/element", &document());
        act();
        wait_until(&format!("another page than {}", self.url()), PATIENCE, || {
            // While one page goes and another comes there is none to ask.
            let now = self.driver.call(Method::POST, "/element", Some(&document())).ok()?;
            let state = json!({ "script": "return document.readyState", "args": [] });
            let state = self.driver.call(Method::POST, "/execute/sync", Some(&state)).ok()?;
            (now != former && state == "complete").then_some(())
        });
    }

    #[track_caller]
    fn await_found(&self, selector: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // While one page goes and another comes there is none to ask.
            let found = self.try_find_all(selector).unwrap_or_default();
            if let Some(found) = found.into_iter().next() {
                return found;
            }
            let shown = || self.run("return document.body.innerText");
            assert!(Instant::now() < deadline, "no {selector} at {}:\n{}", self.url(), shown());
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn find_all(&self, selector: &str) -> Vec<String> {
        self.try_find_all(selector).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_find_all(&self, selector: &str) -> Result<Vec<String>, String> {
        let selector = json!({ "using": "css selector", "value": selector });
        let found = self.driver.call(Method::POST, "/elements", Some(&selector))?;
        let found = found.as_array().cloned().unwrap_or_default();
        Ok(found.iter().map(|element| text_of(&element[ELEMENT])).collect())
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.driver.call(Method::GET, path, None).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.driver.call(Method::POST, path, Some(body)).unwrap_or_else(|error| panic!("{error}"))
    }
}

#[track_caller]
fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}
