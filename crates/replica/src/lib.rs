//! This node's memory: follows the change log, holds the lease, answers verify.
