{{ config(tags=['nightly'], cluster_by=['user_id']) }}

with heard as (
  select
    cast(extract(year from event_date) as bigint) as year,
    user_id,
    song_key,
    artist_key,
    event_date,
    event_hour,
    ts,
    is_counted,
    listened_ms
  from {{ ref('plays') }}
  where event_date >= date '1970-01-01' and user_id is not null
),

-- From the plays themselves: this mart may be built while the songs' dimension still waits for the newest of them.
songs as (
  select
    song_key,
    max(artist_key) as artist_key,
    max(artist) as artist,
    max(song) as title
  from {{ ref('plays') }}
  where event_date >= date '1970-01-01'
  group by song_key
),

artists as (
  select
    artist_key,
    max(artist) as name
  from songs
  group by artist_key
),

totals as (
  select
    year,
    user_id,
    count(*) as plays,
    count(case when is_counted then 1 end) as counted_plays,
    cast(sum(listened_ms) as bigint) as listened_ms,
    count(distinct song_key) as songs,
    count(distinct artist_key) as artists,
    count(distinct event_date) as days,
    min(ts) as first_play_at,
    max(ts) as last_play_at
  from heard
  group by year, user_id
),

top_songs as (
  select
    year,
    user_id,
    song_key,
    plays,
    row_number() over (partition by year, user_id order by plays desc, listened_ms desc, song_key asc) as place
  from (
    select
      year,
      user_id,
      song_key,
      count(case when is_counted then 1 end) as plays,
      sum(listened_ms) as listened_ms
    from heard
    group by year, user_id, song_key
  ) as by_song
),

top_artists as (
  select
    year,
    user_id,
    artist_key,
    plays,
    row_number() over (partition by year, user_id order by plays desc, listened_ms desc, artist_key asc) as place
  from (
    select
      year,
      user_id,
      artist_key,
      count(case when is_counted then 1 end) as plays,
      sum(listened_ms) as listened_ms
    from heard
    group by year, user_id, artist_key
  ) as by_artist
),

top_hours as (
  select
    year,
    user_id,
    hour_of_day,
    row_number() over (partition by year, user_id order by listened_ms desc, hour_of_day asc) as place
  from (
    select
      year,
      user_id,
      cast(extract(hour from event_hour) as bigint) as hour_of_day,
      sum(listened_ms) as listened_ms
    from heard
    group by year, user_id, hour_of_day
  ) as by_hour
),

listening_days as (
  select distinct
    year,
    user_id,
    event_date
  from heard
),

numbered_days as (
  select
    year,
    user_id,
    event_date,
    row_number() over (partition by year, user_id order by event_date) as nth_day
  from listening_days
),

runs as (
  select
    year,
    user_id,
    count(*) as days
  from numbered_days
  group by year, user_id, {{ add_days('event_date', '-nth_day') }}
),

streaks as (
  select
    year,
    user_id,
    max(days) as longest_streak_days
  from runs
  group by year, user_id
)

select
  totals.year,
  totals.user_id,
  totals.plays,
  totals.counted_plays,
  totals.listened_ms,
  totals.songs,
  totals.artists,
  totals.days,
  streaks.longest_streak_days,
  top_hours.hour_of_day as favourite_hour,
  songs.artist as top_song_artist,
  songs.title as top_song,
  top_songs.plays as top_song_plays,
  artists.name as top_artist,
  top_artists.plays as top_artist_plays,
  totals.first_play_at,
  totals.last_play_at,
  -- The share of the year's listeners who listened no longer.
  cume_dist() over (partition by totals.year order by totals.listened_ms) as listened_percentile
from totals
inner join streaks on totals.year = streaks.year and totals.user_id = streaks.user_id
inner join top_hours on totals.year = top_hours.year and totals.user_id = top_hours.user_id and top_hours.place = 1
inner join top_songs on totals.year = top_songs.year and totals.user_id = top_songs.user_id and top_songs.place = 1
inner join top_artists
  on totals.year = top_artists.year and totals.user_id = top_artists.user_id and top_artists.place = 1
inner join songs on top_songs.song_key = songs.song_key
inner join artists on top_artists.artist_key = artists.artist_key
