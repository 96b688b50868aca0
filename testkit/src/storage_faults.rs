//! Makes every write to a file fail, and lets it succeed again, through the limit on file sizes.
//!
//! The limit of the running process is lowered to nothing: each write to a regular file fails (`EFBIG`), while reading,
//! sockets and pipes go on. Needs no rights and no special file system.

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::Server;

impl Server {
    /// From now on no write to a file succeeds. Only for a server built with `storage_can_fail`.
    pub fn refuse_writes(&self) {
        self.limit_file_size(Some(0));
    }

    /// Writes succeed again.
    pub fn allow_writes(&self) {
        self.limit_file_size(getrlimit(Resource::Fsize).maximum);
    }

    fn limit_file_size(&self, bytes: Option<u64>) {
        assert!(self.storage_can_fail(), "build the server with storage_can_fail(): a signal would end it");
        // The server has inherited our own highest limit, above which only root may go.
        let limit = Rlimit { current: bytes, maximum: getrlimit(Resource::Fsize).maximum };
        prlimit(Some(self.pid()), Resource::Fsize, limit).expect("the limit of an own child can be set");
    }
}
