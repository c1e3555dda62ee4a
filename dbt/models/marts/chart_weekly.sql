{{ config(partition_by=by_day('week_start'), cluster_by=['rule_set']) }}

{{ chart(
  ref('chart_week_ranks'), 'week_start', 'song_key', 7,
  names=[('artistName', 'artist'), ('title', 'song')], times='weeks_on_chart'
) }}
