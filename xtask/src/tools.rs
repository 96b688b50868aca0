//! What the tests need beyond Rust and a C compiler: found, installed when that is possible, or named.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::bail;

/// A program that the tests run.
pub(crate) struct Tool {
    program: &'static str,
    /// Arguments with which it succeeds if it is whole.
    probe: &'static [&'static str],
    debian_package: &'static str,
    needed_for: &'static str,
}

impl Tool {
    /// On the path, or where Debian keeps the programs of each version of PostgreSQL, and those of the administrator.
    fn is_there(&self) -> bool {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut places = versions.map(|version| version.path().join("bin").join(self.program));
        runs(Command::new(self.program).args(self.probe))
            || places.any(|place| place.exists())
            || Path::new("/usr/sbin").join(self.program).exists()
    }
}

/// What the tests run, besides [`FOR_INTEROP`].
pub(crate) const FOR_TESTS: [Tool; 5] = [
    Tool {
        program: "curl",
        probe: &["--version"],
        debian_package: "curl",
        needed_for: "the curl lines of the seed pages and of `obol serve --dev`",
    },
    Tool {
        program: "cc",
        probe: &["--version"],
        debian_package: "gcc",
        needed_for: "the libraries written in C, and the shim that makes disks fail",
    },
    Tool {
        program: "initdb",
        probe: &["--version"],
        debian_package: "postgresql",
        needed_for: "several nodes on one PostgreSQL",
    },
    Tool {
        program: "chromium",
        probe: &["--version"],
        debian_package: "chromium",
        needed_for: "people who sign in with a browser",
    },
    Tool {
        program: "chromedriver",
        probe: &["--version"],
        debian_package: "chromium-driver",
        needed_for: "people who sign in with a browser",
    },
];

/// Programs of others with which the server is tried, and what fetches and starts them.
pub(crate) const FOR_INTEROP: [Tool; 10] = [
    Tool {
        program: "nginx",
        probe: &["-v"],
        debian_package: "nginx",
        needed_for: "a gateway that asks /forward-auth",
    },
    Tool {
        program: "npm",
        probe: &["--version"],
        debian_package: "npm",
        needed_for: "the libraries of applications in JavaScript, and the check of the pages' accessibility",
    },
    Tool {
        program: "python3",
        probe: &["-c", "import ensurepip, venv"],
        debian_package: "python3-venv",
        needed_for: "applications on PyPI's Authlib and requests-oauthlib",
    },
    Tool {
        program: "node",
        probe: &["-e", "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)"],
        debian_package: "nodejs",
        needed_for: "applications on npm's openid-client and oauth4webapi (Node.js 20 or newer)",
    },
    Tool {
        program: "apache2",
        probe: &["-v"],
        debian_package: "apache2-bin",
        needed_for: "a gateway with mod_auth_openidc",
    },
    Tool {
        program: "ls",
        probe: &["/usr/lib/apache2/modules/mod_auth_openidc.so"],
        debian_package: "libapache2-mod-auth-openidc",
        needed_for: "a gateway with mod_auth_openidc",
    },
    Tool { program: "freeradius", probe: &["-v"], debian_package: "freeradius", needed_for: "RADIUS" },
    Tool {
        program: "ls",
        probe: &["/usr/lib/freeradius/rlm_rest.so"],
        debian_package: "freeradius-rest",
        needed_for: "RADIUS that asks verify_token/",
    },
    Tool {
        program: "radclient",
        probe: &["-v"],
        debian_package: "freeradius-utils",
        needed_for: "a device that speaks RADIUS",
    },
    Tool {
        program: "eapol_test",
        probe: &["-v"],
        debian_package: "eapoltest",
        needed_for: "a device that speaks EAP-TTLS",
    },
];

/// What the test of the Debian package runs.
pub(crate) const FOR_PACKAGE_TEST: [Tool; 3] = [
    Tool {
        program: "mmdebstrap",
        probe: &["--version"],
        debian_package: "mmdebstrap",
        needed_for: "a Debian to install the package in",
    },
    Tool {
        program: "dpkg-deb",
        probe: &["--version"],
        debian_package: "dpkg",
        needed_for: "the package of the version before",
    },
    Tool {
        program: "nsenter",
        probe: &["--version"],
        debian_package: "util-linux",
        needed_for: "a process 1 of its own",
    },
];

/// What renders the Helm chart, where helm itself is not at hand.
pub(crate) const FOR_CHART_TEST: [Tool; 4] = [
    Tool {
        program: "go",
        probe: &["version"],
        debian_package: "golang-go",
        needed_for: "templates of the Helm chart",
    },
    Tool {
        program: "ls",
        probe: &["/usr/share/gocode/src/github.com/Masterminds/sprig"],
        debian_package: "golang-github-masterminds-sprig-dev",
        needed_for: "the functions that they call",
    },
    Tool {
        program: "ls",
        probe: &["/usr/share/gocode/src/sigs.k8s.io/yaml"],
        debian_package: "golang-k8s-sigs-yaml-dev",
        needed_for: "their values",
    },
    Tool {
        program: "python3",
        probe: &["-c", "import yaml"],
        debian_package: "python3-yaml",
        needed_for: "looking at what comes out",
    },
];

/// Whether all tools are there at the end.
///
/// # Errors
/// The exact command that installs what is missing, when this could not.
pub(crate) fn ensure_all(tools: &[Tool]) -> anyhow::Result<()> {
    for tool in tools.iter().filter(|tool| !tool.is_there()) {
        eprintln!("xtask: {} is missing (for {}); installing it", tool.program, tool.needed_for);
        let quiet = |command: &mut Command| command.status().is_ok_and(|status| status.success());
        let _updated = quiet(Command::new("apt-get").args(["update", "-qq"]));
        quiet(Command::new("apt-get").args(["install", "-y", "-qq", tool.debian_package]));
        if !tool.is_there() {
            bail!(
                "`{}` is needed for {}, and could not be installed; on Debian: apt-get install {}",
                tool.program,
                tool.needed_for,
                tool.debian_package
            );
        }
    }
    Ok(())
}

/// Whether `cargo NAME` works.
pub(crate) fn has_subcommand(name: &str) -> bool {
    runs(Command::new("cargo").args([name, "--version"]))
}

fn runs(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
