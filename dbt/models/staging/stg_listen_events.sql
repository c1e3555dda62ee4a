{{ lake_table('listen_events') }}
