//! A server that says all that it can, and what it must not say.

use obol_testkit::{Answer, Client, ClientSpec, Server, ServerBuilder, assert_not_stored, assert_unsaid};

pub(crate) struct Watched {
    pub(crate) server: Server,
    secrets: Vec<String>,
    said: Vec<String>,
}

impl Watched {
    pub(crate) fn start(server: ServerBuilder) -> Self {
        let server = server.option("--log-level", "trace").start();
        Self { server, secrets: Vec::new(), said: Vec::new() }
    }

    pub(crate) fn add_client(&mut self, spec: &ClientSpec) -> Client {
        let client = self.server.add_client(spec);
        self.secrets.extend(client.secret.clone());
        client
    }

    /// It is not to be said by anybody from here on.
    pub(crate) fn keep(&mut self, secret: &str) {
        assert!(secret.len() >= 16, "{secret}");
        self.secrets.push(secret.to_owned());
    }

    /// Who is refused is not told his own secret either: such answers are kept by others.
    #[track_caller]
    pub(crate) fn refused(&mut self, answer: Answer) -> &mut Self {
        assert!(answer.status >= 400, "{answer:?}");
        self.said.push(format!("{:?}", answer.headers));
        self.said.push(String::from_utf8_lossy(&answer.body).into_owned());
        self
    }

    /// What is said of clients and of the installation.
    pub(crate) fn shows(&mut self, client: &Client) {
        for command in [
            &["client", "show", &client.id][..],
            &["client", "list"],
            &["user", "list"],
            &["keys", "list"],
            &["doctor"],
            &["config", "check"],
        ] {
            self.runs(command, 0);
            self.runs(&[command, &["--json"]].concat(), 0);
        }
    }

    #[track_caller]
    pub(crate) fn runs(&mut self, arguments: &[&str], code: i32) {
        let ran = self.server.run(arguments).exits(code);
        self.said.extend([ran.stdout, ran.stderr]);
    }

    /// Nothing was said. `mark` is what was written both to the log or an audit file and to the store.
    #[track_caller]
    pub(crate) fn ends(mut self, mark: &str) {
        let written = self.server.written_to_the_end();
        let stored = self.server.stored();
        assert!(written.iter().any(|line| line.contains(mark)), "it is searched where something is written");
        assert!(stored.windows(mark.len()).any(|window| window == mark.as_bytes()), "and stored");
        assert_unsaid(&written, &self.secrets);
        assert_unsaid(&self.said, &self.secrets);
        assert_not_stored(&stored, &self.secrets);
    }
}
