//! Tells the crate what compiled it: a figure without its compiler and profile cannot be compared.

use std::process::Command;

#[allow(clippy::disallowed_methods, reason = "Cargo speaks to build scripts through the environment")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let version = Command::new(variable("RUSTC")).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("cargo:rustc-env=OBOL_BENCH_RUSTC={}", version.unwrap_or_else(|_| "rustc unknown".to_owned()));
    println!("cargo:rustc-env=OBOL_BENCH_PROFILE={}", variable("PROFILE"));
}
