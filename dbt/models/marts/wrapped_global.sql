{{ config(tags=['nightly']) }}

with years as (
  select
    cast(extract(year from event_date) as bigint) as year,
    song_key,
    artist_key,
    user_id,
    is_counted,
    listened_ms
  from {{ ref('plays') }}
  where event_date >= date '1970-01-01'
),

measured as (
  select
    year,
    'all' as kind,
    cast(null as bigint) as item_key,
    count(case when is_counted then 1 end) as counted_plays,
    count(distinct user_id) as listeners,
    sum(listened_ms) as listened_ms
  from years
  group by year
  union all
  select
    year,
    'song' as kind,
    song_key as item_key,
    count(case when is_counted then 1 end) as counted_plays,
    count(distinct user_id) as listeners,
    sum(listened_ms) as listened_ms
  from years
  group by year, song_key
  union all
  select
    year,
    'artist' as kind,
    artist_key as item_key,
    count(case when is_counted then 1 end) as counted_plays,
    count(distinct user_id) as listeners,
    sum(listened_ms) as listened_ms
  from years
  group by year, artist_key
),

named as (
  select
    measured.year,
    measured.kind,
    coalesce(songs.artistName, artists.name) as artist,
    songs.title as song,
    measured.counted_plays,
    measured.listeners,
    cast(measured.listened_ms as bigint) as listened_ms,
    row_number() over (
      partition by measured.year, measured.kind
      order by
        measured.counted_plays desc, measured.listeners desc, measured.listened_ms desc,
        coalesce(songs.artistName, artists.name) asc, songs.title asc
    ) as place
  from measured
  left join {{ ref('dim_songs') }} as songs on measured.kind = 'song' and measured.item_key = songs.songKey
  left join {{ ref('dim_artists') }} as artists on measured.kind = 'artist' and measured.item_key = artists.artistKey
)

select
  year,
  kind,
  place,
  artist,
  song,
  counted_plays,
  listeners,
  listened_ms
from named
where place <= 100
