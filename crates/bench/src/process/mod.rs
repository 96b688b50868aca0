//! Processes that are measured: started, watched, ended.

mod child;
mod cpu_time;
mod memory;

pub(crate) use child::{Child, Running};
pub(crate) use cpu_time::CpuTime;
pub(crate) use memory::resident_bytes;
