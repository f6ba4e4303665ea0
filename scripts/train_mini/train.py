#!/usr/bin/env python3
"""Trains the demonstration model on generated text.

usage: train.py FOLDER [--steps N] [--seed N] [--lr X]      needs PyTorch (python3-torch), see README.md

FOLDER gets tokenizer.json, state.pt (every few minutes; a second call goes on from there) and log.txt.
"""
import argparse
import math
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import bpe
import corpus
import model

BATCH_TOKENS = 3072
POOL = 1024  # documents sorted by length together
TOKENIZER_DOCUMENTS = 40000


def tokenizer_for(path, seed, size):
    if not path.exists():
        stream = corpus.Corpus(seed)
        texts = [text for _, (_, d) in zip(range(TOKENIZER_DOCUMENTS), stream) for text, _ in d
                 if text not in corpus.SPECIAL]
        # A value that stands in a choice is one token, the easier to find again.
        texts += [f" {v}" for v in stream.VALUES] * (TOKENIZER_DOCUMENTS // 100)
        merges = bpe.train_merges(texts, size - 256 - len(corpus.SPECIAL))
        path.write_text(bpe.Tokenizer(merges, corpus.SPECIAL, size).to_json(corpus.BOS))
    return bpe.Tokenizer.from_json(path.read_text())


def encoded(tokenizer, document):
    """Ids, and for each whether it is learned."""
    ids, learned = [], []
    for text, learn in document:
        part = tokenizer.encode(text)
        ids += part
        learned += [learn] * len(part)
    return ids, learned


def batches(tokenizer, seed, first=0):
    """Endless (ids, targets) of documents of like length; a target of -100 is not learned."""
    stream, order = iter(corpus.Corpus(seed, first)), random.Random(seed)
    while True:
        pool = sorted((encoded(tokenizer, d) for _, (_, d) in zip(range(POOL), stream)), key=lambda d: len(d[0]))
        groups, group = [], []
        for document in pool:
            if group and (len(group) + 1) * len(document[0]) > BATCH_TOKENS:
                groups.append(group)
                group = []
            group.append(document)
        groups.append(group)
        order.shuffle(groups)
        for group in groups:
            length = max(len(ids) for ids, _ in group)
            ids = torch.zeros(len(group), length, dtype=torch.long)
            targets = torch.full((len(group), length), -100)
            for i, (row, learned) in enumerate(group):
                ids[i, :len(row)] = torch.tensor(row)
                goal = torch.tensor([t if l else -100 for t, l in zip(row, learned)])
                targets[i, :len(row) - 1] = goal[1:]
            yield ids, targets


def orthogonal(g):
    """Newton-Schulz iteration towards the nearest matrix with equal singular values (Jordan et al. 2024, Muon)."""
    x = g.to(torch.bfloat16)
    if g.shape[0] > g.shape[1]:
        x = x.t()
    x = x / (x.float().norm() + 1e-7).to(x.dtype)
    for _ in range(5):
        a = x @ x.t()
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    if g.shape[0] > g.shape[1]:
        x = x.t()
    return x.float() * max(1, g.shape[0] / g.shape[1]) ** 0.5


class Optimizer:
    """Muon for the matrices of the layers, Adam for embedding and norms."""

    def __init__(self, p):
        self.p = p
        self.m = {k: torch.zeros_like(v) for k, v in p.items()}
        self.v = {k: torch.zeros_like(v) for k, v in p.items() if not self.by_muon(k)}

    @staticmethod
    def by_muon(name):
        return name.endswith("_proj.weight")

    @torch.no_grad()
    def step(self, number, scale, lr):
        for name, w in self.p.items():
            g, m = w.grad, self.m[name]
            if self.by_muon(name):
                m.mul_(0.95).add_(g)
                w.mul_(1 - 0.02 * scale * lr).add_(orthogonal(g + 0.95 * m), alpha=-0.02 * scale * lr)
            else:
                v = self.v[name]
                m.mul_(0.9).add_(g, alpha=0.1)
                v.mul_(0.98).addcmul_(g, g, value=0.02)
                update = (m / (1 - 0.9 ** number)) / ((v / (1 - 0.98 ** number)).sqrt() + 1e-8)
                w.add_(update, alpha=-0.004 * scale * lr)
            w.grad = None


def schedule(step, steps):
    """Warm-up, level, then down to nothing over the last 60 %."""
    return min(1, step / 30, max(0.01, (steps - step) / (0.6 * steps)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lr", type=float, default=0.3)
    options = parser.parse_args()
    torch.set_num_threads(1)  # small matrices: a second thread waits more than it works
    options.folder.mkdir(parents=True, exist_ok=True)
    config = model.Config()
    tokenizer = tokenizer_for(options.folder / "tokenizer.json", options.seed, config.vocab)
    p = model.parameters(config, options.seed)
    state_path = options.folder / "state.pt"
    state = torch.load(state_path) if state_path.exists() else {"step": 0, "tokens": 0}
    if "p" in state:
        p = state["p"]
    for w in p.values():
        w.requires_grad_()
    optimizer = Optimizer(p)
    if "m" in state:
        optimizer.m, optimizer.v = state["m"], state["v"]
    done, tokens = state["step"], state["tokens"]
    log = open(options.folder / "log.txt", "a")

    def say(text):
        print(text, flush=True)
        log.write(text + "\n")
        log.flush()

    say(f"from step {done} of {options.steps}, seed {options.seed}, lr {options.lr}, PyTorch {torch.__version__}, "
        f"{sum(w.numel() for w in p.values())} parameters, {len(tokenizer.vocab)} tokens in use")
    started = saved = time.time()
    total = count = correct = learned = found = asked = 0
    letters = torch.tensor([i for c in "ABCD" for i in tokenizer.encode(f" {c}")])
    # A second call must not learn the same documents again, so its stream has a seed of its own.
    first = 0 if done else corpus.Corpus.FIRST
    for step, (ids, targets) in enumerate(batches(tokenizer, options.seed * 1000 + done + 1, first), done + 1):
        hidden = model.forward(p, config, ids)
        where = targets != -100
        scores, goal = model.logits(p, hidden[where]), targets[where]
        loss = F.cross_entropy(scores, goal)
        loss.backward()
        optimizer.step(step, schedule(step, options.steps), options.lr)
        total, count, tokens = total + loss.item(), count + 1, tokens + ids.numel()
        right, letter = scores.argmax(-1) == goal, torch.isin(goal, letters)
        correct, learned = correct + right.sum().item(), learned + len(goal)
        found, asked = found + (right & letter).sum().item(), asked + letter.sum().item()
        if step % 50 == 0 or step == options.steps:
            say(f"step {step}  tokens {tokens}  loss {total / count:.4f}  right {100 * correct / learned:.2f} %  "
                f"letters {100 * found / max(1, asked):.1f} %  {time.time() - started:.0f} s")
            if not math.isfinite(total):
                raise SystemExit("the loss is no number")
            total = count = correct = learned = found = asked = 0
        if time.time() - saved > 180 or step == options.steps:
            torch.save({"p": {k: w.detach() for k, w in p.items()}, "m": optimizer.m, "v": optimizer.v, "step": step,
                        "tokens": tokens}, state_path.with_suffix(".new"))
            state_path.with_suffix(".new").replace(state_path)
            saved = time.time()
        if step == options.steps:
            break


if __name__ == "__main__":
    main()
