#!/usr/bin/env python3
"""Published model responses as responses for `assay score`, with the published verdicts beside them.

usage: convert_labelled.py gsm8k SOLUTIONS TEST_JSONL OUT_FOLDER
       convert_labelled.py ifeval RESULTS_FOLDER INPUT_DATA_JSONL OUT_FOLDER

gsm8k   example_model_solutions.jsonl(.gz) of grade-school-math and the test set: four models,
        MODEL.jsonl of {"id", "response"} and MODEL.verdicts.jsonl of {"id", "is_correct"}.
ifeval  the folder with input_response_data_*.jsonl(.gz) and eval_results_{strict,loose}.jsonl(.gz)
        of the instruction-following evaluation and its input data: responses.jsonl of
        {"id", "response"} and verdicts.jsonl of {"id", "strict", "loose"}. Responses to prompts that
        are not in the input data (one: its prompt was reworded later) are left out and counted.
"""
import gzip
import json
import pathlib
import sys


def lines(path):
    path = str(path)
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def write(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def gsm8k(solutions, test, folder):
    ids = {row["question"]: f"gsm8k/test/{index}" for index, row in enumerate(lines(test))}
    rows = lines(solutions)
    for model in ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]:
        answers = [(ids[row["question"]], row[model]) for row in rows]
        write(folder / f"{model}.jsonl",
              [{"id": name, "response": answer["solution"]} for name, answer in answers])
        write(folder / f"{model}.verdicts.jsonl",
              [{"id": name, "is_correct": answer["is_correct"]} for name, answer in answers])


def ifeval(results, inputs, folder):
    def found(pattern):
        paths = sorted(pathlib.Path(results).glob(pattern + ".jsonl*"))
        if len(paths) != 1:
            sys.exit(f"convert_labelled.py: {results}: {len(paths)} files {pattern}.jsonl*, expected one")
        return lines(paths[0])

    ids = {row["prompt"]: f"ifeval/{row['key']}" for row in lines(inputs)}
    verdicts = {}
    for kind in ["strict", "loose"]:
        for row in found(f"eval_results_{kind}"):
            verdicts.setdefault(ids[row["prompt"]], {})[kind] = row["follow_instruction_list"]
    responses = found("input_response_data_*")
    kept = [row for row in responses if row["prompt"] in ids]
    if len(kept) < len(responses):
        print(f"convert_labelled.py: left out {len(responses) - len(kept)} of {len(responses)} responses: "
              "prompt not in the input data", file=sys.stderr)
    write(folder / "responses.jsonl",
          [{"id": ids[row["prompt"]], "response": row["response"]} for row in kept])
    write(folder / "verdicts.jsonl", [{"id": name, **both} for name, both in verdicts.items()])


def main():
    tasks = {"gsm8k": gsm8k, "ifeval": ifeval}
    if len(sys.argv) != 5 or sys.argv[1] not in tasks:
        sys.exit(__doc__.strip())
    folder = pathlib.Path(sys.argv[4])
    folder.mkdir(parents=True, exist_ok=True)
    tasks[sys.argv[1]](sys.argv[2], sys.argv[3], folder)


if __name__ == "__main__":
    main()
