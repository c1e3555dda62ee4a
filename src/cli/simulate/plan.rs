//! What is to be simulated: the arguments, the files that they name, and the clock at the start.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::args::{Moment, PaceArg, SimulateArgs, TrendsArg};
use crate::simulator::{
    Catalogue, Compat, ConfigError, Disorder, DisorderRates, Pace, SimulatorConfig, SiteConfig, Trends, World,
};

const DAY_MS: f64 = 86_400_000.0;

/// Everything that is known before the first record.
pub(super) struct Plan {
    pub(super) config: SimulatorConfig,
    pub(super) pace: Pace,
    pub(super) disorder: Option<Disorder>,
}

impl Plan {
    /// # Errors
    /// A file cannot be read or used, or the arguments contradict each other.
    pub(super) fn new(args: &SimulateArgs, wall_ms: i64) -> anyhow::Result<Self> {
        let site = match &args.site {
            Some(path) => read_site(path)?,
            None => SiteConfig::own()?,
        };
        let mut world = World::own();
        if let Some(path) = &args.catalogue {
            world.catalogue = read_catalogue(path, args.similar.as_deref())?;
        }
        let start_ms = match args.start {
            Some(Moment::At(ms)) => ms,
            Some(Moment::Now) => wall_ms,
            Some(Moment::Never) => return Err(ConfigError::new("start", "is never; give a time").into()),
            None => days_before(wall_ms, "from", args.from)?,
        };
        let end_ms = match args.end {
            Some(Moment::At(ms)) => Some(ms),
            Some(Moment::Now) => Some(wall_ms),
            Some(Moment::Never) => None,
            None => Some(days_before(wall_ms, "to", args.to)?),
        };
        let mut config = SimulatorConfig::new(site, Arc::new(world), start_ms);
        config.end_ms = end_ms;
        config.users = args.users.unwrap_or(config.users);
        config.growth_rate = args.growth_rate.unwrap_or(config.growth_rate);
        config.attrition_rate = args.attrition_rate;
        config.first_user_id = args.first_user_id.unwrap_or(config.first_user_id);
        config.seed = args.seed.unwrap_or(config.seed);
        config.tag = args.tag.clone().or(config.tag);
        config.compat = args.compat.into();
        config.similarity =
            if args.similar.is_some() && config.compat == Compat::Eventsim { 1.0 } else { args.similarity };
        config.trends = match args.trends {
            TrendsArg::None => Trends::default(),
            TrendsArg::Lively => Trends::lively(),
        };
        let pace = match args.output.pace {
            PaceArg::Max => Pace::Unpaced,
            PaceArg::Live => Pace::Live,
            PaceArg::Times(factor) => Pace::Times { factor, wall_start_ms: wall_ms, sim_start_ms: start_ms },
        };
        let output = &args.output;
        if output.zstd && output.output.as_deref() == Some(Path::new("-")) {
            let problem = "compresses files; give --output a folder, or pipe standard output through zstd";
            return Err(ConfigError::new("--zstd", problem).into());
        }
        let disorder = disorder(args, config.seed)?;
        // Before files are emptied and topics made for it.
        config.check()?;
        Ok(Self { config, pace, disorder })
    }
}

fn days_before(wall_ms: i64, flag: &str, days: f64) -> Result<i64, ConfigError> {
    if !days.is_finite() {
        return Err(ConfigError::new(flag, format!("is {days}; give a number of days")));
    }
    Ok(wall_ms.saturating_sub((days * DAY_MS) as i64))
}

fn disorder(args: &SimulateArgs, seed: u64) -> anyhow::Result<Option<Disorder>> {
    let asked = &args.disorder;
    let rates = DisorderRates {
        late: asked.late,
        late_by_ms: asked.late_by.as_millis().try_into().unwrap_or(i64::MAX),
        out_of_order: asked.out_of_order,
        duplicated: asked.duplicated,
        malformed: asked.malformed,
    };
    if rates.is_none() && asked.truth.is_none() {
        return Ok(None);
    }
    Ok(Some(Disorder::new(rates, seed)?))
}

fn read_site(path: &Path) -> anyhow::Result<SiteConfig> {
    let name = path.display();
    let bytes = fs::read(path).with_context(|| format!("{name} cannot be read"))?;
    let site = SiteConfig::from_json(&bytes).with_context(|| name.to_string())?;
    for key in &site.ignored {
        tracing::info!(file = %name, key, "the key has no effect");
    }
    Ok(site)
}

fn read_catalogue(path: &Path, similar: Option<&Path>) -> anyhow::Result<Catalogue> {
    let mut catalogue = Catalogue::from_file(&unpacked(path)?).with_context(|| path.display().to_string())?;
    if let Some(path) = similar {
        catalogue.add_similar(&unpacked(path)?).with_context(|| path.display().to_string())?;
    }
    Ok(catalogue)
}

/// The file's bytes, gzip undone.
fn unpacked(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if !bytes.starts_with(&[0x1F, 0x8B]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes.as_slice()), &mut plain)
        .with_context(|| format!("{} cannot be decompressed", path.display()))?;
    Ok(plain)
}
