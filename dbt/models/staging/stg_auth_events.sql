{{ lake_table('auth_events') }}
