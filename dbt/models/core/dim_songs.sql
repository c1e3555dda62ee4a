{{ config(
  meta={'replaces': {'period': 'key', 'column': 'songKey', 'back': 1}},
  cluster_by=['songKey'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

with heard as (
  select
    song_key,
    max(artist_key) as artist_key,
    max(artist) as artist_name,
    max(song) as title,
    max(length_ms) as length_ms,
    min(ts) as first_played_at,
    max(ts) as last_played_at
  from {{ ref('plays') }}
  where {{ in_periods(hours) }}
  group by song_key
  {%- if is_incremental() %}
  union all
  select
    songKey as song_key,
    artistKey as artist_key,
    artistName as artist_name,
    title,
    lengthMs as length_ms,
    firstPlayedAt as first_played_at,
    lastPlayedAt as last_played_at
  from {{ this }}
  {%- endif %}
)

select
  song_key as songKey,
  max(artist_key) as artistKey,
  max(artist_name) as artistName,
  max(title) as title,
  max(length_ms) as lengthMs,
  {{ ratio('max(length_ms)', '1000') }} as duration,
  min(first_played_at) as firstPlayedAt,
  max(last_played_at) as lastPlayedAt,
  -- The former pipeline joined these from a song catalogue; events do not carry them.
  cast(null as string) as songId,
  cast(null as bigint) as key,
  cast(null as {{ double_type() }}) as keyConfidence,
  cast(null as {{ double_type() }}) as loudness,
  cast(null as {{ double_type() }}) as songHotness,
  cast(null as {{ double_type() }}) as tempo,
  cast(null as bigint) as year
from heard
group by song_key
having {{ touched('song_key', ref('plays'), hours) }}
