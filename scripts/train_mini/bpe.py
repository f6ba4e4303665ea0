"""Byte-level BPE with the Llama 3 pre-tokenizer: trains on the corpus, writes tokenizer.json, encodes.

Digits never merge, so a number is its digits and arithmetic is about positions.
"""
import collections
import json
import re

# What the fast tokenizers of the field read, and its equal for Python's re on the characters of this corpus.
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
           r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
WORD = re.compile(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?[^\W\d_]+|\d{1,3}|"
                  r" ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_alphabet():
    """Printable characters for the 256 bytes, as files of this kind have them."""
    printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(0x100 + i) for i, b in enumerate(others)}


ALPHABET = byte_alphabet()


def spelled(data):
    return "".join(ALPHABET[b] for b in data)


def train_merges(texts, count):
    """The `count` merges of most frequent neighbours, ties by text: a list of (left, right) bytes."""
    frequency = collections.Counter()
    for text in texts:
        frequency.update(w for w in WORD.findall(text) if not w[0].isdigit())
    words = [([bytes([b]) for b in w.encode()], n) for w, n in sorted(frequency.items())]
    pairs, places = collections.Counter(), collections.defaultdict(set)
    for i, (parts, n) in enumerate(words):
        for pair in zip(parts, parts[1:]):
            pairs[pair] += n
            places[pair].add(i)
    merges = []
    while len(merges) < count and pairs:
        best = max(pairs, key=lambda p: (pairs[p], p))
        if pairs[best] < 2:
            break
        merges.append(best)
        for i in list(places[best]):
            parts, n = words[i]
            for pair in zip(parts, parts[1:]):
                pairs[pair] -= n
                if pairs[pair] <= 0:
                    del pairs[pair]
                places[pair].discard(i)
            parts = merged(parts, best)
            words[i] = (parts, n)
            for pair in zip(parts, parts[1:]):
                pairs[pair] += n
                places[pair].add(i)
    return merges


def merged(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, merges, special, size):
        self.merges = merges
        self.ranks = {pair: i for i, pair in enumerate(merges)}
        self.vocab = {bytes([b]): b for b in range(256)}
        for left, right in merges:
            self.vocab.setdefault(left + right, len(self.vocab))
        self.special = {name: size - len(special) + i for i, name in enumerate(special)}
        assert len(self.vocab) <= size - len(special)
        self.size = size
        self.bytes_of = {i: b for b, i in self.vocab.items()}
        self.cache = {}

    def word(self, word):
        ids = self.cache.get(word)
        if ids is None:
            parts = [bytes([b]) for b in word.encode()]
            while len(parts) > 1:
                best = min(zip(parts, parts[1:]), key=lambda p: self.ranks.get(p, 1 << 30))
                if best not in self.ranks:
                    break
                parts = merged(parts, best)
            ids = self.cache[word] = [self.vocab[p] for p in parts]
        return ids

    def encode(self, text):
        """Ids of a text, or of the special token with this name."""
        if text in self.special:
            return [self.special[text]]
        return [i for w in WORD.findall(text) for i in self.word(w)]

    def decode(self, ids):
        return b"".join(self.bytes_of.get(i, b"") for i in ids).decode(errors="replace")

    def to_json(self, bos):
        return json.dumps({
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": i, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
                              "normalized": False, "special": True} for name, i in self.special.items()],
            "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
            "post_processor": {"type": "TemplateProcessing",
                               "single": [{"SpecialToken": {"id": bos, "type_id": 0}},
                                          {"Sequence": {"id": "A", "type_id": 0}}],
                               "pair": [{"SpecialToken": {"id": bos, "type_id": 0}},
                                        {"Sequence": {"id": "A", "type_id": 0}},
                                        {"SpecialToken": {"id": bos, "type_id": 1}},
                                        {"Sequence": {"id": "B", "type_id": 1}}],
                               "special_tokens": {bos: {"id": bos, "ids": [self.special[bos]], "tokens": [bos]}}},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {spelled(b): i for b, i in self.vocab.items()},
                      "merges": [f"{spelled(a)} {spelled(b)}" for a, b in self.merges]},
        }, ensure_ascii=False, indent=1)

    @staticmethod
    def from_json(text):
        data = json.loads(text)
        back = {c: b for b, c in ALPHABET.items()}
        merges = [tuple(bytes(back[c] for c in part) for part in m.split(" ")) for m in data["model"]["merges"]]
        special = sorted(data["added_tokens"], key=lambda t: t["id"])
        return Tokenizer(merges, [t["content"] for t in special], special[-1]["id"] + 1)
