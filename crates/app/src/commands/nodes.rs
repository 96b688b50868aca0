//! `obol nodes …`: the servers that answer for an installation.

use obol_store::Peer;
use serde::Serialize;

use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::Installation;
use crate::output::{Answer, Output, table};

const LIST_HELP: &str = "\
A revocation is answered when every node of this list has applied it, or may not vouch any more.
A node that was killed stays in the list until the others have seen it silent for a lease.

Example:
  obol nodes list --database-url postgres://obol@db/obol";

/// What to do with nodes.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum NodesCommand {
    /// List the servers that may be answering now, and how far each has read the change log.
    #[command(after_help = LIST_HELP)]
    List,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(command: NodesCommand, settings: &Settings, output: Output) -> Result<End, Failure> {
    let NodesCommand::List = command;
    Installation::visit(settings, async |installation| {
        let mut peers = installation.store().live_peers(None).await.map_err(Failure::refused)?;
        peers.sort_by_key(|peer| *peer.node.as_bytes());
        output.show(&NodeList(peers.iter().map(NodeView::new).collect()))?;
        Ok(End::Done)
    })
}

#[derive(Serialize)]
struct NodeList(Vec<NodeView>);

#[derive(Serialize)]
struct NodeView {
    lease_left_ms: u64,
    node: String,
    position: u64,
}

impl NodeView {
    fn new(peer: &Peer) -> Self {
        Self {
            lease_left_ms: u64::try_from(peer.lease_left.as_millis()).unwrap_or(u64::MAX),
            node: peer.node.to_string(),
            position: peer.applied.number(),
        }
    }
}

impl Answer for NodeList {
    fn text(&self) -> String {
        if self.0.is_empty() {
            return "No server is running.".to_owned();
        }
        let row = |node: &NodeView| {
            vec![node.node.clone(), node.position.to_string(), format!("{} ms", node.lease_left_ms)]
        };
        table(&["node", "applied up to", "may vouch for at most"], self.0.iter().map(row))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use obol_store::NodeId;
    use obol_token::Position;

    use super::*;

    #[test]
    fn a_node_has_the_agreed_keys() {
        let peer = Peer {
            node: NodeId::from_bytes([0xab; 16]),
            applied: Position::new(7),
            lease_left: Duration::from_millis(2_040),
        };
        let list = NodeList(vec![NodeView::new(&peer)]);
        assert_eq!(
            serde_json::to_value(&list).unwrap(),
            serde_json::json!([{ "lease_left_ms": 2040, "node": "ab".repeat(16), "position": 7 }])
        );
        assert!(list.text().contains("2040 ms"), "{}", list.text());
        assert_eq!(NodeList(Vec::new()).text(), "No server is running.");
    }
}
