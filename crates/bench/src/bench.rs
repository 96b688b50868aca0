//! The benchmark itself: who is measured, in which order.

use crate::ask::{Hands, ask_once};
use crate::ceiling::Orders;
use crate::installation::Installation;
use crate::load::{Endpoint, Load, Protocol, Wire};
use crate::measure::{Asking, Contest, Measured};
use crate::path::{Site, Workload};
use crate::process::make_room_for_connections;
use crate::report::{PathFigures, Report, Settings, Sweeps};
use crate::target::Target;
use crate::{BenchError, Cores, Credentials, HotPath, Machine, Plan, Stop};

/// Measures what the plan says, and tells `say` how it goes.
///
/// # Errors
/// [`BenchError`]: then there is no figure at all.
pub fn run(plan: &Plan, at: String, stop: &Stop, say: &dyn Fn(&str)) -> Result<Report, BenchError> {
    let room = make_room_for_connections();
    if plan.connections > room {
        let sentence =
            format!("the limit on open files leaves room for {room} connections; raise it with `ulimit -n`");
        return Err(BenchError::Asked(sentence));
    }
    let bench = Bench { plan, cores: Cores::of_this_machine(plan.server_cores), room, stop, say };
    let place = plan.place.clone().unwrap_or_else(std::env::temp_dir);
    let machine = Machine::describe(&plan.program, &place);
    let remarks = bench.remarks(&machine);
    let mut report = Report {
        format: 1,
        at,
        machine,
        settings: bench.settings(),
        paths: Vec::new(),
        sweeps: Sweeps::default(),
        shown: Vec::new(),
        remarks,
    };
    if !plan.paths.is_empty() {
        report.paths = bench.paths()?;
    }
    report.sweeps = bench.sweeps()?;
    report.conclude();
    Ok(report)
}

/// What every part of the benchmark needs.
pub(crate) struct Bench<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) cores: Cores,
    /// The most connections that fit this process.
    pub(crate) room: usize,
    pub(crate) stop: &'a Stop,
    pub(crate) say: &'a dyn Fn(&str),
}

impl Bench<'_> {
    /// The generator.
    pub(crate) fn hands(&self) -> Hands<'_> {
        Hands { cores: &self.cores, stop: self.stop }
    }

    /// An installation of our own, with its client and its person.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn installation(&self) -> Result<Installation, BenchError> {
        let plan = self.plan;
        Installation::new(&plan.program, plan.place.as_deref(), plan.protocol, plan.tls)
    }

    /// How the plan wants to be asked.
    pub(crate) fn load(&self) -> Load {
        self.plan.per_sec.map_or(Load::Closed, |per_sec| Load::Open { per_sec })
    }

    /// The ceiling for a workload: it answers as the server did to the sample.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn ceiling(
        &self,
        site: &Site<'_>,
        workload: &Workload,
        tls_folder: Option<std::path::PathBuf>,
    ) -> Result<Target, BenchError> {
        let Site { target, .. } = site;
        let answered = ask_once(&target.name, &target.endpoint, &workload.sample, workload.right.clone())?;
        let orders = Orders::to_answer_as(answered.status, &answered.fields, &answered.body);
        orders.start(&self.plan.program, self.plan.protocol, tls_folder, &self.cores)
    }

    fn paths(&self) -> Result<Vec<PathFigures>, BenchError> {
        match &self.plan.running {
            None => {
                let installation = self.installation()?;
                let server = installation.serve("obol", &self.cores)?;
                let tls_folder = self.plan.tls.then(|| installation.data());
                let paths = self.paths_of(&server, &installation.credentials, tls_folder, true);
                let paths = paths?;
                server.stop()?;
                Ok(paths)
            }
            Some(running) => {
                let wire = Wire { protocol: self.plan.protocol, authority: running.authority.clone() };
                let endpoint = Endpoint { address: running.address, wire, tls: running.trust.clone() };
                let server = Target::running(&running.url, endpoint, running.pid);
                self.paths_of(&server, &running.credentials, None, running.is_comparable())
            }
        }
    }

    fn paths_of(
        &self,
        server: &Target,
        credentials: &Credentials,
        tls_folder: Option<std::path::PathBuf>,
        with_ceiling: bool,
    ) -> Result<Vec<PathFigures>, BenchError> {
        let site = Site { target: server, credentials, hands: self.hands() };
        let mut all = Vec::new();
        for &path in &self.plan.paths {
            let workload = path.workload(&site)?;
            let ceiling =
                with_ceiling.then(|| self.ceiling(&site, &workload, tls_folder.clone())).transpose()?;
            all.push(self.path(path, &site, &workload, ceiling.as_ref())?);
        }
        Ok(all)
    }

    fn path(
        &self,
        path: HotPath,
        site: &Site<'_>,
        workload: &Workload,
        ceiling: Option<&Target>,
    ) -> Result<PathFigures, BenchError> {
        let connections = path.connections(self.plan.connections);
        let (load, timing) = (Asking::Load(self.load()), self.plan.timing);
        let contest = Contest { site: *site, ceiling, workload, load, connections, timing };
        let figures = contest.run(|target, measured| self.say_run(path.name(), target, measured))?;
        Ok(PathFigures { path: path.name(), connections, figures })
    }

    /// Tells how a run went.
    pub(crate) fn say_run(&self, what: &str, target: &str, measured: &Measured) {
        let cpu =
            measured.cpu_us_per_request().map(|cpu| format!(", {cpu:.2} µs CPU each")).unwrap_or_default();
        (self.say)(&format!("{what}, {target}: {:.0} requests/s{cpu}", measured.tally.per_sec()));
    }

    fn settings(&self) -> Settings {
        let plan = self.plan;
        Settings {
            server: plan.running.as_ref().map_or("own", |running| &running.url).to_owned(),
            connections: plan.connections,
            load: plan
                .per_sec
                .map_or("closed".to_owned(), |per_sec| format!("open ({per_sec:.0} requests/s)")),
            protocol: match plan.protocol {
                Protocol::Http1 => "HTTP/1.1",
                Protocol::Http2 => "HTTP/2",
            }
            .to_owned(),
            tls: plan.tls,
            duration_ms: u64::try_from(plan.timing.duration.as_millis()).unwrap_or(u64::MAX),
            repeats: plan.timing.repeats,
            server_cores: self.cores.servers.clone(),
            generator_cores: self.cores.generator.clone(),
        }
    }

    fn remarks(&self, machine: &Machine) -> Vec<String> {
        let mut remarks = Vec::new();
        if machine.profile != "release" {
            remarks.push(format!(
                "A {} build was measured: its figures say nothing about a release.",
                machine.profile
            ));
        }
        if self.plan.running.as_ref().is_some_and(|running| running.pid.is_none()) {
            remarks.push(
                "CPU time and memory of the server are not known: it was not named with --target-pid."
                    .to_owned(),
            );
        }
        if self.plan.running.as_ref().is_some_and(|running| !running.is_comparable()) {
            remarks.push(
                "There is no ceiling: the server is not on this machine, or its certificate is not ours to show."
                    .to_owned(),
            );
        }
        if self.cores.servers.is_empty() {
            remarks.push(
                "Nothing could be pinned to cores of its own: server and generator disturb each other."
                    .to_owned(),
            );
        }
        if machine.load_average > 0.5 {
            let load = machine.load_average;
            remarks.push(format!(
                "The machine was not quiet: {load:.1} processes were ready to run before the start."
            ));
        }
        if machine.keeps_files_in_memory() {
            let kind = &machine.file_system;
            remarks
                .push(format!("The data folders were in memory ({kind}): what is durable was not measured."));
        }
        remarks
    }
}
