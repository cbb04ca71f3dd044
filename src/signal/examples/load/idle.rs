//! What a member costs that does nothing: how much more memory the server has with all of them than before the first.

use std::time::Duration;

use tokio::time::sleep;

use crate::Result;
use crate::client::{Sources, topic};
use crate::crowd::Crowd;
use crate::join::warm_up;
use crate::process::{Server, affordable};
use crate::report::result;
use crate::serve::Serve;

/// Of each room.
const MEMBERS: u64 = 8;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Idle {
    /// In rooms of eight
    #[arg(long, default_value_t = 10_000)]
    pub(crate) peers: usize,
}

pub(crate) async fn run(idle: &Idle) -> Result<()> {
    let peers = affordable(idle.peers, 0)? as u64;
    println!("idle: {peers} peers in rooms of {MEMBERS}");
    // The rig, for how much of it is axum's, hyper's and tungstenite's.
    for (name, server) in
        [("rig_rss_per_peer_kb", Server::rig()?), ("rss_per_peer_kb", Server::product(&Serve::default())?)]
    {
        let sources = Sources::default();
        warm_up(&server, &sources).await?;
        let before = server.rss_kb()?;
        let crowd = Crowd::gather(server.target, peers, &sources, |number| topic("idle", number / MEMBERS)).await?;
        sleep(Duration::from_secs(1)).await;
        let after = server.rss_kb()?;
        crowd.check()?;
        println!("  {before} kB before, {after} kB after");
        result(name, after.saturating_sub(before) as f64 / peers as f64, 2, "kB");
    }
    Ok(())
}
