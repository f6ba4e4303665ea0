#!/usr/bin/env python3
"""Published model solutions of GSM8K as responses for `assay score`.

Reads example_model_solutions.jsonl(.gz) of grade-school-math and the test set, writes four files
of {"id", "response"} lines and one of the published verdicts beside each.

usage: convert_labelled.py SOLUTIONS TEST_JSONL OUT_FOLDER
"""
import gzip
import json
import pathlib
import sys


def lines(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def main():
    solutions, test, out = sys.argv[1:4]
    rows = {row["question"]: index for index, row in enumerate(lines(test))}
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    models = ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]
    for model in models:
        with open(folder / f"{model}.jsonl", "w", encoding="utf-8") as responses, open(
            folder / f"{model}.verdicts.jsonl", "w", encoding="utf-8"
        ) as verdicts:
            for row in lines(solutions):
                name = f"gsm8k/test/{rows[row['question']]}"
                answer = row[model]
                responses.write(json.dumps({"id": name, "response": answer["solution"]}) + "\n")
                verdicts.write(json.dumps({"id": name, "is_correct": answer["is_correct"]}) + "\n")


if __name__ == "__main__":
    main()
