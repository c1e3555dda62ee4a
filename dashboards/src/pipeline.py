"""Pipeline: rate, errors and duration by stage, queues and what waits, drill-down by topic and partition."""

from grafana_foundation_sdk.builders.dashboard import Row

from panels import INSTANCE, PARTITION, TOPIC, board, figure, series

ENGINE = 'job="beatlytica", instance=~"$instance"'
PARTS = f'{ENGINE}, topic=~"$topic", partition=~"$partition"'
RATE = "[$__rate_interval]"


def glance(made):
    made.with_row(Row("At a glance"))
    made.with_panel(figure("Engines that answer", "Engines whose last scrape succeeded.", "none",
                           f"sum(up{{{ENGINE}}})", limits=((None, "red"), (1, "green")), runbooks=["BeatlyticaDown"]))
    made.with_panel(figure("Oldest not in the lake", "The worst partition's age of the oldest record that is not in the lake.",
                           "s", f"max(beatlytica_partition_lag_seconds{{{PARTS}}})",
                           limits=((None, "green"), (200, "yellow"), (300, "red")), runbooks=["BeatlyticaFreshnessBurnFast"]))
    made.with_panel(figure("Records read", "Records a second, all partitions.", "recps",
                           f"sum(rate(beatlytica_partition_records_read_total{{{PARTS}}}{RATE}))"))
    made.with_panel(figure("Records behind", "Offsets of the logs that are not in the lake.", "short",
                           f"sum(beatlytica_partition_lag_records{{{PARTS}}})", runbooks=["BeatlyticaNotMoving"]))
    made.with_panel(figure("Partitions stopped", "Partitions that wait for an operator.", "none",
                           f"sum(beatlytica_partition_refused{{{PARTS}}})", limits=((None, "green"), (1, "red")),
                           runbooks=["BeatlyticaPartitionRefused"]))
    made.with_panel(figure("Memory of its ceiling", "Resident memory over what the process may take.", "percentunit",
                           f"max(process_resident_memory_bytes{{{ENGINE}}} / beatlytica_memory_limit_bytes{{{ENGINE}}})",
                           limits=((None, "green"), (0.8, "yellow"), (0.9, "red")), runbooks=["BeatlyticaMemoryNearCeiling"]))


def stages(made):
    made.with_row(Row("Stages: rate, errors, duration"))
    made.with_panel(series("How many records pass each stage?", "Records a second by stage, in the order of the flow: decode, deliver, fold, upload.",
                           "recps", (f"sum by (stage) (rate(beatlytica_stage_records_total{{{ENGINE}}}{RATE}))", "{{stage}}")))
    made.with_panel(series("How long does a batch take?", "95th percentile of one batch's time in each stage. Deliver holds the wait for room downstream.",
                           "s", (f"histogram_quantile(0.95, sum by (stage, le) (rate(beatlytica_stage_duration_seconds_bucket{{{ENGINE}}}{RATE})))", "{{stage}}")))
    made.with_panel(series("What fails?", "Errors a second: uploads tried again or refused, operations on the store, the Kafka client, restarts of actors.", "cps",
                           (f'sum(rate(beatlytica_uploads_total{{{ENGINE}, outcome=~"failed|refused"}}{RATE}))', "uploads"),
                           (f'sum(rate(beatlytica_store_operations_total{{{ENGINE}, outcome=~"transient|permanent"}}{RATE}))', "store"),
                           (f"sum(rate(beatlytica_kafka_client_errors_total{{{ENGINE}}}{RATE}))", "Kafka client"),
                           (f"sum(rate(beatlytica_actor_restarts_total{{{ENGINE}}}{RATE}))", "restarts"),
                           runbooks=["BeatlyticaUploadsFailing", "BeatlyticaActorRestarts", "BeatlyticaCredentialsFailing"]))
    made.with_panel(series("How do uploads end?", "Uploads a minute by outcome.", "cpm",
                           (f"60 * sum by (outcome) (rate(beatlytica_uploads_total{{{ENGINE}}}{RATE}))", "{{outcome}}"), runbooks=["BeatlyticaUploadsFailing"]))
    made.with_panel(series("How long does the store take?", "95th percentile of an operation, its retries included.", "s",
                           (f"histogram_quantile(0.95, sum by (op, le) (rate(beatlytica_store_operation_duration_seconds_bucket{{{ENGINE}}}{RATE})))", "{{op}}")))
    made.with_panel(series("How much reaches the lake?", "Bytes of receipted objects, by table.", "Bps",
                           (f"sum by (table) (rate(beatlytica_upload_bytes_total{{{ENGINE}}}{RATE}))", "{{table}}"), stacked=True))
    made.with_panel(series("What does HTTP answer?", "Requests a second by route and status.", "reqps",
                           (f"sum by (route, status) (rate(beatlytica_http_requests_total{{{ENGINE}}}{RATE}))", "{{route}} {{status}}")))
    made.with_panel(series("How long does HTTP take?", "95th percentile by route.", "s",
                           (f"histogram_quantile(0.95, sum by (route, le) (rate(beatlytica_http_request_duration_seconds_bucket{{{ENGINE}}}{RATE})))", "{{route}}")))


