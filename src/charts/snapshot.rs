//! One partition's state as bytes that need nothing else: a cache, refused on any mismatch.
//!
//! Layout: magic, format version, xxh3 of the rest, length of the body (all little-endian), then the body under
//! zstd. The body repeats the source and the settings, because a state is worth nothing under others.

use std::io::{self, Write};

use thiserror::Error;
use twox_hash::XxHash3_64;

use crate::schemas::Source;

use super::codec::{Reader, Writer};
use super::fold::{Counters, PartitionState};
use super::intern::{NO_TEXT, Tables};
use super::pane::{Pane, Panes, SongPlays};
use super::settings::ChartSettings;
use super::window::{PLAUSIBLE, minute_of};

const MAGIC: &[u8; 8] = b"BLYCHART";
const VERSION: u32 = 2;
/// The format before, which did not tell what a partition had reached: it kept panes by its clock.
const BY_CLOCK: u32 = 1;
const HEADER: usize = 8 + 4 + 8 + 8;
/// Where what the checksum covers begins: the body's length.
const CHECKED: usize = HEADER - 8;
/// A body larger than this is not read: no partition's state comes near it.
const MAX_BODY: u64 = 4 << 30;
const COMPRESSION_LEVEL: i32 = 1;

/// Why bytes are not taken for a partition's state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// Not a snapshot, cut short, or damaged.
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
    /// Written by a version with another format.
    #[error("the snapshot has format {found}, this version reads {VERSION}")]
    Version {
        /// The format found.
        found: u32,
    },
    /// Of another topic, epoch or partition.
    #[error("the snapshot is of {found}")]
    OtherSource {
        /// Topic, epoch and partition found.
        found: String,
    },
    /// Made under other settings, so its panes are not what this instance would have.
    #[error("the snapshot was made under other chart settings")]
    OtherSettings,
}

/// Sorts the panes' tails in on the way, so that nothing has to be copied. None if the compressor fails, which it does for
/// want of memory only.
pub(super) fn write(
    source: &Source,
    settings: &ChartSettings,
    tables: &Tables,
    state: &mut PartitionState,
) -> Option<Vec<u8>> {
    let mut body = Writer::default();
    let mut packer = Packer::new().ok()?;
    write_source(&mut body, source);
    write_settings(&mut body, settings);
    body.signed(state.end);
    body.unsigned(u64::from(state.clock.is_some()));
    body.signed(state.clock.unwrap_or(0));
    body.signed(state.reached.unwrap_or(0));
    let Counters { rows, late, too_old, future } = state.counters;
    [rows, late, too_old, future].into_iter().for_each(|count| body.unsigned(count));
    state.panes.iter_mut().for_each(Pane::settle);
    let ids = Ids::of(tables, &state.panes);
    ids.write(&mut body, tables);
    body.unsigned(state.panes.iter().count() as u64);
    for (minute, pane) in state.panes.iter() {
        packer.take(&mut body).ok()?;
        write_pane(&mut body, &ids, minute, pane);
    }
    packer.take(&mut body).ok()?;
    packer.seal().ok()
}

/// Compresses a body piece by piece: whole, it is half as large as the state itself.
struct Packer {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
    length: u64,
}

impl Packer {
    fn new() -> io::Result<Self> {
        let encoder = zstd::stream::write::Encoder::new(vec![0; HEADER], COMPRESSION_LEVEL)?;
        Ok(Self { encoder, length: 0 })
    }

    /// Takes what `body` holds, and leaves it empty.
    fn take(&mut self, body: &mut Writer) -> io::Result<()> {
        self.encoder.write_all(body.bytes())?;
        self.length += body.bytes().len() as u64;
        body.clear();
        Ok(())
    }

    fn seal(self) -> io::Result<Vec<u8>> {
        let mut bytes = self.encoder.finish()?;
        bytes.splice(CHECKED..HEADER, self.length.to_le_bytes());
        let checksum = XxHash3_64::oneshot(bytes.get(CHECKED..).unwrap_or_default());
        let head = MAGIC.iter().copied().chain(VERSION.to_le_bytes()).chain(checksum.to_le_bytes());
        bytes.splice(..CHECKED, head);
        Ok(bytes)
    }
}

/// The body and the format.
fn open(bytes: &[u8]) -> Result<(Vec<u8>, u32), SnapshotError> {
    let too_short = SnapshotError::Damaged("it is cut short");
    if bytes.len() < HEADER {
        return Err(too_short);
    }
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(too_short.clone())?;
    let (version, rest) = rest.split_first_chunk::<4>().ok_or(too_short.clone())?;
    let (checksum, checked) = rest.split_first_chunk::<8>().ok_or(too_short.clone())?;
    let (length, packed) = checked.split_first_chunk::<8>().ok_or(too_short)?;
    if magic != MAGIC {
        return Err(SnapshotError::Damaged("it does not begin as a snapshot does"));
    }
    let version = u32::from_le_bytes(*version);
    if ![BY_CLOCK, VERSION].contains(&version) {
        return Err(SnapshotError::Version { found: version });
    }
    if u64::from_le_bytes(*checksum) != XxHash3_64::oneshot(checked) {
        return Err(SnapshotError::Damaged("its checksum does not fit"));
    }
    let length = u64::from_le_bytes(*length);
    if length > MAX_BODY {
        return Err(SnapshotError::Damaged("it says that it is impossibly large"));
    }
    let body = zstd::bulk::decompress(packed, length as usize)
        .map_err(|_| SnapshotError::Damaged("it does not unpack"))?;
    if body.len() as u64 != length {
        return Err(SnapshotError::Damaged("its length does not fit"));
    }
    Ok((body, version))
}

