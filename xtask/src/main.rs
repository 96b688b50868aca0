//! The project's own tasks: `cargo xtask test` and what it is made of.

mod package;
mod tools;

use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

const USAGE: &str = "\
usage: cargo xtask TASK

  test [ARGS]   build everything and run every test; installs what the tests need, or names it.
                ARGS go to the test runner (cargo nextest where it is installed, else cargo test);
                without any, a build with planted bugs shows first that the suite finds each
  interop       of these only the ones with unmodified programs of others: libraries, Apache, nginx, FreeRADIUS
  check         what CI checks before the tests: format, lints, fuzz targets, example, licences and advisories
  bench         print start-up time and idle memory of the release build
  chaos --minutes N [--seed S]
                let faults happen to three nodes and their database under load, and judge every answer;
                exit code 1 on a breach. The same seed draws the same faults
  package [--profile NAME]
                build the Debian package (needs cargo-deb), and say where it is
  package-test [--before FILE] [--profile NAME]
                install it in a Debian of its own with systemd as process 1, upgrade to it, use it, remove it; as root.
                FILE: a package or a program of the version before
  chart-test    render the Helm chart and look at what comes out (docs/deploy-kubernetes.md)
  fuzz SECS     run each fuzz target for so many seconds (needs cargo-fuzz)
";

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz");
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/web-app/Cargo.toml");
const EXAMPLE_TARGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/examples");

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match task.as_str() {
        "test" => test(&rest),
        "interop" => interop(),
        "check" => check(),
        "bench" => bench(),
        "chaos" => chaos(&rest),
        "package" => package::package(&rest),
        "package-test" => package::package_test(&rest),
        "chart-test" => package::chart_test(),
        "fuzz" => fuzz(&rest),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn test(arguments: &[String]) -> anyhow::Result<()> {
    tools::ensure_all(&tools::FOR_TESTS)?;
    tools::ensure_all(&tools::FOR_INTEROP)?;
    // First: the build without planted bugs is then the one that stays.
    let planted = if arguments.is_empty() { planted_bugs() } else { Ok(()) };
    // Before the suite, which starts it: compiling beside other tests would cost them their time.
    let of_example = ["--locked", "--manifest-path", EXAMPLE, "--target-dir", EXAMPLE_TARGET];
    let example = cargo(&[&["test"], &of_example[..]].concat(), &[])
        .and_then(|()| cargo(&[&["build"], &of_example[..]].concat(), &[]));
    let tested = match tools::has_subcommand("nextest") {
        true => cargo(&["nextest", "run", "--workspace", "--no-fail-fast"], arguments)
            .and_then(|()| cargo(&["test", "--workspace", "--doc"], &[])),
        false => cargo(&["test", "--workspace", "--no-fail-fast"], arguments),
    };
    tested.and(planted).and(example)
}

/// Shows that the suite finds the bugs it is there to find, with a build that holds them.
fn planted_bugs() -> anyhow::Result<()> {
    let build = ["test", "--package", "obol", "--features", "planted-bugs", "--test", "planted_bugs"];
    cargo(&[&build[..], &["--no-fail-fast", "--", "--test-threads", "1"]].concat(), &[])
}

/// What they need beyond Debian's packages the tests fetch themselves, each version pinned.
fn interop() -> anyhow::Result<()> {
    tools::ensure_all(&tools::FOR_INTEROP)?;
    for tests in [&["interop"][..], &["forward_auth", "nginx"]] {
        cargo(&[&["test", "--package", "obol", "--test"], tests].concat(), &[])?;
    }
    Ok(())
}

fn check() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"], &[])?;
    let fuzz_targets = ["check", "--quiet", "--locked", "--no-default-features", "--manifest-path"];
    cargo(
        &[&fuzz_targets[..], &[&format!("{FUZZ}/Cargo.toml"), "--target-dir", "target/fuzz"]].concat(),
        &[],
    )?;
    let example = ["--manifest-path", EXAMPLE];
    cargo(&[&["fmt"][..], &example, &["--check"]].concat(), &[])?;
    let lints =
        ["--locked", "--all-targets", "--quiet", "--target-dir", EXAMPLE_TARGET, "--", "-D", "warnings"];
    cargo(&[&["clippy"][..], &example, &lints].concat(), &[])?;
    if !tools::has_subcommand("deny") {
        eprintln!(
            "xtask: cargo-deny is not installed, so licences, bans and advisories are not checked here"
        );
        return Ok(());
    }
    cargo(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"], &[])?;
    match cargo(&["deny", "--log-level", "error", "fetch", "db"], &[]) {
        Ok(()) => cargo(&["deny", "--log-level", "error", "check", "advisories"], &[]),
        Err(_unreachable) => {
            eprintln!("xtask: the advisory database cannot be reached, so advisories are not checked here");
            Ok(())
        }
    }
}

fn bench() -> anyhow::Result<()> {
    cargo(&["bench", "--package", "obol", "--bench", "start_and_idle"], &[])
}

fn chaos(arguments: &[String]) -> anyhow::Result<()> {
    tools::ensure_all(&tools::FOR_TESTS)?;
    cargo(&["test", "--release", "--package", "obol", "--test", "chaos", "--"], arguments)
}

fn fuzz(arguments: &[String]) -> anyhow::Result<()> {
    let [secs] = arguments else { bail!("say for how many seconds: cargo xtask fuzz 60") };
    secs.parse::<u32>().context("the seconds are a whole number")?;
    if !tools::has_subcommand("fuzz") {
        bail!("install cargo-fuzz first: cargo install cargo-fuzz --locked");
    }
    for target in ["access_token", "jwt", "params", "authorization"] {
        let folder = |name: &str| format!("{FUZZ}/{name}/{target}");
        let (found, seeds) = (folder("corpus"), folder("seeds"));
        std::fs::create_dir_all(&found).with_context(|| found.clone())?;
        // The sanitizer flags are unstable; this unlocks them on a stable compiler.
        let mut command = Command::new("cargo");
        command.args(["fuzz", "run", "--fuzz-dir", FUZZ, target, &found, &seeds, "--"]);
        command.arg(format!("-max_total_time={secs}")).env("RUSTC_BOOTSTRAP", "1");
        run(&mut command)?;
    }
    Ok(())
}

fn cargo(arguments: &[&str], more: &[String]) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    command.args(arguments).args(more);
    run(&mut command)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    eprintln!("xtask: {command:?}");
    let status = command.status().with_context(|| format!("{command:?} could not be started"))?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}
