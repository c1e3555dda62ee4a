{{ config(partition_by=by_day('week_start'), cluster_by=['rule_set']) }}

with history as (
  {{ chart_history(ref('chart_week_ranks'), 'week_start', 'song_key', 7) | indent(2) }}
)

select
  history.rule_set,
  history.week_start,
  history.position as chart_rank,
  names.artistName as artist,
  names.title as song,
  history.song_key,
  history.points,
  history.charted_plays,
  history.last_position as last_rank,
  cast(history.peak_position as bigint) as peak_rank,
  cast(history.times_on_chart as bigint) as weeks_on_chart,
  cast(history.streak as bigint) as streak,
  history.is_debut,
  history.is_re_entry,
  history.last_played_at
from history
inner join {{ ref('dim_songs') }} as names on history.song_key = names.songKey
