"""When an hour is complete."""

import datetime

import pytest

from beatlytica_batch import alerts, markers

HOUR = datetime.datetime(2024, 5, 6, 5, tzinfo=datetime.UTC)


def lake(folder, *files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("{}")
    return markers.open_lake(folder.as_uri())


def entry(topic, partition, epoch=1):
    return f"ledger/v1/{topic}/e{epoch:03}/p{partition:05}/{0:020}.json"


def marker(topic, partition, hour, epoch=1):
    return f"complete/v1/{topic}/e{epoch:03}/p{partition:05}/2024-05-06T{hour:02}.json"


def test_a_lake_without_partitions_is_waited_for(tmp_path):
    assert markers.waiting_for(lake(tmp_path), HOUR) == list(markers.TOPICS)


@pytest.mark.parametrize(("hour", "missing"), [(4, ["auth_events/e001/p00001"]), (5, []), (9, [])])
def test_a_marker_covers_the_hours_before_it(tmp_path, hour, missing):
    found = lake(
        tmp_path, entry("auth_events", 0), entry("auth_events", 1), marker("auth_events", 0, 5), marker("auth_events", 1, hour)
    )
    assert markers.waiting_for(found, HOUR) == missing


def test_an_older_epoch_is_not_waited_for_and_does_not_answer_for_the_newest(tmp_path):
    found = lake(
        tmp_path, entry("auth_events", 0), entry("auth_events", 1), entry("auth_events", 0, epoch=2), marker("auth_events", 0, 9)
    )
    assert markers.waiting_for(found, HOUR) == ["auth_events/e002/p00000"]


def test_what_is_no_partition_is_passed_over(tmp_path):
    found = lake(tmp_path, entry("auth_events", 0), marker("auth_events", 0, 5), "ledger/v1/auth_events/e001/tmp/x", "ledger/v1/auth_events/old/p00000/x")
    assert markers.waiting_for(found, HOUR) == []


def test_hours_are_named_in_utc():
    east = datetime.timezone(datetime.timedelta(hours=2))
    assert markers.hour_name(datetime.datetime(2024, 5, 6, 1, tzinfo=east)) == "2024-05-05T23"


class Listing:
    def __init__(self, names, prefixes=()):
        self.names, self.prefixes = names, prefixes

    def __iter__(self):
        return iter(self.names)


class Client:
    """Lists names as Google Cloud Storage does."""

    def __init__(self, names):
        self.names = sorted(names)

    def list_blobs(self, bucket, prefix, delimiter=None, start_offset="", max_results=None):
        assert bucket == "lake"
        names = [name for name in self.names if name.startswith(prefix) and name >= start_offset]
        if delimiter:
            return Listing([], {prefix + name[len(prefix) :].split("/")[0] + "/" for name in names})
        return Listing(names[:max_results])


@pytest.mark.parametrize("root", ["", "some/prefix"])
@pytest.mark.parametrize(("hour", "missing"), [(4, ["auth_events/e001/p00000"]), (5, []), (6, [])])
def test_a_bucket_answers_as_a_folder_does(root, hour, missing):
    names = [entry("auth_events", 0), marker("auth_events", 0, 3), marker("auth_events", 0, hour), marker("auth_events", 1, 23)]
    client = Client([f"{root}/{name}" if root else name for name in names])
    assert markers.waiting_for(markers.BucketLake("lake", root, client), HOUR) == missing


@pytest.mark.parametrize("url", [None, "", "/data/lake", "s3://bucket/lake", "file://host/lake", "gs://"])
def test_another_address_is_refused(url):
    with pytest.raises(ValueError, match="BEATLYTICA__LAKE__URL is .*name the lake"):
        markers.open_lake(url)


def test_an_alert_carries_its_text_and_the_token():
    sent = alerts.request("https://chat.example/hook", "secret", "late")
    assert sent.data == b'{"text": "late"}' and sent.get_header("Authorization") == "Bearer secret"
    assert alerts.request("https://chat.example/hook", None, "late").get_header("Authorization") is None


@pytest.mark.parametrize("address", [None, "", "chat.example/hook", "file:///etc/passwd"])
def test_an_alert_goes_to_a_web_address_only(address):
    with pytest.raises(ValueError, match="whole address"):
        alerts.request(address, None, "late")
