//! Servers in processes of their own, so that what the operating system says of them is about nothing else.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Result;
use crate::client::{Kind, Target};
use crate::serve::Serve;

/// Descriptors that are not for connections: the runtime's, the children's pipes, what is closing still.
const SPARE_DESCRIPTORS: usize = 500;

/// Fields of `/proc/PID/stat` are in these; Linux has told every program 100 for decades, whatever the kernel's own.
const TICKS_PER_SECOND: u64 = 100;

/// A server of either kind; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) target: Target,
}

impl Server {
    pub(crate) fn product(serve: &Serve) -> Result<Self> {
        Self::start(Kind::Product, Command::new(std::env::current_exe()?).args(serve.arguments()))
    }

    /// Starts the product's own program, which serves pages too; if given, with this many descriptors at first.
    pub(crate) fn program(program: &Path, arguments: &[String], descriptors: Option<u32>) -> Result<Self> {
        let limit = descriptors.map_or(String::new(), |limit| format!("ulimit -S -n {limit} && "));
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limit}exec \"$0\" \"$@\"")]).arg(program);
        Self::start(Kind::Product, command.args(["--addr", "127.0.0.1:0", "--log", "error"]).args(arguments))
    }

    pub(crate) fn rig() -> Result<Self> {
        Self::start(Kind::Rig, Command::new(std::env::current_exe()?).arg("rig"))
    }

    fn start(kind: Kind, command: &mut Command) -> Result<Self> {
        // The server ends with its standard input, and so also when its parent is killed.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        // From here on dropping it kills it.
        let mut server = Self { child, target: Target { kind, addr: SocketAddr::from(([127, 0, 0, 1], 0)) } };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let addr = line.trim().strip_prefix("listening on ").ok_or("the server did not start")?;
        server.target.addr = addr.rsplit('/').next().unwrap_or_default().parse()?;
        Ok(server)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How long its threads have run on a processor, in the kernel too.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        match self.threads_cpu() {
            Ok(cpu) => Ok(cpu),
            // A kernel without scheduler statistics counts in ticks at least.
            Err(_) => self.ticks(),
        }
    }

    /// In nanoseconds. Only of the threads there are now, but the runtime's live as long as it does.
    fn threads_cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let stat = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += stat.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    fn ticks(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        // The program's name, in brackets, may have spaces in it; what follows has none.
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields.split(' ')).ok_or("no stat")?;
        let ticks = fields.skip(11).take(2).map(str::parse::<u64>).sum::<std::result::Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    pub(crate) fn rss_kb(&self) -> Result<u64> {
        rss_kb(&self.id().to_string())
    }

    /// What a product's server counts.
    pub(crate) async fn metrics(&self) -> Result<Metrics> {
        let request = async {
            let mut stream = TcpStream::connect(self.target.addr).await?;
            stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            Ok::<_, io::Error>(text)
        };
        Ok(Metrics(timeout(Duration::from_secs(10), request).await??))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has ended already, that is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prometheus' text format.
pub(crate) struct Metrics(String);

impl Metrics {
    /// Of a metric with its labels, as it is written; zero if there is none, as counters are that have counted nothing.
    pub(crate) fn get(&self, name: &str) -> u64 {
        let value = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
    }
}

/// Memory of a process that is in RAM. `process` is its number, or `self`.
pub(crate) fn rss_kb(process: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Lets this process open as many files as it may. Children inherit it.
pub(crate) fn raise_descriptor_limit() -> Result<()> {
    let limit = rlimit::increase_nofile_limit(u64::MAX)?;
    println!("descriptors: {limit} for each process");
    Ok(())
}

/// As many connections as are wanted, or as there are descriptors for, which is then said. `besides` are others open at
/// the same time.
pub(crate) fn affordable(wanted: usize, besides: usize) -> Result<usize> {
    let (limit, _) = rlimit::Resource::NOFILE.get()?;
    let room = usize::try_from(limit)?.saturating_sub(SPARE_DESCRIPTORS + besides);
    if room < wanted {
        println!("only {room} connections instead of {wanted}: there are no descriptors for more");
    }
    Ok(wanted.min(room))
}
