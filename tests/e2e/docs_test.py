#!/usr/bin/env python3
"""Every command that README, docs and the program's own help show has options that the program knows, and files that there are.

usage: tests/e2e/docs_test.py ASSAY SOURCE
"""
import re
import subprocess
import sys
import unittest
from functools import lru_cache
from pathlib import Path

ASSAY = Path(sys.argv.pop(1)).resolve()
SOURCE = Path(sys.argv.pop(1)).resolve()
PAGES = ["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/measurements/*.md", "datasets/*/README.md", "evals/*/README.md",
         "suites/*.jsonc"]
OTHERS = ["scripts/server-bench.py"]  # llama.cpp's


@lru_cache(maxsize=None)
def help_of(*words):
    result = subprocess.run([ASSAY, *words, "--help"], capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"assay {' '.join(words)} --help: exit code {result.returncode}: {result.stderr}")
    return result.stdout


def subcommands(text):
    """Names that a help lists."""
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.M)
    return re.findall(r"^  (\S+)", listed[1], re.M) if listed else []


def shown(text):
    """(words, options) of each command in a text; prose such as "assay holds" is none."""
    text = re.sub(r"\\\n", " ", text)
    for line in re.findall(r"(?:^|[\s`])assay ([a-z][^\n`]*)", text):
        words = re.split(r"#|&&|\||;| > ", line)[0].split()
        if words[0] not in subcommands(help_of()):
            continue
        command = [words[0]]
        below = subcommands(help_of(*command))
        if below and len(words) > 1 and words[1] in below:
            command.append(words[1])
        yield command, re.findall(r"(?<!\S)(--[a-z][a-z0-9-]*)", " ".join(words[1:]))


class Documents(unittest.TestCase):
    def check(self, where, text):
        count = 0
        for command, options in shown(text):
            for option in options:
                count += 1
                with self.subTest(where=where, command=" ".join(command)):
                    self.assertRegex(help_of(*command), rf"(?<![\w-]){option}(?![\w-])", f"no option {option}")
        return count

    def test_options_in_documents_exist(self):
        pages = [page for pattern in PAGES for page in sorted(SOURCE.glob(pattern))]
        self.assertGreater(sum(self.check(page.name, page.read_text()) for page in pages), 150)

    def test_files_of_this_project_exist(self):
        for pattern in PAGES:
            for page in sorted(SOURCE.glob(pattern)):
                for name in re.findall(r"(?<![\w./-])((?:suites|scripts|docs|tests|cmake)/[\w./-]*\w)", page.read_text()):
                    with self.subTest(page=page.name, name=name):
                        if name in OTHERS:
                            continue
                        self.assertTrue((SOURCE / name).exists() or list(SOURCE.glob(name + ".*")), "no such file")

    def test_options_in_the_help_exist(self):
        examples = 0
        for command in subcommands(help_of()):
            for words in [[command], *([command, below] for below in subcommands(help_of(command)))]:
                text = help_of(*words)
                if "Examples:" not in text:
                    continue
                lines = text.split("Examples:\n")[1].split("\n\n")[0]
                self.assertTrue(all(re.search(rf"assay {' '.join(words)}\b", line) for line in lines.splitlines()), lines)
                examples += self.check("--help", lines)
        self.assertGreater(examples, 30)


if __name__ == "__main__":
    unittest.main()
