#!/usr/bin/env python3
"""Writes a checkpoint of this folder as GGUF, to load it in llama.cpp.

usage: to_gguf.py CHECKPOINT OUT.gguf      needs nothing but Python
"""
import json
import struct
import sys
from pathlib import Path

import bpe

BF16, F32 = 30, 0
# Value types of GGUF version 3.
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, kind, value):
    if kind == ARRAY:
        inner, values = value
        body = struct.pack("<IQ", inner, len(values))
        body += b"".join(text(v) for v in values) if inner == STRING else struct.pack(f"<{len(values)}i", *values)
    elif kind == STRING:
        body = text(value)
    else:
        body = struct.pack({UINT32: "<I", FLOAT32: "<f", BOOL: "<?"}[kind], value)
    return text(key) + struct.pack("<I", kind) + body


def tensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    for name, t in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            yield name, t["shape"], data[8 + size + begin:8 + size + end]


def gguf_name(name):
    if not name.startswith("model.layers."):
        return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


def neighbours(rows, heads):
    """Rows of a projection in the order that rotates neighbours instead of halves."""
    size = len(rows) // heads
    return [rows[h * size + half * size // 2 + i] for h in range(heads) for i in range(size // 2) for half in (0, 1)]


def converted(name, shape, data, config):
    """GGUF type and bytes: matrices stay BF16, vectors become F32."""
    if len(shape) == 1:
        return F32, b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
    for part, heads in (("q_proj", config["num_attention_heads"]), ("k_proj", config["num_key_value_heads"])):
        if part in name:
            width = 2 * shape[1]
            rows = [data[i:i + width] for i in range(0, len(data), width)]
            data = b"".join(neighbours(rows, heads))
    return BF16, data


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    config = json.loads((folder / "config.json").read_text())
    tokenizer = bpe.Tokenizer.from_json((folder / "tokenizer.json").read_text())
    names = {i: bpe.spelled(b) for b, i in tokenizer.vocab.items()} | {i: s for s, i in tokenizer.special.items()}
    tokens = [names.get(i, f"<|unused_{i}|>") for i in range(config["vocab_size"])]
    special = set(tokenizer.special.values())
    entries = [
        entry("general.architecture", STRING, "llama"), entry("general.name", STRING, "mini"),
        entry("llama.block_count", UINT32, config["num_hidden_layers"]),
        entry("llama.context_length", UINT32, config["max_position_embeddings"]),
        entry("llama.embedding_length", UINT32, config["hidden_size"]),
        entry("llama.feed_forward_length", UINT32, config["intermediate_size"]),
        entry("llama.attention.head_count", UINT32, config["num_attention_heads"]),
        entry("llama.attention.head_count_kv", UINT32, config["num_key_value_heads"]),
        entry("llama.attention.layer_norm_rms_epsilon", FLOAT32, config["rms_norm_eps"]),
        entry("llama.rope.freq_base", FLOAT32, config["rope_theta"]),
        entry("llama.rope.dimension_count", UINT32, config["head_dim"]),
        entry("llama.vocab_size", UINT32, config["vocab_size"]),
        entry("tokenizer.ggml.model", STRING, "gpt2"), entry("tokenizer.ggml.pre", STRING, "llama-bpe"),
        entry("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
        # 1 normal, 3 control, 5 unused
        entry("tokenizer.ggml.token_type", ARRAY,
              (INT32, [3 if i in special else 1 if i in names else 5 for i in range(len(tokens))])),
        entry("tokenizer.ggml.merges", ARRAY,
              (STRING, [f"{bpe.spelled(a)} {bpe.spelled(b)}" for a, b in tokenizer.merges])),
        entry("tokenizer.ggml.bos_token_id", UINT32, config["bos_token_id"]),
        entry("tokenizer.ggml.eos_token_id", UINT32, config["eos_token_id"]),
        entry("tokenizer.ggml.add_bos_token", BOOL, True),
    ]
    infos, blobs, offset = [], [], 0
    for name, shape, data in tensors(folder / "model.safetensors"):
        kind, data = converted(name, shape, data, config)
        infos.append(text(gguf_name(name)) + struct.pack("<I", len(shape)) +
                     struct.pack(f"<{len(shape)}Q", *reversed(shape)) + struct.pack("<IQ", kind, offset))
        data += b"\0" * (-len(data) % 32)
        blobs.append(data)
        offset += len(data)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(entries)) + b"".join(entries) + b"".join(infos)
    out.write_bytes(head + b"\0" * (-len(head) % 32) + b"".join(blobs))


if __name__ == "__main__":
    main()
