//! What it costs when somebody comes and leaves again, with many members there already, and how that grows with their
//! number.
//!
//! A join is a connection, its challenge, the hello with its signature, the welcome, and what the others are told. Those
//! who join come to rooms of their own, which fill up to eight, so that three and a half others are told on average, or
//! to the one room, where as many are told as a sample has; they stay until the round is over. A visit is to somebody's
//! room that is full but for one place, and ends at once: it is a join, the close in order, and what seven others are
//! told of both. A rig's are the same without rooms: nobody is told.
//!
//! In the one room nothing waits to be told together with other news, as it does by default. Who is told of two newcomers
//! at once saves a frame, and that happens the more often the fewer members there are: it would pass for growth.

use std::time::Duration;

use converge_signal::TopicHash;
use futures_util::TryStreamExt;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::client::{Peer, Sources, close, topic};
use crate::crowd::{Crowd, come, come_and_go, part};
use crate::process::{Server, affordable};
use crate::report::{median, median_ratio, result, samples};
use crate::serve::Serve;

/// Members of a small room: these, and one who comes and goes.
const RESIDENTS: u64 = 7;

/// Members of a room that those who stay fill.
const FULL: u64 = 8;

/// Joins under way at a time. Few, for the rooms they go to are to be different ones.
const AT_ONCE: usize = 8;

/// What a welcome names at most, where everybody is in one room.
const SAMPLE: u32 = 16;

/// No ping falls into the time of a measurement, or what is idle would be part of it.
const PING_SECONDS: u64 = 3600;

/// Longer than news wait to be told together.
const NEWS_TOLD: Duration = Duration::from_millis(800);

