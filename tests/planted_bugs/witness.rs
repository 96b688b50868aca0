//! A client that writes down everything it asks, for the checker.

use obol_testkit::checker::{Grant, Name, Operation, Outcome, Report, Settings, Target, check};
use obol_testkit::cluster::{Calls, Cluster, Given, Journal, LEASE, Node};

/// Asks one node at a time; threads may share it.
pub(crate) struct Witness<'a> {
    pub(crate) cluster: &'a Cluster,
    journal: Journal,
}

impl<'a> Witness<'a> {
    pub(crate) fn of(cluster: &'a Cluster) -> Self {
        Self { cluster, journal: Journal::start() }
    }

    /// The three nodes.
    pub(crate) fn nodes(&self) -> [&'a Node; 3] {
        let [first, second, third] = self.cluster.nodes() else { panic!("three nodes") };
        [first, second, third]
    }

    /// A token for the first service.
    #[track_caller]
    pub(crate) fn issue(&self, node: &Node) -> Name {
        let client = &self.cluster.services()[0];
        let called = self.journal.now();
        let given = Calls::default().issue(node.address().expect("it runs"), client);
        let Some(Outcome::Done(access)) = given else { panic!("{}: {given:?}", node.name()) };
        let access: Name = access.into();
        let (client, expires_at) = (client.id.as_str().into(), None);
        let grant =
            Grant { access: access.clone(), refresh: None, family: None, client, user: None, expires_at };
        let outcome = Outcome::Done(Box::new(grant));
        self.journal.record(called, node.name(), Operation::Issue { outcome });
        access
    }

    /// A sign-in of the first person at the first app; gives the refresh token.
    #[track_caller]
    pub(crate) fn sign_in(&self, node: &Node) -> Name {
        let (app, person) = (&self.cluster.apps()[0], &self.cluster.people()[0]);
        let called = self.journal.now();
        let outcome = Calls::default().sign_in(node.address().expect("it runs"), app, person);
        let Some(Outcome::Done(given)) = outcome else { panic!("{}: no tokens", node.name()) };
        let refresh: Name = given.refresh.as_deref().expect("a refresh token").into();
        let outcome = Outcome::Done(Box::new(self.grant(given, refresh.clone())));
        self.journal.record(called, node.name(), Operation::Issue { outcome });
        refresh
    }

    /// Presents a refresh token, which is its family's first.
    pub(crate) fn present(&self, node: &Node, refresh: &Name) {
        let called = self.journal.now();
        let address = node.address().expect("it runs");
        let Some(outcome) = Calls::default().refresh(address, &self.cluster.apps()[0], refresh) else {
            return;
        };
        let outcome = match outcome {
            Outcome::Done(given) => Outcome::Done(Box::new(self.grant(given, refresh.clone()))),
            Outcome::Refused => Outcome::Refused,
            Outcome::Unknown => Outcome::Unknown,
        };
        let operation = Operation::Exchange { presented: refresh.clone(), expires_at: None, outcome };
        self.journal.record(called, node.name(), operation);
    }

    /// Revokes a token of the first service, or a refresh token of the first app.
    pub(crate) fn revoke(&self, node: &Node, token: &Name) -> Outcome {
        let client =
            if token.starts_with("obr_") { &self.cluster.apps()[0] } else { &self.cluster.services()[0] };
        let called = self.journal.now();
        let address = node.address().expect("it runs");
        let outcome = Calls::default().revoke(address, client, token).expect("it listens");
        let what = Target::Token(token.clone());
        self.journal.record(called, node.name(), Operation::Revoke { what, outcome });
        outcome
    }

    /// Asks whether a token of the first service stands.
    pub(crate) fn verify(&self, node: &Node, token: &Name) {
        self.verify_by(&mut Calls::default(), node, token);
    }

    /// The same over connections that are kept.
    pub(crate) fn verify_by(&self, calls: &mut Calls, node: &Node, token: &Name) {
        let called = self.journal.now();
        let address = node.address().expect("it runs");
        let Some(outcome) = calls.verify(address, &self.cluster.services()[0], token) else { return };
        let operation = Operation::Verify { token: token.clone(), outcome };
        self.journal.record(called, node.name(), operation);
    }

    /// The verdict.
    pub(crate) fn report(&self) -> Report {
        check(&self.journal.events(), &Settings { lease: LEASE, ..Settings::default() })
    }

    fn grant(&self, given: Given, family: Name) -> Grant {
        Grant {
            access: given.access.into(),
            refresh: given.refresh.map(Name::from),
            family: Some(family),
            client: self.cluster.apps()[0].id.as_str().into(),
            user: Some(self.cluster.people()[0].name.as_str().into()),
            expires_at: None,
        }
    }
}
