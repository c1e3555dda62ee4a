"""The job that the engine replaces, in Spark Structured Streaming: Kafka to Parquet by hour, and song counts by the minute.

`job.py BROKERS TOPIC OUTPUT WHAT`, WHAT being `flat`, `counts` (flat and counts) or `python` (flat, text repaired by a Python function,
as the job that was replaced did). It reads what the topic holds, then ends.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import StringType

SCHEMA = (
    "artist string, song string, duration double, ts long, sessionId long, auth string, level string, itemInSession int, city string, "
    "zip string, state string, userAgent string, lon double, lat double, userId long, lastName string, firstName string, gender string, "
    "registration long"
)


def repaired(column):
    """Latin-1 back to UTF-8 and without quotes at the ends, by Spark's own functions."""
    return f.trim(f.lit('"'), f.decode(f.encode(column, "ISO-8859-1"), "UTF-8"))


def repaired_in_python(text):
    """The same, and escapes undone."""
    if text is None:
        return None
    try:
        return text.encode("latin-1").decode("unicode-escape").encode("latin-1").decode("utf-8").strip('"')
    except (UnicodeError, ValueError):
        return text


def events(spark, brokers, topic, in_python):
    """The topic's events with their types, times and partition columns."""
    source = (
        spark.readStream.format("kafka").option("kafka.bootstrap.servers", brokers).option("subscribe", topic)
        .option("startingOffsets", "earliest").load()
    )
    repair = f.udf(repaired_in_python, StringType()) if in_python else repaired
    place = ("partition", "offset", "timestamp")
    rows = source.select(f.from_json(f.col("value").cast("string"), SCHEMA).alias("e"), *place).select("e.*", *place)
    return (
        rows.withColumn("artist", repair(f.col("artist"))).withColumn("song", repair(f.col("song")))
        .withColumn("time", f.timestamp_millis("ts"))
        .withColumn("event_date", f.to_date("time")).withColumn("event_hour", f.hour("time"))
    )


def main():
    brokers, topic, output, what = sys.argv[1:]
    spark = (
        SparkSession.builder.master("local[*]").config("spark.sql.shuffle.partitions", "4").config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC").config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.sql.streaming.stateStore.providerClass", "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    rows = events(spark, brokers, topic, what == "python")

    def write(frame, name, by):
        return (
            frame.writeStream.format("parquet").partitionBy(*by).option("path", f"{output}/{name}")
            .option("checkpointLocation", f"{output}/checkpoints/{name}").trigger(availableNow=True).start()
        )

    queries = [write(rows, "events", ["event_date", "event_hour"])]
    if what == "counts":
        counts = (
            rows.withWatermark("time", "10 minutes").groupBy(f.window("time", "1 minute"), "artist", "song", "level").count()
            .withColumn("event_date", f.to_date("window.start"))
        )
        queries.append(write(counts, "counts", ["event_date"]))
    for query in queries:
        query.awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