def queues(made):
    made.with_row(Row("Queues and waits: use, saturation"))
    made.with_panel(series("How full are the queues?", "Share of each queue's capacity: decoded rows that wait for their upload, bytes given to consumers, encoding jobs, streams.",
                           "percentunit",
                           (f"max(beatlytica_upload_queue_bytes{{{ENGINE}}} / beatlytica_upload_queue_capacity_bytes{{{ENGINE}}})", "upload"),
                           (f"max(beatlytica_partition_decode_queue_bytes{{{PARTS}}} / beatlytica_partition_decode_queue_capacity_bytes{{{PARTS}}})", "decode (fullest)"),
                           (f"max(beatlytica_encode_queue_jobs{{{ENGINE}}} / beatlytica_encode_queue_capacity_jobs{{{ENGINE}}})", "encode"),
                           (f"max(beatlytica_http_streams{{{ENGINE}}} / beatlytica_http_streams_limit{{{ENGINE}}})", "streams")))
    made.with_panel(series("What does reading wait for?", "Share of time that partitions were held back, by reason.", "percentunit",
                           (f"avg by (reason) (rate(beatlytica_partition_blocked_seconds_total{{{PARTS}}}{RATE}))", "{{reason}}"), runbooks=["BeatlyticaFreshnessBurnFast"]))
    made.with_panel(series("How many cores are used?", "CPU seconds a second.", "none",
                           (f"sum by (instance) (rate(process_cpu_seconds_total{{{ENGINE}}}{RATE}))", "{{instance}}")))
    made.with_panel(series("How much memory is used?", "Resident memory, and its ceiling: the control group's, or the machine's. A logarithmic scale.", "bytes",
                           (f"process_resident_memory_bytes{{{ENGINE}}}", "{{instance}}"),
                           (f"beatlytica_memory_limit_bytes{{{ENGINE}}}", "ceiling of {{instance}}"), log=True, runbooks=["BeatlyticaMemoryNearCeiling"]))
    made.with_panel(series("Does the assignment change?", "Rebalances by kind, and rewinds.", "short",
                           (f"sum by (kind) (increase(beatlytica_rebalances_total{{{ENGINE}}}{RATE}))", "{{kind}}"),
                           (f"sum(increase(beatlytica_rewinds_total{{{ENGINE}}}{RATE}))", "rewinds")))
    made.with_panel(series("What does the ledger say?", "Recoveries, decisions of other writers, gaps and lost records.", "short",
                           (f"sum(increase(beatlytica_ledger_recoveries_total{{{ENGINE}}}{RATE}))", "recoveries"),
                           (f"sum(increase(beatlytica_ledger_conflicts_total{{{ENGINE}}}{RATE}))", "conflicts"),
                           (f"sum(increase(beatlytica_ledger_gaps_total{{{ENGINE}}}{RATE}))", "gaps"),
                           (f"sum(increase(beatlytica_records_lost_total{{{ENGINE}}}{RATE}))", "lost records"), runbooks=["BeatlyticaLedgerGap"]))


def partitions(made):
    made.with_row(Row("Topics and partitions"))
    made.with_panel(series("How old is each partition's oldest record that is not in the lake?", "By topic and partition.", "s",
                           (f"beatlytica_partition_lag_seconds{{{PARTS}}}", "{{topic}}/{{partition}}"), limits=((None, "transparent"), (300, "red")),
                           runbooks=["BeatlyticaNotMoving", "BeatlyticaFreshnessBurnFast"]))
    made.with_panel(series("How many records is each partition behind?", "Offsets of the log that are not in the lake.", "short",
                           (f"beatlytica_partition_lag_records{{{PARTS}}}", "{{topic}}/{{partition}}")))
    made.with_panel(series("How fast is it read, and how fast does it get into the lake?", "Offsets a second: position and head. Both go back after a crash.", "recps",
                           (f"sum by (topic) (deriv(beatlytica_partition_position{{{PARTS}}}{RATE}))", "position {{topic}}"),
                           (f"sum by (topic) (deriv(beatlytica_partition_head{{{PARTS}}}{RATE}))", "head {{topic}}"), runbooks=["BeatlyticaNotMoving"]))
    made.with_panel(series("How far apart are the clocks?", "Event time of each partition's clock behind the newest one.", "s",
                           (f"scalar(max(beatlytica_partition_clock_timestamp_seconds{{{ENGINE}}})) - beatlytica_partition_clock_timestamp_seconds{{{PARTS}}}", "{{topic}}/{{partition}}"),
                           (f"max(beatlytica_partition_clock_timestamp_seconds{{{ENGINE}}}) - (max(beatlytica_watermark_timestamp_seconds{{{ENGINE}}}) > 0)", "watermark"),
                           runbooks=["BeatlyticaWatermarkStuck"]))
    read = f"scalar(sum(rate(beatlytica_partition_records_read_total{{{PARTS}}}{RATE})))"
    made.with_panel(series("Which share is rejected?", "Rejected of read records, by reason.", "percentunit",
                           (f"sum by (reason) (rate(beatlytica_partition_rejected_records_total{{{PARTS}}}{RATE})) / {read}", "{{reason}}"),
                           limits=((None, "transparent"), (0.01, "red")), top=0.02, runbooks=["BeatlyticaRejectedShare"], empty="nothing is read"))
    made.with_panel(series("Which share is late?", "Late, too old and future rows of read records.", "percentunit",
                           *((f"sum(rate(beatlytica_partition_{kind}_records_total{{{PARTS}}}{RATE})) / {read}", kind.replace("_", " "))
                             for kind in ("late", "too_old", "future")),
                           limits=((None, "transparent"), (0.05, "red")), top=0.1, runbooks=["BeatlyticaLateShare"], empty="nothing is read"))


def make():
    made = board("beatlytica-pipeline", "Beatlytica: Pipeline", "Is everything read, decoded, counted and written in time, and if not, where does it stand?",
                 INSTANCE, TOPIC, PARTITION)
    for part in (glance, stages, queues, partitions):
        part(made)
    return made
