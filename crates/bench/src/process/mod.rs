//! Processes that are measured: started, watched, ended.

mod child;
mod cpu_time;
mod descriptors;
mod memory;

pub(crate) use child::{Child, Running};
pub(crate) use cpu_time::CpuTime;
pub(crate) use descriptors::make_room_for_connections;
pub(crate) use memory::resident_bytes;
