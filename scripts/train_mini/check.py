#!/usr/bin/env python3
"""Decodes greedily with plain PyTorch in float32 and prints one JSON line a prompt: {"id", "text"}.

usage: check.py CHECKPOINT PROMPTS.jsonl [--tokens N]      PROMPTS: {"id", "prompt"}, sent as one user turn
"""
import argparse
import json
import struct
from pathlib import Path

import torch

import bpe
import corpus
import model


def load(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        raw = torch.frombuffer(bytearray(data[8 + size + begin:8 + size + end]), dtype=torch.bfloat16)
        out[name] = raw.view(t["shape"]).float()
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--tokens", type=int, default=96)
    options = parser.parse_args()
    torch.set_num_threads(1)
    p = load(options.checkpoint / "model.safetensors")
    tokenizer = bpe.Tokenizer.from_json((options.checkpoint / "tokenizer.json").read_text())
    config, stop = model.Config(), tokenizer.special[corpus.EOT]
    for line in options.prompts.read_text().splitlines():
        row = json.loads(line)
        ids = [i for text, _ in corpus.chat(row["prompt"], "")[:-2] for i in tokenizer.encode(text)]
        start = len(ids)
        with torch.no_grad():
            while len(ids) - start < options.tokens:
                hidden = model.forward(p, config, torch.tensor([ids]), torch.float32)
                best = int(model.logits(p, hidden[0, -1:], torch.float32).argmax())
                if best == stop:
                    break
                ids.append(best)
        print(json.dumps({"id": row["id"], "text": tokenizer.decode(ids[start:])}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
