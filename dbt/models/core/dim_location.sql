{{ config(
  meta={'replaces': {'period': 'key', 'column': 'locationKey', 'back': 1}},
  cluster_by=['locationKey'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

with places as (
  select
    location_key,
    max(city) as city,
    max(zip) as zip,
    max(state) as state,
    max(lat) as latitude,
    max(lon) as longitude
  from {{ ref('plays') }}
  where {{ in_periods(hours) }}
  group by location_key
)

select
  places.location_key as locationKey,
  places.city,
  places.zip,
  coalesce(places.state, 'NA') as stateCode,
  coalesce(states.state_name, 'NA') as stateName,
  places.latitude,
  places.longitude
from places
left join {{ ref('states') }} as states on places.state = states.state_code
