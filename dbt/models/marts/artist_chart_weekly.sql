{{ config(partition_by=by_day('week_start'), cluster_by=['rule_set']) }}

{{ chart(
  ref('artist_week_ranks'), 'week_start', 'artist_key', 7,
  names=[('name', 'artist')], times='weeks_on_chart'
) }}
