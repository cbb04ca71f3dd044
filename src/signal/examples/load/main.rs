//! Puts load on the signalling server, and measures what it costs the server: CPU time for each thing that clients do,
//! memory for each member.
//!
//! Machines differ, and the same one from one minute to the next, so the figures to look at are ratios: of the product
//! to a rig, a bare WebSocket server that checks signatures and relays texts, measured in turn with it. Either is this
//! program again in a process of its own, on one thread; its CPU time and memory are what the operating system says.
//! What is for programs is printed as `RESULT name=value unit`.

mod abuse;
mod abusers;
mod bystander;
mod churn;
mod client;
mod crowd;
mod h2;
mod idle;
mod join;
mod pairs;
mod process;
mod relay;
mod report;
mod rig;
mod serve;
mod storm;
mod strangers;

use std::error::Error;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::time::{Instant, timeout};

use self::join::Rooms;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The one that the product has: what a server holds depends on how well its allocator fills gaps.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Of the client. The servers have one thread each.
const CLIENT_THREADS: usize = 2;

/// Nothing here takes longer, whatever it is asked for.
const AT_MOST: Duration = Duration::from_secs(30 * 60);

/// Puts load on the signalling server and prints what it costs the server.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// CPU time to carry a signal, and the same of the rig
    Relay(relay::Relay),
    /// CPU time for a join and leave with many members there, and the same of the rig
    Join(join::Join),
    /// Frames sent when many join one room at once
    JoinStorm {
        /// Peers that join at once
        #[arg(long, default_value_t = 1000)]
        peers: u64,
    },
    /// Memory for an idle member
    Idle(idle::Idle),
    /// Growth of memory with joins and leaves
    Churn(churn::Churn),
    /// Time until everybody is back after the server was killed and started again
    Storm(storm::Storm),
    /// What those who behave suffer from those who don't
    Abuse(abuse::Abused),
    /// Waits of good clients while strangers lock them out, and while members flood them
    Bystander(bystander::Bystander),
    /// Waits of visitors while strangers request too much of the whole server
    Strangers(strangers::Strangers),
    /// All of these but `strangers`, in some five minutes
    All,
    #[command(hide = true)]
    Serve(serve::Serve),
    #[command(hide = true)]
    Rig,
    #[command(hide = true)]
    HubChurn { joins: u64 },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Rig => rig::run(),
        Command::HubChurn { joins } => churn::hub(joins),
        command => {
            process::raise_descriptor_limit()?;
            let run = async { timeout(AT_MOST, run(command)).await? };
            // On a worker, like all the rest, and not on a thread besides.
            serve::runtime(CLIENT_THREADS)?.block_on(async { tokio::spawn(run).await? })
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Relay(relay) => relay::run(&relay).await,
        Command::Join(join) => join::run(&join).await.map(|_| ()),
        Command::JoinStorm { peers } => join::storm(peers).await,
        Command::Idle(idle) => idle::run(&idle).await,
        Command::Churn(churn) => churn::run(&churn).await,
        Command::Storm(storm) => storm::run(&storm).await,
        Command::Abuse(abused) => abuse::run(&abused).await,
        Command::Bystander(bystander) => bystander::run(&bystander).await,
        Command::Strangers(strangers) => strangers::run(&strangers).await,
        Command::All => all().await,
        Command::Serve(_) | Command::Rig | Command::HubChurn { .. } => Ok(()),
    }
}

async fn all() -> Result<()> {
    let begun = Instant::now();
    relay::run(&relay::Relay { connections: 1000, seconds: 0.5, in_flight: vec![1, 16], bytes: 300, rounds: 10 })
        .await?;
    for visits in [false, true] {
        let (members, rooms) = (vec![1000], Rooms::Small);
        let join = join::Join { members, rooms, joins: 512, visits, pace: 1000, rounds: 10, no_rig: false };
        join::run(&join).await?;
    }
    let mut growth = f64::MIN;
    for rooms in [Rooms::Small, Rooms::One] {
        let members = vec![1000, 16_000];
        let join = join::Join { members, rooms, joins: 160, visits: false, pace: 150, rounds: 8, no_rig: true };
        growth = growth.max(join::run(&join).await?);
    }
    report::result("join_growth_16k", growth, 3, "x");
    join::storm(1000).await?;
    idle::run(&idle::Idle { peers: 10_000 }).await?;
    churn::run(&churn::Churn { hub: 1_000_000, sockets: 50_000 }).await?;
    storm::run(&storm::Storm { peers: 10_000 }).await?;
    abuse::run(&abuse::Abused { pairs: 64, seconds: 0.5, rounds: 8 }).await?;
    bystander::run(&bystander::Bystander { seconds: 6.0, rounds: 3 }).await?;
    println!("took {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}
