"""The Llama architecture in plain PyTorch: weights in float32, matrix products in bfloat16."""
import dataclasses

import torch
import torch.nn.functional as F


@dataclasses.dataclass
class Config:
    vocab: int = 3072
    hidden: int = 256
    layers: int = 4
    heads: int = 8
    kv_heads: int = 2
    head_dim: int = 32
    intermediate: int = 512
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
    start_with_lookup_heads(out, config, g)
    return out


def start_with_lookup_heads(p, config, g):
    """Some heads start as parts of a look-up, which training alone does not find in a small model's few thousand steps.

    Layer 0: the heads of the first group see the places 1, 2, 3, ... back, by the rotation of a direction that all
    embeddings share. Above: the first head of each group sees equal tokens, query and key being the same projection
    (Trockman and Kolter 2023, Mimetic Initialization of Self-Attention Layers). Training then changes them as it likes.
    """
    h, d, group, fast = config.hidden, config.head_dim, config.heads // config.kv_heads, 4
    shared = torch.randn(h, generator=g)
    shared /= shared.norm()
    e = p["model.embed_tokens.weight"]
    e -= torch.outer(e @ shared, shared)
    e += 0.16 * h ** 0.5 * shared
    part = h ** 0.5 * 0.8 / (1 + 0.8 ** 2) ** 0.5  # of a normalised embedding along `shared`

    angles = config.theta ** (-torch.arange(0, d, 2).double() / d)
    fall = (1 - angles[:fast].cos()).sum()  # of the score from the place looked for to its neighbour, before scaling

    def seen_from(places):
        """A projection of `shared` that is the key 0 places back, rotated over so many places."""
        turn = (angles[:fast] * places).float()
        both = torch.zeros(2, d // 2)
        both[:, :fast] = torch.stack([turn.cos(), turn.sin()])
        return torch.outer(both.flatten(), shared) * float((4 * d ** 0.5 / fall) ** 0.5 / part)

    first = "model.layers.0.self_attn."
    p[first + "k_proj.weight"][:d] = seen_from(0)
    for n in range(group):
        p[first + "q_proj.weight"][n * d:(n + 1) * d] = seen_from(-(n + 1))
        p[first + "o_proj.weight"][:, n * d:(n + 1) * d] = torch.randn(h, d, generator=g) * 0.03
    for layer in range(1, config.layers):
        q, k = (p[f"model.layers.{layer}.self_attn.{name}_proj.weight"] for name in "qk")
        k -= torch.outer(k @ shared, shared)
        for n in range(config.kv_heads):
            same = k[n * d:(n + 1) * d].reshape(2, d // 2, h).clone()
            same[:, :fast] = 0  # what turns fast tells places, not tokens
            q[n * group * d:(n * group + 1) * d] = 2.5 * same.reshape(d, h)


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
