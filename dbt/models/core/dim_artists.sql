{{ config(materialized='view') }}

select
  artistKey,
  max(artistName) as name,
  count(*) as songs,
  min(firstPlayedAt) as firstPlayedAt,
  max(lastPlayedAt) as lastPlayedAt,
  -- The former pipeline joined these from a song catalogue; events do not carry them.
  cast(null as string) as artistId,
  cast(null as {{ double_type() }}) as latitude,
  cast(null as {{ double_type() }}) as longitude,
  cast(null as string) as location
from {{ ref('dim_songs') }}
group by artistKey
