#!/usr/bin/env python3
"""Asks another implementation for the greedy tokens of stored responses and counts how many are the same.

usage: assay runs export RUN --db STORE | peer.py URL      URL: a running llama-server with the GGUF of to_gguf.py

Where they part, the server is asked for the two likeliest tokens there: how far apart they are, in nats, tells a tie that
rounding decides from a real difference.
"""
import json
import sys
import urllib.request


def ask(ids, count, **more):
    body = {"prompt": ids, "n_predict": count, "temperature": 0, "return_tokens": True, "cache_prompt": False, **more}
    request = urllib.request.Request(sys.argv[1] + "/completion", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def parting(ours, theirs):
    """Where the first differing token stands; an end is a difference too."""
    return next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))


def main():
    same = total = 0
    for line in sys.stdin:
        row = json.loads(line)
        if not row["ids"]:
            continue
        tokens = ask(row["prompt_ids"], len(row["ids"]))["tokens"]
        # The end token is in our list and not in the server's.
        end = row["finish_reason"] == "eos"
        ours = row["ids"][:-1] if end else row["ids"]
        total += 1
        same += tokens[:len(row["ids"])] in (ours, row["ids"])
        if tokens not in (ours, row["ids"]):
            at = parting(row["ids"], tokens)
            there = ask(row["prompt_ids"] + row["ids"][:at], 1, n_probs=2)
            first, second = there["completion_probabilities"][0]["top_logprobs"]
            print(f"{row['task']} {row['id']}: token {at}, ours {row['ids'][at:at + 1]}, theirs {tokens[at:at + 1]}; "
                  f"there {first['id']} is {first['logprob'] - second['logprob']:.3f} nats before {second['id']}",
                  file=sys.stderr)
    print(f"{same} of {total} responses have the same tokens")


if __name__ == "__main__":
    main()
