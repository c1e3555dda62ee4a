{{ config(tags=['nightly']) }}

with years as (
  select
    cast(extract(year from event_date) as bigint) as year,
    song_key,
    artist_key,
    artist,
    song,
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
    cast(null as string) as artist,
    cast(null as string) as song,
    count(case when is_counted then 1 end) as counted_plays,
    count(distinct user_id) as listeners,
    sum(listened_ms) as listened_ms
  from years
  group by year
  union all
  select
    year,
    'song' as kind,
    -- Not from the dimensions: this mart may be built while they still wait for the newest plays.
    max(artist) as artist,
    max(song) as song,
    count(case when is_counted then 1 end) as counted_plays,
    count(distinct user_id) as listeners,
    sum(listened_ms) as listened_ms
  from years
  group by year, song_key
  union all
  select
    year,
    'artist' as kind,
    max(artist) as artist,
    cast(null as string) as song,
    count(case when is_counted then 1 end) as counted_plays,
    count(distinct user_id) as listeners,
    sum(listened_ms) as listened_ms
  from years
  group by year, artist_key
),

placed as (
  select
    *,
    row_number() over (
      partition by year, kind
      order by counted_plays desc, listeners desc, listened_ms desc, artist asc nulls last, song asc nulls last
    ) as place
  from measured
)

select
  year,
  kind,
  place,
  artist,
  song,
  counted_plays,
  listeners,
  cast(listened_ms as bigint) as listened_ms
from placed
where place <= 100