/// What a single room's storm must be over within.
const STORM_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Join {
    /// That are idle meanwhile; several values are measured in turn
    #[arg(long, value_delimiter = ',', default_value = "1000")]
    pub(crate) members: Vec<usize>,
    /// Rooms of eight, or one of all with samples of 16
    #[arg(long, value_enum, default_value_t = Rooms::Small)]
    pub(crate) rooms: Rooms,
    /// In each round
    #[arg(long, default_value_t = 512)]
    pub(crate) joins: u64,
    /// Measure visits to the members' rooms instead
    #[arg(long)]
    pub(crate) visits: bool,
    /// Joins a second at most, or 0. With the default, small rooms are quiet again before the next visitor comes; what
    /// happens in a room in quick succession is told together, which costs less
    #[arg(long, default_value_t = 1000)]
    pub(crate) pace: u32,
    /// Of each server, in turn
    #[arg(long, default_value_t = 10)]
    pub(crate) rounds: usize,
    /// Don't compare with a rig with as many idle connections as the first number of members
    #[arg(long)]
    pub(crate) no_rig: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Rooms {
    Small,
    One,
}

impl Rooms {
    fn server(self) -> Result<Server> {
        let serve = if self == Self::One { Serve { introduce: 0, ..one_room() } } else { Serve::default() };
        Server::product(&Serve { ping: PING_SECONDS, ..serve })
    }

    /// The room of that many-th member.
    fn home(self, number: u64) -> TopicHash {
        topic("room", if self == Self::One { 0 } else { number / RESIDENTS })
    }

    /// Where that many-th visitor goes, all over the rooms there are.
    fn visited(self, number: u64, members: u64) -> TopicHash {
        let rooms = (members / RESIDENTS).max(1);
        self.home(number * 7919 % rooms * RESIDENTS)
    }
}

/// For everybody in one room.
fn one_room() -> Serve {
    Serve { topic_members: 100_000, sample: SAMPLE, ..Serve::default() }
}

/// A server with its idle members.
struct House {
    server: Server,
    members: u64,
    rooms: Rooms,
    crowd: Crowd,
    sources: Sources,
    visitors: u64,
    /// CPU time for each join, in µs; one for each round.
    costs: Vec<f64>,
    /// Frames that the members were sent for each join; likewise.
    told: Vec<f64>,
}

impl House {
    async fn fill(server: Server, members: usize, rooms: Rooms) -> Result<Self> {
        let (members, sources) = (members as u64, Sources::default());
        let crowd = Crowd::gather(server.target, members, &sources, |number| rooms.home(number)).await?;
        Ok(Self { server, members, rooms, crowd, sources, visitors: 0, costs: Vec::new(), told: Vec::new() })
    }

    async fn round(&mut self, join: &Join) -> Result<()> {
        sleep(NEWS_TOLD).await;
        let (before, heard) = (self.server.cpu()?, self.crowd.heard());
        // Each a key of its own, none of which is a member's.
        let first = self.visitors + (1 << 32);
        self.visitors += join.joins;
        let (numbers, pace) = (first..first + join.joins, (AT_ONCE, join.pace));
        let mut newcomers = Vec::new();
        if join.visits {
            let (rooms, members) = (self.rooms, self.members);
            let visited = |key: u64| rooms.visited(key - (1 << 32), members);
            come_and_go(self.server.target, numbers, pace, &self.sources, visited).await?;
        } else {
            // Not one room after another: who comes to one within a tick would be told of together.
            let rooms = (join.joins / FULL).max(1);
            let fresh = |key: u64| match self.rooms {
                Rooms::Small => topic("fresh", first + (key - first) % rooms),
                Rooms::One => self.rooms.home(0),
            };
            newcomers = come(self.server.target, numbers, pace, &self.sources, fresh).try_collect().await?;
        }
        sleep(NEWS_TOLD).await;
        self.costs.push((self.server.cpu()? - before).as_secs_f64() * 1e6 / join.joins as f64);
        self.told.push((self.crowd.heard() - heard) as f64 / join.joins as f64);
        part(newcomers).await?;
        self.crowd.check()
    }
}

/// How much more a join costs with the last number of members than with the first.
pub(crate) async fn run(join: &Join) -> Result<f64> {
    let mut houses = Vec::new();
    let mut open = 0;
    let rig = (!join.no_rig).then(|| join.members.first().copied()).flatten();
    if let Some(members) = rig {
        let members = affordable(members, open)?;
        houses.push(House::fill(Server::rig()?, members, join.rooms).await?);
        open += members;
    }
    for members in &join.members {
        let members = affordable(*members, open)?;
        houses.push(House::fill(join.rooms.server()?, members, join.rooms).await?);
        open += members;
    }
    // One of each to warm up.
    for round in 0..=join.rounds {
        for house in &mut houses {
            house.round(join).await?;
            if round == 0 {
                house.costs.clear();
                house.told.clear();
            }
        }
    }
    let what = if join.visits { "visit" } else { "join" };
    println!("{what}: rooms {:?}, {} in each round, {} a second at most", join.rooms, join.joins, join.pace);
    for house in &houses {
        let name = format!("{:?} with {} members", house.server.target.kind, house.members);
        samples(&name, &house.costs, "µs");
        println!("    {:.1} frames to its members for each", median(house.told.iter().copied()));
    }
    let (floor, ours) = houses.split_at(usize::from(rig.is_some()));
    if let ([floor], [ours, ..]) = (floor, ours) {
        result(&format!("{what}_cpu_us"), median(ours.costs.iter().copied()), 1, "us");
        result(&format!("rig_{what}_cpu_us"), median(floor.costs.iter().copied()), 1, "us");
        result(&format!("{what}_cpu_ratio"), median_ratio(&ours.costs, &floor.costs), 3, "x");
    }
    let (Some(few), Some(many)) = (ours.first(), ours.last()) else { return Ok(1.0) };
    let growth = median_ratio(&many.costs, &few.costs);
    if many.members != few.members {
        println!("  {growth:.3} times as much with {} members as with {}", many.members, few.members);
    }
    Ok(growth)
}

/// Frames that everybody sends when many join one room at once: those of the protocol, without closes and pings.
pub(crate) async fn storm(peers: u64) -> Result<()> {
    let server = Server::product(&Serve { ping: PING_SECONDS, ..one_room() })?;
    let sources = Sources::default();
    let mut waiting = Vec::new();
    for number in 0..peers {
        waiting.push((Peer::new(number), server.target.open(sources.next()).await?));
    }
    let begun = Instant::now();
    // All hellos, before anybody reads.
    for (peer, opened) in &mut waiting {
        opened.say_hello(peer, topic("storm", 0)).await?;
    }
    let mut crowd = Crowd::default();
    for (_, opened) in waiting {
        crowd.add(opened.socket);
    }
    let mut heard = 0;
    loop {
        sleep(NEWS_TOLD).await;
        if crowd.heard() == heard && server.metrics().await?.get("converge_members") == peers {
            break;
        }
        heard = crowd.heard();
        crowd.check()?;
        if begun.elapsed() > STORM_WITHIN {
            return Err("the storm goes on and on".into());
        }
    }
    let metrics = server.metrics().await?;
    // The challenges were read before; the hellos are all that clients send.
    let (down, up) = (heard + peers, peers);
    println!(
        "join storm: {peers} peers in one room with samples of {SAMPLE}: {down} frames of the server ({} by its own \
         count), {up} of clients, {} bytes of the server",
        metrics.get("converge_sent_frames_total"),
        metrics.get("converge_sent_bytes_total"),
    );
    result("join_storm_frames", (down + up) as f64, 0, "frames");
    Ok(())
}

/// Joins and leaves of nobody else, so that the first of what a server needs is there.
pub(crate) async fn warm_up(server: &Server, sources: &Sources) -> Result<()> {
    come_and_go(server.target, (1 << 40)..(1 << 40) + 200, (AT_ONCE, 0), sources, |n| topic("warm", n % 32)).await?;
    // Also the way back from it.
    close(server.target.join(&Peer::new(1 << 41), topic("warm", 0), sources.next()).await?).await?;
    Ok(())
}
