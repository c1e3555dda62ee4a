{{ config(materialized='view') }}

select
  users.userKey,
  plays.artist_key as artistKey,
  plays.song_key as songKey,
  {{ unix_seconds('plays.event_hour') }} as dateKey,
  plays.location_key as locationKey,
  plays.ts,
  plays.event_date as eventDate,
  plays.user_id as userId,
  plays.session_id as sessionId,
  plays.item_in_session as itemInSession,
  plays.level,
  {{ ratio('plays.listened_ms', '1000') }} as secondsListened,
  plays.is_counted as counted
from {{ ref('plays') }} as plays
left join {{ ref('dim_users') }} as users
  on plays.user_id = users.userId and plays.ts >= users.validFrom and plays.ts < users.validTo
