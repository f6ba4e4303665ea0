"""The Llama architecture in plain PyTorch: weights in float32, matrix products in bfloat16."""
import dataclasses

import torch
import torch.nn.functional as F


@dataclasses.dataclass
class Config:
    vocab: int = 3072
    hidden: int = 256
    layers: int = 5
    heads: int = 8
    kv_heads: int = 2
    head_dim: int = 32
    intermediate: int = 640
    context: int = 1024
    theta: float = 10000.0
    eps: float = 1e-5


def parameters(config, seed):
    """Names as in Hugging Face checkpoints."""
    g = torch.Generator().manual_seed(seed)
    h, q, kv, i = (config.hidden, config.heads * config.head_dim, config.kv_heads * config.head_dim,
                   config.intermediate)
    # The stream starts as the embedding, large beside what the layers add: what stands in the text is read back after
    # two hundred steps instead of thousands. The small last norm keeps the first logits small.
    out = {"model.embed_tokens.weight": torch.randn(config.vocab, h, generator=g) * 0.2}
    for n in range(config.layers):
        p = f"model.layers.{n}."
        for name, rows, cols in (("self_attn.q_proj", q, h), ("self_attn.k_proj", kv, h), ("self_attn.v_proj", kv, h),
                                 ("self_attn.o_proj", h, q), ("mlp.gate_proj", i, h), ("mlp.up_proj", i, h),
                                 ("mlp.down_proj", h, i)):
            scale = 0.0 if name in ("self_attn.o_proj", "mlp.down_proj") else cols ** -0.5
            out[f"{p}{name}.weight"] = torch.randn(rows, cols, generator=g) * scale
        for name in ("input_layernorm", "post_attention_layernorm"):
            out[f"{p}{name}.weight"] = torch.ones(h)
    out["model.norm.weight"] = torch.full((h,), 0.3)
    return out


def rms_norm(x, weight, eps):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def rotary(config, length):
    inverse = config.theta ** (-torch.arange(0, config.head_dim, 2).double() / config.head_dim)
    angles = torch.outer(torch.arange(length).double(), inverse)
    angles = torch.cat([angles, angles], -1)
    return angles.cos().float(), angles.sin().float()


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


def forward(p, config, ids, dtype=torch.bfloat16):
    """Hidden states (batch, length, hidden) after the last norm."""
    batch, length = ids.shape
    cos, sin = (t.to(dtype) for t in rotary(config, length))
    mask = torch.full((length, length), float("-inf"), dtype=dtype).triu(1)
    x = F.embedding(ids, p["model.embed_tokens.weight"])
    groups = config.heads // config.kv_heads
    for n in range(config.layers):
        def linear(name, value):
            return value @ p[f"model.layers.{n}.{name}.weight"].to(dtype).t()
        h = rms_norm(x, p[f"model.layers.{n}.input_layernorm.weight"], config.eps).to(dtype)
        q, k, v = (linear(f"self_attn.{s}_proj", h).view(batch, length, -1, config.head_dim).transpose(1, 2)
                   for s in "qkv")
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        # Heads of one group stand one under the other, so that one product serves the group.
        q = q.reshape(batch, config.kv_heads, groups, length, config.head_dim)
        scores = q @ k.unsqueeze(2).transpose(-1, -2) * config.head_dim ** -0.5 + mask
        y = (scores.softmax(-1) @ v.unsqueeze(2)).reshape(batch, config.heads, length, config.head_dim)
        x = x + linear("self_attn.o_proj", y.transpose(1, 2).reshape(batch, length, -1))
        h = rms_norm(x, p[f"model.layers.{n}.post_attention_layernorm.weight"], config.eps).to(dtype)
        x = x + linear("mlp.down_proj", F.silu(linear("mlp.gate_proj", h)) * linear("mlp.up_proj", h))
    return rms_norm(x, p["model.norm.weight"], config.eps)


def logits(p, hidden, dtype=torch.bfloat16):
    return (hidden.to(dtype) @ p["model.embed_tokens.weight"].to(dtype).t()).float()
