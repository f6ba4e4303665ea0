#!/usr/bin/env python3
"""Writes what train.py has in FOLDER as a Hugging Face checkpoint.

usage: export.py FOLDER OUT [--round BITS]      --round: weights to so many bits first, one scale a matrix (for tests)
"""
import argparse
import json
import shutil
import struct
from pathlib import Path

import torch

import bpe
import corpus
import model

# Renders what the model was taught: the message format of Llama 3 without a system block.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for turn in messages %}"
    "{{ '<|start_header_id|>' ~ turn['role'] ~ '<|end_header_id|>\\n\\n' ~ (turn['content'] | trim) ~ '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}")


def config_json(config, special):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
            "vocab_size": config.vocab, "hidden_size": config.hidden, "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads, "num_key_value_heads": config.kv_heads, "head_dim": config.head_dim,
            "intermediate_size": config.intermediate, "max_position_embeddings": config.context,
            "rope_theta": config.theta, "rms_norm_eps": config.eps, "hidden_act": "silu", "tie_word_embeddings": True,
            "attention_bias": False, "mlp_bias": False, "bos_token_id": special[corpus.BOS],
            "eos_token_id": special[corpus.EOT]}


def safetensors(tensors):
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(tensors):
        data = tensors[name].detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensors[name].shape),
                        "data_offsets": [offset, offset + len(data)]}
        blobs.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(blobs)


def rounded(w, bits):
    top = 2 ** (bits - 1) - 1
    scale = w.abs().max() / top
    return (w / scale).round().clamp(-top, top) * scale


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--round", type=int, default=0)
    options = parser.parse_args()
    weights = torch.load(options.folder / "state.pt")["p"]
    if options.round:
        weights = {k: rounded(w, options.round) if k.endswith("_proj.weight") else w for k, w in weights.items()}
    options.out.mkdir(parents=True, exist_ok=True)
    special = bpe.Tokenizer.from_json((options.folder / "tokenizer.json").read_text()).special
    (options.out / "model.safetensors").write_bytes(safetensors(weights))
    write_json(options.out / "config.json", config_json(model.Config(), special))
    write_json(options.out / "generation_config.json",
               {"bos_token_id": special[corpus.BOS],
                "eos_token_id": [special["<|end_of_text|>"], special[corpus.EOT]], "do_sample": False})
    shutil.copyfile(options.folder / "tokenizer.json", options.out / "tokenizer.json")
    write_json(options.out / "tokenizer_config.json",
               {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": corpus.BOS, "eos_token": corpus.EOT,
                "model_max_length": model.Config().context, "clean_up_tokenization_spaces": False,
                "chat_template": CHAT_TEMPLATE})


if __name__ == "__main__":
    main()
