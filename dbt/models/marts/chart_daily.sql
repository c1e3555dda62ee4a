{{ config(partition_by=by_day('chart_date'), cluster_by=['rule_set']) }}

{{ chart(
  ref('chart_day_ranks'), 'chart_date', 'song_key', 1,
  names=[('artistName', 'artist'), ('title', 'song')], times='days_on_chart'
) }}
