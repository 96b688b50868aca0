//! The drivers: each logs an acknowledgement before its next call.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use obol_testkit::{
    ALICE, Answer, Chance, Client, ClientSpec, PASSWORD, RFC_REVOKE, RFC_TOKEN, Request, TOKEN,
};

use crate::house::{Acknowledged, CrashHouse};
use crate::lines::Line;

/// The load of one round, until the server is killed.
pub(crate) struct Load<'a> {
    pub(crate) house: &'a CrashHouse,
    round: u64,
    stopped: AtomicBool,
}

impl<'a> Load<'a> {
    pub(crate) fn new(house: &'a CrashHouse, round: u64) -> Self {
        Self { house, round, stopped: AtomicBool::new(false) }
    }

    /// The server was killed: drivers end with the call that they are in.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Tokens of a client for itself, each second one revoked.
    pub(crate) fn by_client(&self, mut chance: Chance) {
        let CrashHouse { history, gateway, acknowledged, .. } = self.house;
        while let Some(answer) = self.issue_to_client(gateway) {
            let token = answer.text("access_token");
            history.issued(gateway, &token, &[&token]);
            Acknowledged::count(&acknowledged.issues);
            if chance.once_in(2) {
                history.ending(&token);
                let revoke = self.post(RFC_REVOKE, gateway, &[("token", &token)]);
                if self.acknowledged(revoke, &acknowledged.revocations).is_none() {
                    return;
                }
                history.ended(&token);
            }
        }
    }

    /// Lines of descent: a sign-in, rotations, now and then a revocation and a new sign-in.
    pub(crate) fn in_lines(&self, driver: usize, mut chance: Chance) -> Vec<Line> {
        let CrashHouse { fcare, acknowledged, .. } = self.house;
        let mut lines = Vec::new();
        loop {
            let fields = [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
            let path = *chance.pick(&[TOKEN, RFC_TOKEN]);
            let Some(answer) = self.acknowledged(self.post(path, fcare, &fields), &acknowledged.issues)
            else {
                return lines;
            };
            let name = format!("line {}.{driver}.{}", self.round, lines.len());
            lines.push(Line::begin(name, &answer, self.house));
            let Some(line) = lines.last_mut() else { return lines };
            if line.descend(self, &mut chance).is_none() {
                return lines;
            }
        }
    }

    /// The command line beside the server.
    pub(crate) fn by_command(&self, driver: usize, mut chance: Chance) {
        for at in 0.. {
            let name = format!("{}-{driver}-{at}", self.round);
            let goes_on = match chance.below(3) {
                0 => self.client_commands(&format!("client-{name}"), &mut chance),
                1 => self.user_commands(&format!("user-{name}"), &mut chance),
                _ => self.token_commands(&mut chance),
            };
            if goes_on.is_none() {
                return;
            }
        }
    }

    /// The answer if it is a 200, which is then counted; `None` when the call was cut off.
    pub(crate) fn acknowledged(&self, request: Request, counter: &AtomicU64) -> Option<Answer> {
        let Ok(answer) = request.try_send() else {
            Acknowledged::count(&self.house.acknowledged.unknown);
            return None;
        };
        if answer.status != 200 {
            self.house.history.breach(format!("refused without a reason: {answer:?}"));
            return None;
        }
        Acknowledged::count(counter);
        Some(answer)
    }

    pub(crate) fn post(&self, path: &str, client: &Client, fields: &[(&str, &str)]) -> Request {
        self.house.server.http().post(path).form(&client.fields(fields))
    }

    fn issue_to_client(&self, client: &Client) -> Option<Answer> {
        let request = self.post(RFC_TOKEN, client, &[("grant_type", "client_credentials")]);
        self.acknowledged(request, &self.house.acknowledged.issues)
    }

    /// A new client with a token; then its end, by one of the ways to it.
    fn client_commands(&self, id: &str, chance: &mut Chance) -> Option<()> {
        let CrashHouse { server, history, clients, .. } = self.house;
        let client = server.add_client(&ClientSpec::confidential(id));
        clients.set(id, true);
        self.count_command()?;
        let token = self.issue_to_client(&client)?.text("access_token");
        history.issued(&client, &token, &[id]);
        match chance.below(3) {
            0 => self.command(&["revoke", "--client", id, "--yes"], id),
            1 => {
                clients.set(id, false);
                self.command(&["client", "disable", id], id)
            }
            _ => Some(()),
        }
    }

    /// A new person who signs in; then the end of that, by one of the ways to it.
    fn user_commands(&self, name: &str, chance: &mut Chance) -> Option<()> {
        let CrashHouse { server, history, users, fcare, acknowledged, .. } = self.house;
        server.add_user(name, PASSWORD);
        users.set(name, true);
        self.count_command()?;
        let fields = [("grant_type", "password"), ("username", name), ("password", PASSWORD)];
        let answer = self.acknowledged(self.post(TOKEN, fcare, &fields), &acknowledged.issues)?;
        history.issued(fcare, &answer.text("access_token"), &[name]);
        match chance.below(3) {
            0 => self.command(&["revoke", "--user", name, "--yes"], name),
            1 => {
                users.set(name, false);
                self.command(&["user", "disable", name], name)
            }
            _ => Some(()),
        }
    }

    fn token_commands(&self, chance: &mut Chance) -> Option<()> {
        let CrashHouse { history, gateway, .. } = self.house;
        let token = self.issue_to_client(gateway)?.text("access_token");
        history.issued(gateway, &token, &[&token]);
        match chance.once_in(4) {
            true => Some(()),
            false => self.command(&["token", "revoke", &token], &token),
        }
    }

    /// Runs a command that ends `group`. The command is not killed: it has to succeed, with or without a server.
    fn command(&self, arguments: &[&str], group: &str) -> Option<()> {
        self.house.history.ending(group);
        self.house.server.run(arguments).exits(0);
        self.house.history.ended(group);
        self.count_command()
    }

    fn count_command(&self) -> Option<()> {
        Acknowledged::count(&self.house.acknowledged.commands);
        (!self.stopped.load(Ordering::Acquire)).then_some(())
    }
}
