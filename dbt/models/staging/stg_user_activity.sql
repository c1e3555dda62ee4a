{{ lake_table('user_activity', hourly=false) }}
