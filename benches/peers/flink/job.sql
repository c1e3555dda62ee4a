CREATE TABLE listens (
  artist STRING, song STRING, duration DOUBLE, ts BIGINT, sessionId BIGINT, auth STRING, `level` STRING, itemInSession INT, city STRING,
  zip STRING, state STRING, userAgent STRING, lon DOUBLE, lat DOUBLE, userId BIGINT, lastName STRING, firstName STRING, gender STRING,
  registration BIGINT,
  kafka_partition INT METADATA FROM 'partition' VIRTUAL, kafka_offset BIGINT METADATA FROM 'offset' VIRTUAL,
  kafka_timestamp TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL,
  event_time AS TO_TIMESTAMP_LTZ(ts, 3),
  WATERMARK FOR event_time AS event_time - INTERVAL '10' MINUTE
) WITH (
  'connector' = 'kafka', 'properties.bootstrap.servers' = '$BROKERS', 'topic' = '$TOPIC', 'properties.group.id' = 'peer-flink',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'json', 'json.ignore-parse-errors' = 'true'
);
CREATE VIEW repaired AS SELECT
  TRIM(BOTH '"' FROM DECODE(ENCODE(artist, 'ISO-8859-1'), 'UTF-8')) AS artist, TRIM(BOTH '"' FROM DECODE(ENCODE(song, 'ISO-8859-1'), 'UTF-8')) AS song,
  duration, ts, sessionId, auth, `level`, itemInSession, city, zip, state, userAgent, lon, lat, userId, lastName, firstName, gender,
  registration, kafka_partition, kafka_offset, kafka_timestamp, event_time
FROM listens;
CREATE TABLE events (
  artist STRING, song STRING, duration DOUBLE, ts BIGINT, sessionId BIGINT, auth STRING, `level` STRING, itemInSession INT, city STRING,
  zip STRING, state STRING, userAgent STRING, lon DOUBLE, lat DOUBLE, userId BIGINT, lastName STRING, firstName STRING, gender STRING,
  registration BIGINT, kafka_partition INT, kafka_offset BIGINT, kafka_timestamp TIMESTAMP(3), event_date STRING, event_hour STRING
) PARTITIONED BY (event_date, event_hour) WITH (
  'connector' = 'filesystem', 'path' = 'file://$OUTPUT/events', 'format' = 'parquet', 'parquet.compression' = 'ZSTD'
);
CREATE TABLE counts_by_minute (pane_start TIMESTAMP(3), artist STRING, song STRING, `level` STRING, plays BIGINT, event_date STRING)
PARTITIONED BY (event_date) WITH (
  'connector' = 'filesystem', 'path' = 'file://$OUTPUT/counts', 'format' = 'parquet', 'parquet.compression' = 'ZSTD'
);
INSERT INTO events SELECT
  artist, song, duration, ts, sessionId, auth, `level`, itemInSession, city, zip, state, userAgent, lon, lat, userId, lastName, firstName,
  gender, registration, kafka_partition, kafka_offset, kafka_timestamp,
  DATE_FORMAT(event_time, 'yyyy-MM-dd'), DATE_FORMAT(event_time, 'HH')
FROM repaired;
INSERT INTO counts_by_minute SELECT
  window_start, artist, song, `level`, COUNT(*), DATE_FORMAT(window_start, 'yyyy-MM-dd')
FROM TABLE(TUMBLE(TABLE repaired, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, artist, song, `level`;
