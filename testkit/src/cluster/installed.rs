//! All nodes of an installation, with people and clients, and its command line.

use std::sync::Arc;

use super::{Database, Namespace, Node, Route};
use crate::{Client, ClientSpec, Installation, Postgres, PostgresBuilder, Program, Ran, at_once};

/// Several nodes on one database. All end when it is dropped.
pub struct Cluster {
    nodes: Vec<Arc<Node>>,
    /// Confidential clients for client credentials; each may introspect what others were given.
    services: Vec<Client>,
    /// Public clients for people.
    apps: Vec<Client>,
    people: Vec<Person>,
    administration: Installation,
    route: Route,
    master_key: String,
    // Last: what runs on it ends before.
    database: Database,
}

/// Somebody who signs in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// A cluster to be.
pub struct ClusterBuilder {
    program: Program,
    postgres: PostgresBuilder,
    nodes: usize,
    spare: usize,
    standby: bool,
    namespaces: bool,
    people: usize,
    options: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

impl Program {
    /// A cluster to be: three nodes on a primary alone.
    pub fn cluster(self) -> ClusterBuilder {
        ClusterBuilder {
            program: self,
            postgres: Postgres::builder(),
            nodes: 3,
            spare: 0,
            standby: false,
            namespaces: false,
            people: 2,
            options: Vec::new(),
            environment: Vec::new(),
        }
    }
}

impl ClusterBuilder {
    /// So many nodes run from the start.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// So many more are there and do not run.
    #[must_use]
    pub fn spare(mut self, spare: usize) -> Self {
        self.spare = spare;
        self
    }

    /// With a standby for which every commit waits.
    #[must_use]
    pub fn synchronous_standby(mut self) -> Self {
        self.standby = true;
        self
    }

    /// Each node in a network of its own. Only where [`Namespace::is_allowed`].
    #[must_use]
    pub fn in_namespaces(mut self) -> Self {
        self.namespaces = true;
        self
    }

    /// So many people.
    #[must_use]
    pub fn people(mut self, people: usize) -> Self {
        self.people = people;
        self
    }

    /// A further option of every `serve`, with its value.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A variable in the environment of every node.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts all of it and waits until every node is ready.
    #[track_caller]
    pub fn start(self) -> Cluster {
        let database = Database::start(self.postgres.clone());
        if self.standby {
            database.add_synchronous_standby();
        }
        let administration = self.program.clone().installation();
        let master_key = administration.folder().join("master.key").display().to_string();
        let route = database.route();
        let mut cluster = Cluster {
            nodes: Vec::new(),
            services: Vec::new(),
            apps: Vec::new(),
            people: Vec::new(),
            administration,
            route,
            master_key,
            database,
        };
        cluster.nodes = (1..=self.nodes + self.spare).map(|number| self.node(&cluster, number)).collect();
        // The first makes tables and master key; the others can then start together.
        cluster.nodes[0].start();
        at_once(self.nodes - 1, |at| cluster.nodes[at + 1].start());
        cluster.furnish(self.people);
        cluster.await_ready();
        cluster
    }

    fn node(&self, cluster: &Cluster, number: usize) -> Arc<Node> {
        let number_of_network = u8::try_from(number).expect("a few nodes");
        let namespace = self
            .namespaces
            .then(|| Namespace::make(number_of_network).unwrap_or_else(|error| panic!("a network: {error}")));
        let (route, builder) = match &namespace {
            None => (cluster.database.route(), self.program.clone().server()),
            Some(network) => {
                let builder = self.program.clone().server().run_by(&network.runner());
                let builder = builder.option("--listen", &format!("{}:0", network.inside()));
                let builder = builder.option("--behind-proxy", &network.network());
                let builder = builder.option("--issuer", "https://tokens.example.org");
                (cluster.database.route_at(network.database()), builder)
            }
        };
        let builder = builder.option("--database-url", &route.url());
        let builder = builder.option("--master-key-file", &cluster.master_key);
        let options = self.options.iter();
        let builder = options.fold(builder, |builder, (name, value)| builder.option(name, value));
        let environment = self.environment.iter();
        let builder = environment.fold(builder, |builder, (name, value)| builder.environment(name, value));
        Arc::new(Node::new(&format!("n{number}"), builder, route, namespace))
    }
}

impl Cluster {
    /// How many clients of each kind there are.
    const CLIENTS: usize = 3;

    /// All nodes, those that do not run included.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// The nodes that run.
    pub fn running(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter().filter(|node| node.address().is_some())
    }

    /// Confidential clients for client credentials; each may introspect what others were given.
    pub fn services(&self) -> &[Client] {
        &self.services
    }

    /// Public clients for people.
    pub fn apps(&self) -> &[Client] {
        &self.apps
    }

    /// Who can sign in.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The folder of the command line.
    pub fn administration(&self) -> &Installation {
        &self.administration
    }

    /// Runs `obol <arguments>` on the installation, by a way to the database that no fault concerns.
    pub fn command(&self, arguments: &[&str]) -> Ran {
        self.command_with_input(arguments, "")
    }

    /// Waits until every node that runs is ready.
    #[track_caller]
    pub fn await_ready(&self) {
        self.running().for_each(|node| node.await_ready());
    }

    /// The same with something on its standard input.
    pub fn command_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let url = self.route.url();
        let mut all = arguments.to_vec();
        all.extend(["--database-url", &url, "--master-key-file", &self.master_key]);
        self.administration.run_with_input(&all, input)
    }

    /// Adds clients and people, several at a time: each command takes a moment.
    #[track_caller]
    fn furnish(&mut self, people: usize) {
        let specs = |number| {
            // Longer than any run, so that nothing ends by itself.
            let service = ClientSpec::confidential(&format!("service{number}")).introspection();
            let app = ClientSpec::public(&format!("app{number}"));
            [service, app].map(|spec| spec.access_ttl(86_400).refresh_ttl(86_400))
        };
        let specs: Vec<ClientSpec> = (1..=Self::CLIENTS).flat_map(specs).collect();
        let add = |spec: &ClientSpec| {
            spec.added(&self.command_with_input(&spec.arguments(), spec.input()).exits(0).json())
        };
        let clients = at_once(specs.len(), |at| add(&specs[at]));
        (self.services, self.apps) = clients.into_iter().partition(|client| client.secret.is_some());
        let person = |number: usize| Person {
            name: format!("person{number}"),
            password: format!("a coin for number {number}"),
        };
        self.people = (1..=people).map(person).collect();
        at_once(people, |at| {
            let Person { name, password } = &self.people[at];
            let add = ["user", "add", name, "--password-stdin", "--json"];
            self.command_with_input(&add, &format!("{password}\n")).exits(0);
        });
    }
}
