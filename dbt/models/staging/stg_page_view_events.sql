{{ lake_table('page_view_events') }}
