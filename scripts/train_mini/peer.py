#!/usr/bin/env python3
"""Asks another implementation for the greedy tokens of stored responses and counts how many are the same.

usage: assay runs export RUN --db STORE | peer.py URL      URL: a running llama-server with the GGUF of to_gguf.py
"""
import json
import sys
import urllib.request


def main():
    same = total = 0
    for line in sys.stdin:
        row = json.loads(line)
        if not row["ids"]:
            continue
        body = {"prompt": row["prompt_ids"], "n_predict": len(row["ids"]), "temperature": 0, "return_tokens": True,
                "cache_prompt": False}
        request = urllib.request.Request(sys.argv[1] + "/completion", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            tokens = json.load(answer)["tokens"]
        # The end token is in our list and not in the server's.
        end = row["finish_reason"] == "eos"
        ours = row["ids"][:-1] if end else row["ids"]
        total += 1
        same += tokens[:len(row["ids"])] in (ours, row["ids"])
        if tokens not in (ours, row["ids"]):
            print(f"{row['task']} {row['id']}: {ours} {tokens}", file=sys.stderr)
    print(f"{same} of {total} responses have the same tokens")


if __name__ == "__main__":
    main()
