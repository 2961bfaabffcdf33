//! `countersign-bench`: how many exchanges a core does, and how many its cryptography alone would allow.
//!
//! Everything is measured in one run, on one core and on the same tokens: as a ratio it means something on any machine.

use clap::Parser as _;

mod arguments;
mod chaos;
mod compare;
mod comparison;
mod connection;
mod endurance;
mod es256;
mod generator;
mod installation;
mod lifeline;
mod limit;
mod load;
mod mix;
mod pinning;
mod postgres;
mod process;
mod publishers;
mod rate;
mod registry;
mod report;
mod soak;
mod stage;
mod stateless;
mod subject;
mod table;
mod trial;
mod way;
mod workload;

use arguments::{Arguments, Part};

/// The server's, so that what is measured beside it is not slower for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Limit { folder }) => limit::measure(&folder),
        Some(Part::Stateless { folder }) => stateless::serve(&folder),
        Some(Part::Registry) => registry::measure(),
        Some(Part::Publishers(options)) => publishers::run(&options),
        Some(Part::Mix(options)) => mix::run(&options),
        Some(Part::Endurance(options)) => endurance::run(&options),
        Some(Part::Compare(options)) => compare::run(&options),
        Some(Part::Soak(options)) => soak::run(&options),
        Some(Part::Chaos(options)) => chaos::run(&options),
        None => table::run(&arguments.options),
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn tell(text: &str) {
    println!("{text}");
}