/// The state that `bytes` hold, its names added to `tables`.
pub(super) fn read(
    source: &Source,
    settings: &ChartSettings,
    tables: &mut Tables,
    bytes: &[u8],
) -> Result<PartitionState, SnapshotError> {
    let malformed = SnapshotError::Damaged("its body is malformed");
    let (body, version) = open(bytes)?;
    let mut body = Reader::new(&body);
    let found = read_source(&mut body).ok_or(malformed.clone())?;
    let mut expected = Writer::default();
    write_source(&mut expected, source);
    if read_source(&mut Reader::new(expected.bytes())).as_ref() != Some(&found) {
        return Err(SnapshotError::OtherSource { found });
    }
    let under = read_settings(&mut body).ok_or(malformed.clone())?;
    if under != *settings {
        return Err(SnapshotError::OtherSettings);
    }
    let state = read_state(&mut body, version, settings, tables).ok_or(malformed.clone())?;
    if body.is_at_end() { Ok(state) } else { Err(malformed) }
}

fn write_source(body: &mut Writer, source: &Source) {
    body.text(&source.topic);
    body.text(source.kind.table());
    body.unsigned(u64::from(source.epoch));
    body.signed(i64::from(source.partition));
}

fn read_source(body: &mut Reader<'_>) -> Option<String> {
    let (topic, table) = (body.text()?, body.text()?);
    let (epoch, partition) = (body.unsigned()?, body.signed()?);
    Some(format!("topic {topic} (as {table}), epoch {epoch}, partition {partition}"))
}

fn write_settings(body: &mut Writer, settings: &ChartSettings) {
    let ChartSettings { lateness, retention, future_limit, max_ahead } = *settings;
    [lateness, retention, future_limit, max_ahead].into_iter().for_each(|ms| body.signed(ms));
}

fn read_settings(body: &mut Reader<'_>) -> Option<ChartSettings> {
    Some(ChartSettings {
        lateness: body.signed()?,
        retention: body.signed()?,
        future_limit: body.signed()?,
        max_ahead: body.signed()?,
    })
}

/// The global ids that one partition's panes use; their place in the list is the id within the snapshot.
struct Ids {
    songs: Places,
    users: Places,
    combinations: Places,
}

/// Global ids in ascending order, and each one's place.
struct Places {
    ids: Vec<u32>,
    place: Vec<u32>,
}

impl Places {
    fn new(ids: Vec<u32>, bound: usize) -> Self {
        let mut place = vec![0; bound];
        for (at, &id) in (0..).zip(&ids) {
            if let Some(place) = place.get_mut(id as usize) {
                *place = at;
            }
        }
        Self { ids, place }
    }

    fn of(&self, id: u32) -> u64 {
        self.place.get(id as usize).copied().unwrap_or(0).into()
    }
}

impl Ids {
    fn of(tables: &Tables, panes: &Panes) -> Self {
        let mut live = tables.no_live();
        panes.iter().for_each(|(_, pane)| pane.mark(&mut live));
        let combinations: Vec<u32> = live.combinations.iter().collect();
        let mut users: Vec<u32> =
            combinations.iter().filter_map(|&id| tables.combination_at(id)).map(|known| known.user).collect();
        users.sort_unstable();
        users.dedup();
        Self {
            songs: Places::new(live.songs.iter().collect(), tables.song_count()),
            users: Places::new(users, tables.user_bound()),
            combinations: Places::new(combinations, tables.combination_count()),
        }
    }

    fn write(&self, body: &mut Writer, tables: &Tables) {
        let mut texts: Vec<u32> = Vec::new();
        let songs: Vec<(u32, u32)> = self.songs.ids.iter().map(|&song| tables.song_texts(song)).collect();
        texts.extend(songs.iter().flat_map(|&(artist, title)| [artist, title]));
        let combinations = || self.combinations.ids.iter().filter_map(|&id| tables.combination_at(id));
        texts.extend(
            combinations().flat_map(|known| tables.profile(known.profile)).filter(|&id| id != NO_TEXT),
        );
        texts.sort_unstable();
        texts.dedup();
        let texts = Places::new(texts, tables.texts.len());
        // 0 stands for "no text".
        let text = |id: u32| if id == NO_TEXT { 0 } else { texts.of(id) + 1 };
        body.unsigned(texts.ids.len() as u64);
        texts.ids.iter().for_each(|&id| body.text(tables.texts.get(id).unwrap_or_default()));
        body.unsigned(songs.len() as u64);
        for (artist, title) in songs {
            body.unsigned(text(artist));
            body.unsigned(text(title));
        }
        body.unsigned(self.users.ids.len() as u64);
        self.users.ids.iter().for_each(|&user| body.signed(tables.user_id(user)));
        body.unsigned(combinations().count() as u64);
        for known in combinations() {
            body.unsigned(self.users.of(known.user));
            tables.profile(known.profile).into_iter().for_each(|id| body.unsigned(text(id)));
        }
    }
}

