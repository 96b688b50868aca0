//! `cargo xtask package`, `package-test` and `chart-test`: the Debian package, and the proof that it and the Helm chart hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::tools;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The folder in which a server of the package keeps everything.
const DATA: &str = "data = \"/var/lib/obol\"";

/// Builds the package, and says where it is.
pub(crate) fn package(arguments: &[String]) -> anyhow::Result<()> {
    let built = build(profile(arguments)?)?;
    println!("{}", built.display());
    Ok(())
}

/// Installs, upgrades, uses, removes and purges the package in a Debian of its own.
pub(crate) fn package_test(arguments: &[String]) -> anyhow::Result<()> {
    let (before, rest) = match arguments {
        [flag, before, rest @ ..] if flag == "--before" => (Some(Path::new(before)), rest),
        rest => (None, rest),
    };
    tools::ensure_all(&tools::FOR_PACKAGE_TEST)?;
    let deb = build(profile(rest)?)?;
    let folder = made(&target()?.join("package/test"))?;
    let before = repack(&deb, before, &folder)?;
    let script = Path::new(ROOT).join("packaging/test/package-test.sh");
    super::run(Command::new(script).args([&folder, &deb, &before]))
}

/// Renders the Helm chart, and has the program read the configuration in it.
pub(crate) fn chart_test() -> anyhow::Result<()> {
    tools::ensure_all(&tools::FOR_CHART_TEST)?;
    super::cargo(&["build", "--locked", "--package", "obol"], &[])?;
    let script = Path::new(ROOT).join("packaging/helm/check.sh");
    super::run(Command::new(script).arg(target()?.join("debug/obol")))
}

fn profile(arguments: &[String]) -> anyhow::Result<&str> {
    match arguments {
        [] => Ok("release"),
        [flag, profile] if flag == "--profile" => Ok(profile),
        _ => bail!("only --profile PROFILE is understood here, not {arguments:?}"),
    }
}

fn build(profile: &str) -> anyhow::Result<PathBuf> {
    if !tools::has_subcommand("deb") {
        bail!("install cargo-deb first: cargo install cargo-deb --locked");
    }
    super::cargo(&["build", "--locked", "--package", "obol", "--profile", profile], &[])?;
    let target = target()?;
    let program = target.join(if profile == "dev" { "debug" } else { profile }).join("obol");
    write_what_the_program_says(&program, &made(&target.join("package"))?)?;
    let folder = made(&target.join("debian"))?;
    let folder = folder.to_str().context("the target folder's name is not UTF-8")?;
    let options = ["--no-build", "--profile", profile, "--strip", "--no-dbgsym", "--output", folder];
    let mut command = Command::new("cargo");
    command.args(["deb", "--locked", "--package", "obol"]).args(options).current_dir(ROOT);
    // cargo-deb prints the name of the package, last and alone.
    Ok(PathBuf::from(stdout(&mut command)?.lines().last().context("cargo-deb has named no package")?.trim()))
}

/// The configuration, manual pages and completions, so that they are those of this very program.
fn write_what_the_program_says(program: &Path, folder: &Path) -> anyhow::Result<()> {
    let sample = stdout(Command::new(program).args(["config", "sample"]))?;
    let default = "#data = \"./obol-data\"";
    ensure!(sample.contains(default), "the sample's line for the data folder has changed");
    write(&folder.join("obol.toml"), &sample.replace(default, DATA))?;

    let pages = folder.join("man1");
    if pages.exists() {
        fs::remove_dir_all(&pages)?;
    }
    stdout(Command::new(program).arg("manual").arg(&pages))?;
    let completions = made(&folder.join("completions"))?;
    for (shell, file) in [("bash", "obol"), ("zsh", "_obol"), ("fish", "obol.fish")] {
        write(&completions.join(file), &stdout(Command::new(program).args(["completions", shell]))?)?;
    }
    Ok(())
}

/// The package of the version before: the one given; or the program given, packed up as this one is; or, without any, this
/// one under a lower version.
fn repack(deb: &Path, before: Option<&Path>, folder: &Path) -> anyhow::Result<PathBuf> {
    if let Some(package) = before.filter(|file| file.extension().is_some_and(|end| end == "deb")) {
        return Ok(package.to_owned());
    }
    let tree = folder.join("before");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    super::run(Command::new("dpkg-deb").arg("--raw-extract").args([deb, &tree]))?;
    rewrite(&tree.join("DEBIAN/control"), |control| control.replacen("Version: ", "Version: 0~before.", 1))?;
    // Sums are optional, and those of the program no longer hold.
    let sums = tree.join("DEBIAN/md5sums");
    if sums.exists() {
        fs::remove_file(sums)?;
    }
    if let Some(program) = before {
        let program_of_it = tree.join("usr/bin/obol");
        fs::copy(program, &program_of_it).with_context(|| program.display().to_string())?;
        if !says_when_it_is_ready(&fs::read(program)?) {
            let unit = tree.join("lib/systemd/system/obol.service");
            let unit = if unit.exists() { unit } else { tree.join("usr/lib/systemd/system/obol.service") };
            rewrite(&unit, |unit| {
                unit.replace("Type=notify", "Type=exec").replace("WatchdogSec=", "#WatchdogSec=")
            })?;
        }
    }
    let package = folder.join("before.deb");
    let arguments = ["--root-owner-group", "--build"];
    super::run(Command::new("dpkg-deb").args(arguments).args([&tree, &package]))?;
    Ok(package)
}

fn says_when_it_is_ready(program: &[u8]) -> bool {
    let name = b"NOTIFY_SOCKET";
    program.windows(name.len()).any(|window| window == name)
}

fn target() -> anyhow::Result<PathBuf> {
    let metadata = ["metadata", "--no-deps", "--format-version", "1"];
    let text = stdout(Command::new("cargo").args(metadata).current_dir(ROOT))?;
    let (_, rest) =
        text.split_once("\"target_directory\":\"").context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(rest.split('"').next().unwrap_or_default()))
}

fn made(folder: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    Ok(folder.to_owned())
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| file.display().to_string())
}

fn rewrite(file: &Path, change: impl FnOnce(String) -> String) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    write(file, &change(text))
}

fn stdout(command: &mut Command) -> anyhow::Result<String> {
    eprintln!("xtask: {command:?}");
    let output = command.output().with_context(|| format!("{command:?} could not be started"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} prints no UTF-8"))
}
