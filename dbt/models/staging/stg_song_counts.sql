{{ lake_table('song_counts', hourly=false) }}
