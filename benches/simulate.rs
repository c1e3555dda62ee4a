//! What simulating costs: records a second into memory on one core, as Eventsim simulates (its own site's model in a world of
//! the project's own) and with everything on. criterion's "thrpt" line gives records a second.

use std::hint::black_box;
use std::sync::Arc;

use beatlytica::simulator::{Compat, RecordBuffer, Simulator, SimulatorConfig, SiteConfig, Trends, World};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// 2024-05-06T00:00:00Z.
const START: i64 = 1_714_953_600_000;

/// Records of one turn.
const RECORDS: usize = 100_000;

fn config(world: &Arc<World>, users: u32, lively: bool) -> SimulatorConfig {
    let site = SiteConfig::own().expect("a sound site");
    let mut config = SimulatorConfig::new(site, Arc::clone(world), START);
    config.users = users;
    config.compat = Compat::Clean;
    if lively {
        (config.trends, config.similarity, config.growth_rate) = (Trends::lively(), 0.3, 0.5);
    }
    config
}

fn simulate(criterion: &mut Criterion) {
    let world = Arc::new(World::own());
    let mut group = criterion.benchmark_group("simulate");
    group.sample_size(20).throughput(Throughput::Elements(RECORDS as u64));
    for (name, users, lively) in [
        ("20,000 listeners", 20_000, false),
        ("1,000,000 listeners", 1_000_000, false),
        ("lively", 20_000, true),
    ] {
        let mut simulator = Simulator::new(config(&world, users, lively)).expect("sound settings");
        let mut records = RecordBuffer::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                records.clear();
                simulator.advance(i64::MAX, RECORDS, &mut records);
                black_box(records.bytes().len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, simulate);
criterion_main!(benches);
