//! The installation of most tests: a person, a public client and a confidential one.

use crate::{Client, ClientSpec, Program, Server, ServerBuilder};

/// A running server with what most tests need.
pub struct House {
    /// The server.
    pub server: Server,
    /// A public client: password and refresh.
    pub fcare: Client,
    /// A confidential client: password, refresh, client credentials, and it may introspect any token.
    pub gateway: Client,
}

impl Program {
    /// A running server with the usual client and person.
    #[track_caller]
    pub fn house(self) -> House {
        self.house_with(|server| server)
    }

    /// The same with further options of `serve`.
    #[track_caller]
    pub fn house_with(self, options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> House {
        let server = options(self.server().alice());
        let fcare = server.add_client(&ClientSpec::public("fcare"));
        let gateway = server.add_client(&ClientSpec::confidential("gateway").introspection());
        House { server: server.start(), fcare, gateway }
    }
}
