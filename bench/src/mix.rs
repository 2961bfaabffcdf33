//! `countersign-bench mix`: what those who are refused take from those who are not.
//!
//! A quarter each: valid exchanges; runs that no publisher trusts; bad signatures; id tokens that were used before. Valid ones are
//! slowed by no more than their share if a request of the mix costs no more than a valid one: then they get at least a quarter of
//! what they get alone.

use std::time::Duration;

use countersign_simulator::Overrides;
use serde_json::json;

use crate::comparison::{self, Load};
use crate::generator::{Generator, Target};
use crate::installation::Installation;
use crate::load::Request;
use crate::postgres::Cluster;
use crate::rate::milliseconds_at;
use crate::stage::{Settings, Stage};
use crate::tell;
use crate::workload::{Issuer, RESOURCE, Tokens, request};

/// Where latency is measured, as a share of the throughput of valid exchanges alone.
const PACE: f64 = 0.8;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// On PostgreSQL instead of SQLite.
    #[arg(long)]
    postgres: bool,
    /// How often each load is measured, in turns; medians are reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=5))]
    rounds: u16,
    /// Requests of each load in each round; a multiple of four.
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(100..=20_000))]
    requests: u32,
}

/// The id tokens of each kind. Only valid ones are used up.
struct Kinds<'a> {
    valid: Tokens<'a>,
    used: &'a [String],
    untrusted: &'a [String],
    forged: &'a [String],
}

/// Measures the loads in turns on one server, and shows them.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::set(&options.settings, Issuer::start)?;
    let (rounds, each) = (usize::from(options.rounds), usize::try_from(options.requests)?);
    let valid = each + (rounds + 1) * (each + each / 4);
    tell(&format!("signing {} id tokens", valid + each));
    let tokens = stage.issuer.tokens(valid)?;
    let untrusted = stage.issuer.tokens_of(&Overrides::new().set("ref", "refs/heads/other"), each)?;
    let forged: Vec<String> = tokens[..each].iter().map(|token| forged(token)).collect();
    let (used, fresh) = tokens.split_at(each);
    let mut kinds = Kinds { valid: Tokens(fresh), used, untrusted: &untrusted, forged: &forged };

    let cluster = options.postgres.then(|| Cluster::start(&stage.parent, &stage.pinning)).transpose()?;
    let address = cluster.as_ref().map_or_else(|| "sqlite:countersign.db".to_owned(), Cluster::address);
    let installation = Installation::make(&stage, stage.folder.path(), &address)?;
    installation.trust(RESOURCE)?;
    let server = installation.start()?;
    stage.pinning.pin_generator()?;
    let database = cluster.as_ref().map(Cluster::process).transpose()?;
    let target = Target::of(std::slice::from_ref(&server), database)?;
    let generator = Generator::new(&options.settings)?;
    // Warms everything up, and makes what is replayed later.
    generator.closed_loop(&target, used.iter().map(|token| good(token)).collect(), AT_MOST)?;

    let loads = kinds.measure(&generator, &target, rounds, each)?;
    let (alone, mixed) = kinds.latencies(&generator, &target, each, PACE * loads[0].rate().per_second)?;
    drop(server);
    installation.ensure_issued(tokens.len() - kinds.valid.0.len())?;
    report(&stage, &loads, &alone, &mixed);
    options.settings.save(json!({
        "cores": stage.pinning.to_string(),
        "database": if options.postgres { "postgres" } else { "sqlite" },
        "rounds": options.rounds,
        "exchanges": options.requests,
        "loads": comparison::to_json(&loads),
        "p99_ms": { "alone": milliseconds_at(99, &alone), "in_the_mix": milliseconds_at(99, &mixed) },
    }))
}

fn report(stage: &Stage, loads: &[Load], alone: &[Duration], mixed: &[Duration]) {
    tell(&comparison::table(loads));
    let (share, cpu_share) = loads[1].share_of(&loads[0]);
    tell(&format!(
        "\nvalid exchanges in the mix: {:.0} a second, {:.1} % of what they are alone ({:.1} % by processor time); \
         their share is 25 %",
        loads[1].rate().per_second / 4.0,
        share * 25.0,
        cpu_share * 25.0
    ));
    tell(&format!(
        "p99 of valid exchanges, at {:.0} % of their throughput alone: {:.2} ms alone, {:.2} ms in the mix",
        PACE * 100.0,
        milliseconds_at(99, alone),
        milliseconds_at(99, mixed)
    ));
    tell(&stage.pinning.to_string());
}

/// No load is cut short: all requests have their right answer.
const AT_MOST: Duration = Duration::from_mins(1);

impl Kinds<'_> {
    fn measure(
        &mut self,
        generator: &Generator,
        target: &Target,
        rounds: usize,
        each: usize,
    ) -> anyhow::Result<Vec<Load>> {
        let names =
            ["valid only", "a quarter each", "wrong claim only", "bad signature only", "used id token only"];
        let mut loads = names.map(Load::new);
        for _ in 0..rounds {
            let requests = [
                self.valid.take(each).iter().map(|token| good(token)).collect(),
                self.mixed(each),
                self.untrusted.iter().map(|token| bad(token)).collect(),
                self.forged.iter().map(|token| bad(token)).collect(),
                self.used.iter().map(|token| bad(token)).collect(),
            ];
            for (load, requests) in loads.iter_mut().zip(requests) {
                load.rounds.push(generator.closed_loop(target, requests, AT_MOST)?.0);
            }
        }
        Ok(loads.into())
    }

    /// Of valid exchanges alone and in the mix, with as many requests a second.
    fn latencies(
        &mut self,
        generator: &Generator,
        target: &Target,
        each: usize,
        per_second: f64,
    ) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
        let valid = self.valid.take(each).iter().map(|token| good(token)).collect();
        let alone = generator.paced(target, valid, per_second)?;
        let mixed = generator.paced(target, self.mixed(each), per_second)?;
        Ok((alone.latencies, mixed.latencies))
    }

    fn mixed(&mut self, count: usize) -> Vec<Request> {
        let valid = self.valid.take(count / 4).iter();
        let hostile = self.untrusted.iter().zip(self.forged).zip(self.used);
        let four = valid.zip(hostile).map(|(valid, ((untrusted, forged), used))| {
            [good(valid), bad(untrusted), bad(forged), bad(used)]
        });
        four.flatten().collect()
    }
}

fn good(token: &str) -> Request {
    Request::good(request(token, RESOURCE))
}

fn bad(token: &str) -> Request {
    Request::bad(request(token, RESOURCE))
}

/// The same token with another signature of the same form.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let other = if signature.starts_with('A') { "B" } else { "A" };
    format!("{signed}.{other}{}", signature.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::forged;

    #[test]
    fn a_forged_token_differs_in_its_signature_only() {
        assert_eq!(forged("a.b.cdef"), "a.b.Adef");
        assert_eq!(forged("a.b.Adef"), "a.b.Bdef");
    }
}
