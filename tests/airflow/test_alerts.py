"""A message to the alert channel fails no task, whatever answers there."""

import socket
import threading

import pytest

from beatlytica_batch import alerts


@pytest.fixture
def channel(monkeypatch):
    """Makes a server that answers one connection with these bytes the alert channel."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answers(answer):
            def serve():
                connection, _ = server.accept()
                with connection:
                    asked = b""
                    while not asked.endswith(b"}"):
                        asked += connection.recv(65536)
                    connection.sendall(answer)

            threading.Thread(target=serve, daemon=True).start()

        monkeypatch.setattr(alerts, "channel", lambda: (f"http://127.0.0.1:{server.getsockname()[1]}/hook?secret", None))
        yield answers


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "BadStatusLine"),
        (b"", "RemoteDisconnected"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", "HTTPException"),
        (b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", "HTTPError"),
    ],
)
def test_a_channel_that_takes_no_message_is_logged_without_its_address(channel, caplog, answer, error):
    channel(answer)
    alerts.say("an hour is not complete")
    assert [record.getMessage() for record in caplog.records] == [
        "an hour is not complete", f"the alert channel took no message: {error}"
    ]


def test_an_address_that_is_none_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(alerts, "channel", lambda: ("hooks.example", None))
    alerts.say("an hour is not complete")
    assert caplog.messages[-1] == "the alert channel took no message: ValueError"