fn write_pane(body: &mut Writer, ids: &Ids, minute: i64, pane: &Pane) {
    body.signed(minute);
    body.unsigned(pane.late);
    body.unsigned(pane.plays.entries().len() as u64);
    for entry in pane.plays.entries() {
        body.unsigned(ids.songs.of(entry.song()));
        body.unsigned(u64::from(entry.plays()));
        body.unsigned(u64::from(entry.last()));
    }
    // Places keep the order of global ids, so the lists stay ascending.
    let local = |&pair: &u64| ids.songs.of((pair >> 32) as u32) << 32 | ids.users.of(pair as u32);
    body.ascending(&pane.listeners.items().iter().map(local).collect::<Vec<_>>());
    let local = |&id: &u32| ids.combinations.of(id);
    body.ascending(&pane.active.items().iter().map(local).collect::<Vec<_>>());
}

/// Snapshot ids to global ones.
struct Names {
    songs: Vec<u32>,
    users: Vec<u32>,
    combinations: Vec<u32>,
}

impl Names {
    fn read(body: &mut Reader<'_>, tables: &mut Tables) -> Option<Self> {
        let texts: Vec<u32> =
            (0..body.count()?).map(|_| Some(tables.texts.intern(body.text()?))).collect::<Option<_>>()?;
        let text = |body: &mut Reader<'_>| match body.narrow()?.checked_sub(1) {
            None => Some(NO_TEXT),
            Some(place) => texts.get(place as usize).copied(),
        };
        let songs = (0..body.count()?)
            .map(|_| {
                let (artist, title) = (text(body)?, text(body)?);
                (artist != NO_TEXT && title != NO_TEXT).then(|| tables.song(artist, title))
            })
            .collect::<Option<_>>()?;
        let users: Vec<u32> =
            (0..body.count()?).map(|_| Some(tables.user(body.signed()?))).collect::<Option<_>>()?;
        let combinations = (0..body.count()?)
            .map(|_| {
                let user = *users.get(body.narrow()? as usize)?;
                let profile = [text(body)?, text(body)?, text(body)?];
                let profile = tables.profile_number(profile);
                Some(tables.combination(user, profile))
            })
            .collect::<Option<_>>()?;
        Some(Self { songs, users, combinations })
    }
}

fn read_state(
    body: &mut Reader<'_>,
    version: u32,
    settings: &ChartSettings,
    tables: &mut Tables,
) -> Option<PartitionState> {
    let mut state = PartitionState::starting_at(body.signed()?);
    let has_clock = body.unsigned()? == 1;
    let clock = body.signed()?;
    let reached = if version == BY_CLOCK { clock } else { body.signed()? };
    if has_clock {
        // What moves the clock is no further ahead of what was reached.
        let ahead = clock.checked_sub(reached)?;
        if !PLAUSIBLE.contains(&clock) || !(0..=settings.future_limit).contains(&ahead) {
            return None;
        }
        (state.clock, state.reached) = (Some(clock), Some(reached));
    }
    state.counters = Counters {
        rows: body.unsigned()?,
        late: body.unsigned()?,
        too_old: body.unsigned()?,
        future: body.unsigned()?,
    };
    let names = Names::read(body, tables)?;
    let kept = state.first_kept(settings).map(|first| first..=minute_of(clock));
    for _ in 0..body.count()? {
        let minute = body.signed()?;
        if !kept.as_ref()?.contains(&minute) {
            return None;
        }
        read_pane(body, &names, state.panes.at(minute))?;
    }
    Some(state)
}

fn read_pane(body: &mut Reader<'_>, names: &Names, pane: &mut Pane) -> Option<()> {
    pane.late = body.unsigned()?;
    for _ in 0..body.count()? {
        let song = *names.songs.get(body.narrow()? as usize)?;
        let plays = u16::try_from(body.unsigned()?).ok()?;
        let last = u16::try_from(body.unsigned()?).ok()?;
        pane.plays.push(SongPlays::new(song, last, plays));
    }
    for pair in body.ascending()? {
        let song = *names.songs.get(usize::try_from(pair >> 32).ok()?)?;
        let user = *names.users.get(pair as u32 as usize)?;
        pane.listeners.push(u64::from(song) << 32 | u64::from(user));
    }
    for place in body.ascending()? {
        pane.active.push(*names.combinations.get(usize::try_from(place).ok()?)?);
    }
    pane.shrink();
    Some(())
}
