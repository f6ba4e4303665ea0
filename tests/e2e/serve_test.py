#!/usr/bin/env python3
"""`assay serve` as people use it: the curl examples of its manual, the `openai` package of npm, signals, the report.

usage: serve_test.py ASSAY REPORT_STORE SOURCE_DIR BUILD_DIR
The package needs node, npm and its registry, else its test is skipped.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

ASSAY, REPORT_STORE, SOURCE, BUILD = (Path(argument).resolve() for argument in sys.argv[1:5])
MODEL = SOURCE / "datasets/mini/model"
PACKAGE = "openai@6.49.0"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}


class Serving:
    """The program, listening on a free port."""

    def __init__(self, *arguments, **more):
        self.process = subprocess.Popen(
            [ASSAY, "serve", "--model", str(MODEL), "--chat-format", "plain", "--threads", "1", "--port", "0",
             *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**ENVIRONMENT, **more})
        self.base = self.process.stdout.readline().strip()
        if not self.base:
            raise AssertionError(f"it did not start: {self.process.communicate()[1]}")
        self.root = self.base.removesuffix("/v1")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(timeout=30)
        return self.process.returncode


def fetch(url, headers=None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers or {}), timeout=60) as reply:
        return reply.status, reply.headers, reply.read().decode()


def examples():
    """The shell blocks of docs/serve.md that call curl."""
    blocks = re.findall(r"```sh\n(.*?)```", (SOURCE / "docs/serve.md").read_text(), re.S)
    return [block for block in blocks if "curl" in block]


class Manual(unittest.TestCase):
    def test_every_curl_example_works_as_printed(self):
        if shutil.which("curl") is None:
            self.skipTest("curl is not installed")
        self.assertGreaterEqual(len(examples()), 6)
        with tempfile.TemporaryDirectory() as folder, Serving() as server:
            port = server.root.rsplit(":", 1)[1]
            for block in examples():
                command = block.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
                result = subprocess.run(["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True,
                                        env=ENVIRONMENT, cwd=folder, timeout=120)
                self.assertEqual(result.returncode, 0, f"{block}\n{result.stdout}{result.stderr}")
                if '"stream": true' in block:
                    self.assertTrue(result.stdout.rstrip().endswith("data: [DONE]"), result.stdout)
                elif "/metrics" not in block:
                    json.loads(result.stdout)


class Program(unittest.TestCase):
    def test_signals_end_it_with_their_codes(self):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            with Serving() as server:
                self.assertEqual(fetch(server.root + "/health")[0], 200)
                self.assertEqual(server.end(number), code)

    def test_a_second_signal_does_not_wait_for_answers(self):
        with Serving("--drain", 600) as server:
            body = json.dumps({"prompt": "Q:", "max_tokens": 900, "n": 60, "ignore_eos": True, "stream": True})
            curl = subprocess.Popen(["curl", "-sN", server.base + "/completions", "-H", "Content-Type: application/json",
                                     "-d", body], stdout=subprocess.PIPE, env=ENVIRONMENT)
            curl.stdout.readline()
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            begun = time.monotonic()
            self.assertEqual(server.end(signal.SIGTERM), 143)
            self.assertLess(time.monotonic() - begun, 20)
            curl.communicate()

    def test_a_token_comes_from_a_file_and_appears_nowhere(self):
        with tempfile.TemporaryDirectory() as folder:
            token = "marker-8d2f6c3a9b417e50"
            file = Path(folder) / "token"
            file.write_text(token + "\n")
            with Serving("--token-file", file) as server:
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    fetch(server.base + "/models")
                self.assertEqual(refused.exception.code, 401)
                status, _, body = fetch(server.base + "/models", {"Authorization": f"Bearer {token}"})
                self.assertEqual(status, 200)
                self.assertEqual(json.loads(body)["data"][0]["id"], "model")
                server.process.send_signal(signal.SIGTERM)
                out, err = server.process.communicate(timeout=30)
                self.assertNotIn(token, out + err)
            file.write_text("short")
            result = subprocess.run([ASSAY, "serve", "--model", MODEL, "--token-file", file], capture_output=True, text=True)
            self.assertEqual(result.returncode, 2)

    def test_what_cannot_be_served_is_said(self):
        for arguments, code, words in ((("--listen", "0.0.0.0"), 2, "token"), (("--listen", "example"), 2, "IP address"),
                                       (("--reports", "/nowhere/there.db"), 2, "there.db")):
            result = subprocess.run([ASSAY, "serve", "--model", MODEL, "--chat-format", "plain", *arguments],
                                    capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(words, result.stderr)

    def test_the_report_is_served(self):
        with tempfile.TemporaryDirectory() as folder:
            db = Path(folder) / "results.db"
            subprocess.run([REPORT_STORE, db, "demo"], check=True, capture_output=True)
            with Serving("--reports", db) as server:
                status, headers, body = fetch(server.root + "/reports")
                self.assertEqual(status, 200)
                self.assertEqual(headers["Content-Type"], "text/html; charset=utf-8")
                self.assertIn("<html", body)


class OpenAiPackage(unittest.TestCase):
    def test_chat_streams_logprobs_and_errors(self):
        if shutil.which("node") is None or shutil.which("npm") is None:
            self.skipTest("node and npm are not installed (scripts/setup --optional)")
        folder = BUILD / "npm"
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text("{}")
        if not (folder / "node_modules/openai").exists():
            result = subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE], cwd=folder,
                                    capture_output=True, text=True, timeout=240)
            if result.returncode != 0:
                self.skipTest(f"{PACKAGE} cannot be installed: {result.stderr.strip().splitlines()[:1]}")
        shutil.copy(SOURCE / "tests/e2e/openai_client.mjs", folder)
        with Serving() as server:
            result = subprocess.run(["node", "openai_client.mjs", server.base, "model"], cwd=folder, capture_output=True,
                                    text=True, env=ENVIRONMENT, timeout=240)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        print(result.stdout, file=sys.stderr, end="")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
