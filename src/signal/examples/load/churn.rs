//! Whether anything is kept of those who have gone: how much more memory there is after many joins and leaves than
//! after the first tenth of them, when buffers and tables have the size that so many at a time need.
//!
//! Once for the hub alone, in a process of its own without sockets, and once for the whole server. Through sockets
//! everybody has a new key, and each two a new topic, as strangers have.

use std::process::{Command, Stdio};
use std::time::Duration;

use converge_signal::Nonce;
use converge_signal::hub::{Hub, Input, Join, Session, Settings};
use tokio::time::sleep;

use crate::Result;
use crate::client::{Peer, Sources, topic};
use crate::crowd::come_and_go;
use crate::process::{Server, rss_kb};
use crate::report::result;
use crate::serve::Serve;

/// Sockets open at a time.
const AT_ONCE: usize = 64;

/// Different peers at the hub, in rooms of eight: proofs are dear, so these come again and again.
const HUB_PEERS: u64 = 512;

/// How many of them are there at a time.
const HUB_PRESENT: u64 = 256;

/// The hub's clock from one join to the next.
const HUB_STEP: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Churn {
    /// Joins and leaves at the hub
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) hub: u64,
    /// Joins and leaves by socket
    #[arg(long, default_value_t = 50_000)]
    pub(crate) sockets: u64,
}

pub(crate) async fn run(churn: &Churn) -> Result<()> {
    let hub = in_child(churn.hub)?;
    println!("churn: {} joins at the hub", churn.hub);
    result("churn_hub_growth_kb", hub, 0, "kB");
    let sockets = by_socket(churn.sockets).await?;
    result("churn_socket_growth_kb", sockets, 0, "kB");
    result("churn_growth_kb", hub + sockets, 0, "kB");
    Ok(())
}

/// The growth in kB; less than nothing if it has shrunk.
async fn by_socket(joins: u64) -> Result<f64> {
    let server = Server::product(&Serve::default())?;
    let sources = Sources::default();
    let tenth = joins / 10;
    let mut sizes = Vec::new();
    for part in 0..=10 {
        let numbers = part * tenth..(part + 1) * tenth;
        come_and_go(server.target, numbers, (AT_ONCE, 0), &sources, |number| topic("churn", number / 2)).await?;
        sleep(Duration::from_millis(200)).await;
        sizes.push(server.rss_kb()?);
    }
    let metrics = server.metrics().await?;
    if metrics.get("converge_members") + metrics.get("converge_connections") + metrics.get("converge_topics") > 0 {
        return Err("somebody who has gone is still there".into());
    }
    println!("  {joins} joins by socket after {tenth} to warm up; kB after each {tenth}: {sizes:?}");
    let [first, .., last] = sizes[..] else { return Err("too few joins".into()) };
    Ok(last as f64 - first as f64)
}

fn in_child(joins: u64) -> Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(["hub-churn", &joins.to_string()]).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let growth = text.trim().strip_prefix("growth ").ok_or("the hub's process has failed")?;
    Ok(growth.parse()?)
}

/// What the child does.
pub(crate) fn hub(joins: u64) -> Result<()> {
    let proved = (0..HUB_PEERS).map(prove).collect::<Result<Vec<Join>>>()?;
    let mut hub = Hub::new(Settings::default(), 1);
    let mut now = Duration::ZERO;
    let mut first = 0;
    for number in 0..joins + joins / 10 {
        if number == joins / 10 {
            first = rss_kb("self")?;
        }
        now += HUB_STEP;
        wake(&mut hub, now);
        let join = proved[usize::try_from(number % HUB_PEERS)?];
        take(&mut hub, now, Input::Connected { conn: number, nonce: Nonce::from_bytes([1; 32]) });
        take(&mut hub, now, Input::Join { conn: number, join });
        if let Some(conn) = number.checked_sub(HUB_PRESENT) {
            leave(&mut hub, now, conn);
        }
    }
    for conn in (joins + joins / 10).saturating_sub(HUB_PRESENT)..joins + joins / 10 {
        leave(&mut hub, now, conn);
    }
    // Those who may come back are waited for.
    now += Settings::default().grace * 2;
    wake(&mut hub, now);
    if hub.members() + hub.connections() + hub.topics() > 0 {
        return Err("somebody who has gone is still there".into());
    }
    println!("growth {}", rss_kb("self")? as f64 - first as f64);
    Ok(())
}

fn prove(number: u64) -> Result<Join> {
    let nonce = Nonce::from_bytes([1; 32]);
    let hello = Peer::new(number).hello(&nonce, "", topic("hub", number / 8));
    Session::new(nonce, "", 65_536).prove(&hello).map_err(|code| format!("{code:?}").into())
}

/// In each of the ways there are.
fn leave(hub: &mut Hub, now: Duration, conn: u64) {
    match conn % 3 {
        0 => take(hub, now, Input::Leave { conn }),
        1 => {}
        _ => return take(hub, now, Input::Disconnected { conn, clean: false }),
    }
    take(hub, now, Input::Disconnected { conn, clean: true });
}

fn wake(hub: &mut Hub, now: Duration) {
    while hub.wake_at().is_some_and(|at| at <= now) {
        take(hub, now, Input::Woken);
    }
}

fn take(hub: &mut Hub, now: Duration, input: Input<'_>) {
    hub.handle(now, input);
    while hub.poll().is_some() {}
}
