//! The runs that the tests look at, each made or read once.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use beatlytica::schemas::EventKind;
use beatlytica::simulator::{Compat, RecordBuffer, Simulator, SimulatorConfig, SiteConfig, World};

use super::sample::{Collector, Sample};

/// 2024-05-06T00:00:00Z, a Monday: the start of the real run.
pub const START: i64 = 1_714_953_600_000;

pub const DAY: i64 = 86_400_000;

/// Length of the real run, with Memorial Day on its 22nd day.
pub const DAYS: i64 = 28;

/// Listeners of the real run.
pub const USERS: u32 = 20_000;

/// The real run's site, written from SPEC.md's tables.
pub fn site() -> SiteConfig {
    SiteConfig::from_json(include_bytes!("../fixtures/eventsim-site.json")).expect("a sound site")
}

pub fn own_world() -> Arc<World> {
    static WORLD: OnceLock<Arc<World>> = OnceLock::new();
    Arc::clone(WORLD.get_or_init(|| Arc::new(World::own())))
}

/// The same with few songs, so that a simulator is made quickly.
pub fn small_world() -> Arc<World> {
    static WORLD: OnceLock<Arc<World>> = OnceLock::new();
    let make = || {
        let mut world = World::own();
        world.catalogue.songs.truncate(500);
        world.catalogue.similar_group.truncate(500);
        world.catalogue.similar.iter_mut().for_each(|songs| songs.retain(|&song| song < 500));
        Arc::new(world)
    };
    Arc::clone(WORLD.get_or_init(make))
}

/// The real run's settings, in the world given.
pub fn settings(world: Arc<World>) -> SimulatorConfig {
    let mut config = SimulatorConfig::new(site(), world, START);
    config.users = USERS;
    config.end_ms = Some(START + DAYS * DAY);
    config.compat = Compat::Eventsim;
    config
}

/// Simulates to the end.
pub fn simulate(config: SimulatorConfig) -> Sample {
    simulate_with(config, Collector::new(), |_| {})
}

/// The same, with a look at the simulator in the end.
pub fn simulate_with(
    config: SimulatorConfig,
    mut collector: Collector,
    look: impl FnOnce(&Simulator),
) -> Sample {
    let mut simulator = Simulator::new(config).expect("sound settings");
    let mut records = RecordBuffer::default();
    while simulator.next_event_time().is_some() {
        records.clear();
        simulator.advance(i64::MAX, 10_000, &mut records);
        for record in records.iter() {
            collector.push(record.envelope.kind, record.line);
        }
    }
    look(&simulator);
    collector.finish()
}

/// Where the real run is; none, said once, where it is not to be had.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("BEATLYTICA_EVENTSIM_DATA");
    if folder.is_none() {
        eprintln!("skipped: BEATLYTICA_EVENTSIM_DATA is not set");
    }
    folder.map(PathBuf::from)
}

/// Calls `each` with every line of the real run's file, line feed included.
fn real_lines(folder: &std::path::Path, kind: EventKind, mut each: impl FnMut(&[u8])) {
    let path = folder.join(format!("{}.jsonl.zst", kind.table()));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut decompressor = zstd::Decoder::new(file).expect("a zstd file");
    decompressor.window_log_max(27).expect("a window that is allowed");
    let mut reader = BufReader::with_capacity(1 << 20, decompressor);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).expect("a line") > 0 {
        each(&line);
        line.clear();
    }
}

/// The whole real run.
pub fn real() -> Option<&'static Sample> {
    static REAL: OnceLock<Option<Sample>> = OnceLock::new();
    let read = || {
        let folder = folder()?;
        let mut collector = Collector::new().with_listens();
        for kind in EventKind::ALL {
            real_lines(&folder, kind, |line| collector.push(kind, line));
        }
        Some(collector.finish())
    };
    REAL.get_or_init(read).as_ref()
}

/// The same simulated: site, world, length and number of listeners are those of the real run.
pub fn simulated() -> Option<&'static Sample> {
    static SIMULATED: OnceLock<Option<Sample>> = OnceLock::new();
    let make = || {
        let world = super::world::real_world(real()?);
        Some(simulate_with(settings(world), Collector::new().with_listens(), |_| {}))
    };
    SIMULATED.get_or_init(make).as_ref()
}
