"""Fault points: all are described, and a release build has none of them."""

import os
import pathlib
import re
import subprocess

from harness import ROOT, binary


def test_every_fault_point_is_described():
    named = {
        name for path in (ROOT / "src").glob("**/*.rs") for name in re.findall(r'fault::point\("([^"]+)"\)', path.read_text())
    }
    described = set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE))
    assert described == named


#: Passes a point between two waits, as the engine does.
PROGRAM = """
#[path = "{fault}"]
mod fault;

async fn step(number: usize) -> usize {{
    let mut once = false;
    let wait = |_: &mut std::task::Context| if std::mem::replace(&mut once, true) {{ std::task::Poll::Ready(()) }} else {{ std::task::Poll::Pending }};
    std::future::poll_fn(wait).await;
    number + 1
}}

async fn steps(number: usize) -> usize {{
    let number = step(number).await;
    fault::point("uploader.decide").await;
    step(number).await
}}

fn main() {{
    let mut steps: std::pin::Pin<Box<dyn Future<Output = usize>>> = Box::pin(steps(std::env::args().count()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while steps.as_mut().poll(&mut context).is_pending() {{}}
}}
"""


def test_a_release_build_has_no_fault_points(tmp_path):
    source, program = tmp_path / "main.rs", tmp_path / "program"
    source.write_text(PROGRAM.format(fault=ROOT / "src" / "fault.rs"))
    subprocess.run(["rustc", "--edition", "2024", "-O", source, "-o", program], check=True)
    subprocess.run([program], check=True, env={**os.environ, "BEATLYTICA_FAULT": "uploader.decide:abort"})
    for word in (b"uploader.decide", b"BEATLYTICA_FAULT"):
        assert word not in program.read_bytes(), word
        assert word in pathlib.Path(binary()).read_bytes(), "the engine under test is no development build"
