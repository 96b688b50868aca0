//! What was acknowledged so far, and what may therefore be answered later: the rules H1 to H7 of a history check.
//!
//! A test tells what it was given and what it asks to end; the history then asks the server about every token and
//! names each answer that cannot be true.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Answer, Client, Server, Tokens, vouched};

/// The acknowledged operations on one installation. Threads may share it.
#[derive(Default)]
pub struct History(Mutex<State>);

#[derive(Default)]
struct State {
    tokens: Vec<Token>,
    /// Which tokens end with a group.
    groups: HashMap<String, Vec<usize>>,
    /// What each refresh token was exchanged for.
    successors: HashMap<String, Tokens>,
    breaches: Vec<String>,
    asked: u64,
}

struct Token {
    text: String,
    client: Client,
    standing: Standing,
}

/// What may be answered about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Its issue was acknowledged and nobody has asked for its end: it is active.
    Issued,
    /// Its end was asked for and not acknowledged: both answers can be true.
    Ending,
    /// Its end was acknowledged, or it was refused once: it is never active again.
    Ended(&'static str),
}

impl History {
    /// A client was given this access token. It ends with each of the groups: a token, a family, a person, a client,
    /// named as the test likes.
    pub fn issued(&self, client: &Client, access_token: &str, groups: &[&str]) {
        let mut state = self.state();
        for group in groups {
            let at = state.tokens.len();
            state.groups.entry((*group).to_owned()).or_default().push(at);
        }
        let (text, client) = (access_token.to_owned(), client.clone());
        state.tokens.push(Token { text, client, standing: Standing::Issued });
    }

    /// A call is about to be sent that ends a group.
    pub fn ending(&self, group: &str) {
        self.state().change(group, |standing| match standing {
            Standing::Issued => Standing::Ending,
            Standing::Ending | Standing::Ended(_) => standing,
        });
    }

    /// That call was acknowledged.
    pub fn ended(&self, group: &str) {
        self.state().change(group, |_| Standing::Ended("H1: its end was acknowledged"));
    }

    /// A refresh token was presented and this came back. Names a second, different success (H6).
    pub fn presented(&self, refresh_token: &str, answer: &Answer) -> Option<Tokens> {
        if answer.status != 200 {
            return None;
        }
        let given = Tokens::of(answer.clone());
        let mut state = self.state();
        let known = state.successors.entry(refresh_token.to_owned()).or_insert_with(|| given.clone());
        if *known != given {
            state.breaches.push(format!("H6: {refresh_token} worked twice, with different answers"));
        }
        Some(given)
    }

    /// Asks the server about every token from the `from`th on.
    #[track_caller]
    pub fn ask_about_all(&self, server: &Server, from: usize) {
        for at in from..self.count() {
            let (text, client) = self.nth(at);
            let answer = vouched(|| server.verify(&client, &text));
            self.judge(at, &answer);
        }
    }

    /// How many tokens it knows.
    pub fn count(&self) -> usize {
        self.state().tokens.len()
    }

    /// What was answered that cannot be true.
    pub fn breaches(&self) -> Vec<String> {
        self.state().breaches.clone()
    }

    /// Notes a breach that a test found itself.
    pub fn breach(&self, what: String) {
        self.state().breaches.push(what);
    }

    /// How many answers were judged.
    pub fn asked(&self) -> u64 {
        self.state().asked
    }

    fn nth(&self, at: usize) -> (String, Client) {
        let token = &self.state().tokens[at];
        (token.text.clone(), token.client.clone())
    }

    fn judge(&self, at: usize, answer: &Answer) {
        let mut state = self.state();
        state.asked += 1;
        let token = &mut state.tokens[at];
        let breach = match (answer.status, token.standing) {
            (200, Standing::Issued | Standing::Ending) => None,
            (401, Standing::Ending | Standing::Ended(_)) => {
                token.standing = Standing::Ended("H2: it was refused before");
                None
            }
            (200, Standing::Ended(why)) => Some(format!("active though {why}")),
            (401, Standing::Issued) => Some("H4: refused though nobody asked for its end".to_owned()),
            (status, _) => Some(format!("verify answered {status}")),
        };
        let breach = breach.map(|breach| format!("token {at} {}: {breach}", token.text));
        state.breaches.extend(breach);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change(&mut self, group: &str, change: impl Fn(Standing) -> Standing) {
        for at in self.groups.get(group).into_iter().flatten() {
            self.tokens[*at].standing = change(self.tokens[*at].standing);
        }
    }
}
