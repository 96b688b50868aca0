//! Programs that Debian delivers.

use std::path::Path;
use std::process::Command;

/// A program of a Debian package, also where Debian keeps those of the administrator: most people's path does not lead there.
pub fn debian_program(name: &str) -> Command {
    let place = Path::new("/usr/sbin").join(name);
    if place.exists() { Command::new(place) } else { Command::new(name) }
}
