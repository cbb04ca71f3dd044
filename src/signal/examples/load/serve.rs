//! The product's server, as the child process that is measured.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use converge_signal::server::{RoomTokens, Settings, Signalling, listen};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::Result;

/// More than any load here comes to, so that the limiters do their work and refuse nothing.
const PLENTY: u32 = 1_000_000;

/// What differs between the servers that are measured.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Serve {
    /// 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// The most members of a topic
    #[arg(long, default_value_t = 32)]
    pub(crate) topic_members: u32,
    /// The most members that a welcome names
    #[arg(long, default_value_t = 500)]
    pub(crate) sample: u32,
    /// Milliseconds that news of a newcomer wait to be told together
    #[arg(long, default_value_t = 500)]
    pub(crate) introduce: u64,
    /// Seconds until a silent socket is pinged
    #[arg(long, default_value_t = 25)]
    pub(crate) ping: u64,
    /// The product's own limits, rather than ones that a load does not reach
    #[arg(long)]
    pub(crate) strict: bool,
    /// Require tokens
    #[arg(long)]
    pub(crate) tokens: bool,
}

/// Makes the tokens for a server with `--tokens`.
pub(crate) fn tokens() -> Result<RoomTokens> {
    Ok(RoomTokens::new(&[[7; 32]], "load")?)
}

impl Default for Serve {
    fn default() -> Self {
        Self { port: 0, topic_members: 32, sample: 500, introduce: 500, ping: 25, strict: false, tokens: false }
    }
}

impl Serve {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { port, topic_members, sample, introduce, ping, strict, tokens } = self;
        let rooms = format!("--topic-members {topic_members} --sample {sample} --introduce {introduce}");
        let text = format!("serve --port {port} {rooms} --ping {ping}");
        let flags = strict.then_some("--strict").into_iter().chain(tokens.then_some("--tokens"));
        text.split(' ').chain(flags).map(str::to_owned).collect()
    }

    fn settings(&self) -> Result<(Settings, listen::Listen)> {
        let (mut settings, mut listen) = (Settings::default(), listen::Listen::default());
        settings.ping_every = Duration::from_secs(self.ping);
        settings.hub.introduce = Duration::from_millis(self.introduce);
        let limits = &mut settings.hub.limits;
        limits.max_topic_members = self.topic_members;
        limits.max_sample = self.sample;
        if !self.strict {
            // What one address may have open stays as it is: the load comes from many.
            limits.max_connections = PLENTY;
            listen.max_connections = PLENTY;
            for limit in [
                &mut limits.frames_per_second,
                &mut limits.frame_burst,
                &mut limits.joins_per_second_per_ip,
                &mut limits.join_burst_per_ip,
                &mut limits.joins_per_second_per_topic,
                &mut limits.join_burst_per_topic,
                &mut limits.empty_joins_per_minute_per_ip,
                &mut limits.empty_join_burst_per_ip,
            ] {
                *limit = PLENTY;
            }
            (limits.bytes_per_second, limits.byte_burst) = (PLENTY * 1000, PLENTY * 1000);
        }
        if self.tokens {
            settings = settings.authorizer(tokens()?);
        }
        Ok((settings, listen))
    }
}

pub(crate) fn run(serve: &Serve) -> Result<()> {
    let (settings, listen) = serve.settings()?;
    let port = serve.port;
    let served = async move {
        let signalling = Signalling::new(settings)?;
        let app = signalling.router().merge(signalling.operator_router());
        let listener = bind(port)?;
        listen::serve(listener, app, listen, std::future::pending()).await;
        Ok(())
    };
    on_one_worker(served)
}

/// On the loopback interface; says where.
pub(crate) fn bind(port: u16) -> Result<TcpListener> {
    let listener = listen::bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}

/// Everything on one thread, accepting too, for the same reason in both servers: how much work is shared between
/// threads is chance, and costs differ with it. Ends with the parent.
pub(crate) fn on_one_worker(served: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
    std::thread::spawn(|| {
        // Nothing is ever said: this returns when the parent has ended, in whatever way.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime(1)?.block_on(async { tokio::spawn(served).await? })
}

pub(crate) fn runtime(workers: usize) -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}
