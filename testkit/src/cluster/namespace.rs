//! A network of its own for a node, where the system allows it: two cables, one for who asks and one for the database, of
//! which the second can be pulled out. What a proxy can only imitate: packets that are lost, and nobody who resets.

use std::net::Ipv4Addr;
use std::process::Command;

/// A network namespace with two pairs of interfaces. Gone when dropped.
pub struct Namespace {
    name: String,
    number: u8,
}

/// Where each cable ends outside; inside it is the next address.
const ASKED: [u8; 2] = [10, 77];
const DATABASE: [u8; 2] = [10, 78];

impl Namespace {
    /// Why there can be none, if there can be none: it takes the superuser and `ip`.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_allowed() -> Result<(), String> {
        drop(Self::make(0)?);
        Ok(())
    }

    /// Makes one for a node. The numbers are the machine's: who makes one must be alone on it.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn make(number: u8) -> Result<Self, String> {
        let made = Self { name: format!("obol-test-{number}"), number };
        // One that a killed test has left.
        let _none = ip(&["netns", "del", &made.name]);
        ip(&["netns", "add", &made.name])?;
        made.plug_in("ask", ASKED)?;
        made.plug_in("db", DATABASE)?;
        Ok(made)
    }

    /// Where the node is asked.
    pub(super) fn inside(&self) -> Ipv4Addr {
        address(ASKED, self.number, 2)
    }

    /// Who asks it.
    pub(super) fn network(&self) -> String {
        format!("{}/30", address(ASKED, self.number, 0))
    }

    /// Where the node finds its database.
    pub(super) fn database(&self) -> Ipv4Addr {
        address(DATABASE, self.number, 1)
    }

    /// What runs a program in it.
    pub(super) fn runner(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Pulls out the cable to the database.
    #[track_caller]
    pub fn unplug(&self) {
        ip(&["-n", &self.name, "link", "set", "db", "down"]).expect("a cable can be pulled out");
    }

    /// Puts it back.
    #[track_caller]
    pub fn plug(&self) {
        ip(&["-n", &self.name, "link", "set", "db", "up"]).expect("a cable can be put back");
    }

    fn plug_in(&self, cable: &str, network: [u8; 2]) -> Result<(), String> {
        let outside = format!("obol{}{cable}", self.number);
        let name = &self.name;
        ip(&["link", "add", &outside, "type", "veth", "peer", "name", cable, "netns", name])?;
        ip(&["address", "add", &format!("{}/30", address(network, self.number, 1)), "dev", &outside])?;
        ip(&["link", "set", &outside, "up"])?;
        let inside = format!("{}/30", address(network, self.number, 2));
        ip(&["-n", name, "address", "add", &inside, "dev", cable])?;
        ip(&["-n", name, "link", "set", cable, "up"])
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its cables go with it.
        let _gone = ip(&["netns", "del", &self.name]);
    }
}

fn address([first, second]: [u8; 2], number: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(first, second, number, last)
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let ran = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    match ran.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned()),
    }
}
