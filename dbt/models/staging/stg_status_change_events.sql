{{ lake_table('status_change_events') }}
