//! Every way in which a command ends a token, and tokens to end.

use std::time::{Duration, Instant};

use obol_testkit::{
    Answer, Client, ClientSpec, PASSWORD, RFC_TOKEN, Server, ServerBuilder, Tokens, obol, vouched,
};

/// A command that ends tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `token revoke TOKEN`
    Token,
    /// `token revoke -`
    TokenOnStdin,
    /// `revoke --family`
    Family,
    /// `revoke --user`
    User,
    /// `revoke --client`
    Client,
    /// `user disable`
    UserDisable,
    /// `client disable`
    ClientDisable,
}

impl Way {
    pub(crate) const ALL: [Self; 7] = [
        Self::Token,
        Self::TokenOnStdin,
        Self::Family,
        Self::User,
        Self::Client,
        Self::UserDisable,
        Self::ClientDisable,
    ];

    /// Each way, and those that need no password more often.
    pub(crate) const OFTEN_ONE_TOKEN: [Self; 16] = [
        Self::Token,
        Self::Token,
        Self::Token,
        Self::Token,
        Self::Token,
        Self::Token,
        Self::TokenOnStdin,
        Self::TokenOnStdin,
        Self::Family,
        Self::User,
        Self::Client,
        Self::Client,
        Self::Client,
        Self::UserDisable,
        Self::ClientDisable,
        Self::ClientDisable,
    ];
}

/// A server with a person and clients for each worker, so that no worker ends another's tokens.
pub(crate) struct Victims {
    pub(crate) server: Server,
    fcare: Client,
    robots: Vec<Client>,
    bystanders: Vec<Client>,
}

impl Victims {
    #[track_caller]
    pub(crate) fn start(workers: usize, options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let builder = (0..workers)
            .fold(obol!().server(), |builder, worker| builder.user(&format!("person-{worker}"), PASSWORD));
        let builder = options(builder);
        let add = |kind: &str, worker: usize| {
            builder.add_client(&ClientSpec::confidential(&format!("{kind}-{worker}")))
        };
        let robots = (0..workers).map(|worker| add("robot", worker)).collect();
        let bystanders = (0..workers).map(|worker| add("bystander", worker)).collect();
        let fcare = builder.add_client(&ClientSpec::public("fcare"));
        Self { server: builder.start(), fcare, robots, bystanders }
    }

    /// A token that nobody ends.
    #[track_caller]
    pub(crate) fn bystander(&self, worker: usize) -> (Client, String) {
        let client = &self.bystanders[worker];
        let fields = [("grant_type", "client_credentials")];
        (client.clone(), served(|| self.server.post_form(RFC_TOKEN, client, &fields)))
    }

    /// A token that this way can end.
    #[track_caller]
    pub(crate) fn token_for(&self, way: Way, worker: usize) -> (Client, String) {
        let robot = &self.robots[worker];
        match way {
            Way::Token | Way::TokenOnStdin | Way::Client | Way::ClientDisable => {
                let fields = [("grant_type", "client_credentials")];
                (robot.clone(), served(|| self.server.post_form(RFC_TOKEN, robot, &fields)))
            }
            Way::Family | Way::User | Way::UserDisable => {
                let person = format!("person-{worker}");
                let token = served(|| self.server.ask_by_password(&self.fcare, &person, PASSWORD));
                (self.fcare.clone(), token)
            }
        }
    }

    /// Runs the command, and gives how long it took.
    #[track_caller]
    pub(crate) fn revoke(&self, way: Way, worker: usize, token: &str) -> Duration {
        let (robot, person) = (&self.robots[worker].id, format!("person-{worker}"));
        let family = if way == Way::Family { self.family_of(token) } else { String::new() };
        let (arguments, stdin): (Vec<&str>, &str) = match way {
            Way::Token => (vec!["token", "revoke", token], ""),
            Way::TokenOnStdin => (vec!["token", "revoke", "-"], token),
            Way::Family => (vec!["revoke", "--family", &family, "--yes"], ""),
            Way::User => (vec!["revoke", "--user", &person, "--yes"], ""),
            Way::Client => (vec!["revoke", "--client", robot, "--yes"], ""),
            Way::UserDisable => (vec!["user", "disable", &person], ""),
            Way::ClientDisable => (vec!["client", "disable", robot], ""),
        };
        let began = Instant::now();
        self.server.installation().run_with_input(&arguments, stdin).exits(0);
        began.elapsed()
    }

    /// Undoes a switching off; what it ended stays ended.
    #[track_caller]
    pub(crate) fn switch_on_again(&self, way: Way, worker: usize) {
        match way {
            Way::UserDisable => {
                drop(self.server.run(&["user", "enable", &format!("person-{worker}")]).exits(0))
            }
            Way::ClientDisable => {
                drop(self.server.run(&["client", "enable", &self.robots[worker].id]).exits(0))
            }
            Way::Token | Way::TokenOnStdin | Way::Family | Way::User | Way::Client => {}
        }
    }

    /// The family, as `obol token explain` says it.
    #[track_caller]
    fn family_of(&self, token: &str) -> String {
        let explained = self.server.run(&["token", "explain", token, "--json"]).exits(0).json();
        explained["family"].as_str().unwrap_or_else(|| panic!("a family: {explained}")).to_owned()
    }
}

/// The access token of an answer.
#[track_caller]
fn served(ask: impl Fn() -> Answer) -> String {
    Tokens::of(vouched(ask)).access
}
