//! What those who behave suffer from those who don't: pairs send each other signals at a steady rate, under the
//! product's own limits, while one abuser after another first does its worst, which must end as the protocol says, and
//! then goes on at the rate that it is let.
//!
//! Three things are measured in turn while it goes on: the pairs alone (it is stopped), both, and it alone (the pairs
//! pause). What a pair's signal costs more because of it is what both cost together, less what it costs alone, divided
//! by the signals carried, beside what a signal costs with the pairs alone. What the abuser itself costs is told
//! apart, also that of its first attack.

use std::time::Duration;

use tokio::time::sleep;

use crate::Result;
use crate::abusers::Abuse;
use crate::pairs::Pairs;
use crate::process::Server;
use crate::report::{median, result, samples};
use crate::serve::Serve;

/// From when an abuser begins to when it is as it goes on.
const BEGUN: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Abused {
    /// That behave, each member with 50 signals a second
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..=250))]
    pub(crate) pairs: u8,
    /// Of each measurement
    #[arg(long, default_value_t = 0.5)]
    pub(crate) seconds: f64,
    /// Measurements of each kind, in turn
    #[arg(long, default_value_t = 10)]
    pub(crate) rounds: usize,
}

/// What a server did in some time.
#[derive(Clone, Copy)]
struct Spent {
    micros: f64,
    carried: f64,
}

struct Scene<'a> {
    abused: &'a Abused,
    server: Server,
    pairs: Pairs,
}

pub(crate) async fn run(abused: &Abused) -> Result<()> {
    let server = Server::product(&Serve { strict: true, ..Serve::default() })?;
    let pairs = Pairs::join(server.target, abused.pairs).await?;
    let scene = Scene { abused, server, pairs };
    println!("abuse: {} pairs, 50 signals a second from each member", abused.pairs);
    let mut worst = f64::MIN;
    for abuse in Abuse::ALL {
        worst = worst.max(scene.suffer(abuse).await?);
    }
    result("abuse_cpu_change_pct", worst, 1, "%");
    Ok(())
}

impl Scene<'_> {
    /// How much more a signal costs, in percent.
    async fn suffer(&self, abuse: Abuse) -> Result<f64> {
        let Self { abused, server, pairs } = self;
        pairs.run(true).await;
        pairs.slowest();
        let calm = self.spend().await?;
        let slowest_calm = pairs.slowest();
        if calm.carried == 0.0 {
            return Err("the pairs carry nothing".into());
        }

        let before = server.cpu()?;
        let ending = abuse.attack(server).await?;
        let attack = server.cpu()? - before;
        println!("  {abuse:?}: {ending}");
        println!(
            "    a signal was under way for at most {:.1} ms before and {:.1} ms during the attack, which with the \
             pairs took {:.0} ms of CPU; a signal alone {:.1} µs",
            slowest_calm.as_secs_f64() * 1e3,
            pairs.slowest().as_secs_f64() * 1e3,
            attack.as_secs_f64() * 1e3,
            calm.each(),
        );

        let (mut alone, mut beside, mut own) = (vec![self.spend().await?.each()], Vec::new(), Vec::new());
        for _ in 0..abused.rounds {
            let abuser = tokio::spawn(abuse.persist(server.target));
            sleep(BEGUN).await;
            let both = self.spend().await?;
            pairs.run(false).await;
            let abuser_alone = self.spend().await?;
            abuser.abort();
            pairs.run(true).await;
            alone.push(self.spend().await?.each());
            beside.push(Spent { micros: both.micros - abuser_alone.micros, ..both }.each());
            own.push(abuser_alone.micros / 1e3 / abused.seconds);
        }
        pairs.run(false).await;
        let carried = pairs.check().await?;
        samples("  a signal alone", &alone, "µs");
        samples("  a signal beside the abuser", &beside, "µs");
        samples("  the abuser itself", &own, "ms of CPU a second");
        // Beside what it was before and after.
        let calm = alone.windows(2).map(|calm| calm.iter().sum::<f64>() / 2.0);
        let change = median(beside.iter().zip(calm).map(|(beside, calm)| (beside / calm - 1.0) * 100.0));
        println!("    {change:+.1} %; nothing lost of {carried} signals so far");
        Ok(change)
    }

    async fn spend(&self) -> Result<Spent> {
        let before = (self.server.cpu()?, self.pairs.received());
        sleep(Duration::from_secs_f64(self.abused.seconds)).await;
        let carried = (self.pairs.received() - before.1) as f64;
        Ok(Spent { micros: (self.server.cpu()? - before.0).as_secs_f64() * 1e6, carried })
    }
}

impl Spent {
    /// For each signal, in µs.
    fn each(self) -> f64 {
        self.micros / self.carried.max(1.0)
    }
}
