{{ config(materialized='view') }}

select
  streams.userKey,
  streams.artistKey,
  streams.songKey,
  streams.dateKey,
  streams.locationKey,
  streams.ts as timestamp,
  streams.eventDate,
  streams.sessionId,
  streams.itemInSession,
  streams.secondsListened,
  streams.counted,
  users.firstName,
  users.lastName,
  users.gender,
  streams.level,
  streams.userId,
  users.currentRow as currentUserRow,
  songs.duration as songDuration,
  songs.tempo,
  songs.title as songName,
  locations.city,
  locations.stateName as state,
  locations.latitude,
  locations.longitude,
  hours.date as dateHour,
  hours.dayOfMonth,
  hours.dayOfWeek,
  artists.latitude as artistLatitude,
  artists.longitude as artistLongitude,
  artists.name as artistName
from {{ ref('fact_streams') }} as streams
left join {{ ref('dim_users') }} as users on streams.userKey = users.userKey
left join {{ ref('dim_songs') }} as songs on streams.songKey = songs.songKey
left join {{ ref('dim_artists') }} as artists on streams.artistKey = artists.artistKey
left join {{ ref('dim_location') }} as locations on streams.locationKey = locations.locationKey
left join {{ ref('dim_datetime') }} as hours on streams.dateKey = hours.dateKey
