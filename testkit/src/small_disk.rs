//! A small file system of its own (tmpfs) on a data folder: full when it is full. Needs the right to mount.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system on a folder. Declare it before the server: it is taken away when dropped, and the server must be gone
/// then.
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts a tmpfs of this size on `folder`, which is made.
    ///
    /// # Errors
    /// What the system says when this user may not mount.
    pub fn mount(folder: &Path, kib: u32) -> Result<Self, String> {
        fs::create_dir_all(folder).expect("the test may write its own folder");
        let options = format!("size={kib}k,mode=0700");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output();
        let mount = mount.map_err(|error| format!("mount: {error}"))?;
        if !mount.status.success() {
            return Err(String::from_utf8_lossy(&mount.stderr).trim().to_owned());
        }
        Ok(Self { at: folder.to_owned() })
    }

    /// Writes a file until not a byte more fits.
    #[track_caller]
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file can still be made");
        let mut block = vec![0; 64 * 1024];
        while !block.is_empty() {
            match filler.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => block.truncate(block.len() / 2),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Makes room again.
    #[track_caller]
    pub fn free(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    /// Makes the file system read-only, or writable again, as an administrator does. Fails while a process has a file
    /// open for writing.
    ///
    /// # Errors
    /// What the system says.
    pub fn remount(&self, read_only: bool) -> Result<(), String> {
        let options = if read_only { "remount,ro" } else { "remount,rw" };
        let remount = Command::new("mount").args(["-o", options]).arg(&self.at).output();
        let remount = remount.map_err(|error| format!("mount: {error}"))?;
        match remount.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&remount.stderr).trim().to_owned()),
        }
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that is just ending does not hold it.
        let unmounted = Command::new("umount").arg("-l").arg(&self.at).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.at.display());
        }
        // The installation could not remove its folder while something was mounted in it.
        if let Some(parent) = self.at.parent() {
            let _ = fs::remove_dir_all(parent);
        }
    }
}
