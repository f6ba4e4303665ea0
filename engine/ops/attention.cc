#include "engine/ops/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace assay::engine {
namespace {

/// One tile: up to kQueryTile consecutive query tokens of a sequence against one KV head.
class Tile {
 public:
  Tile(const CpuKernels& kernels, const KvCache& cache, const AttentionArgs& args, float* scratch)
      : kernels_(kernels),
        cache_(cache),
        args_(args),
        group_(args.heads / args.kv_heads),
        width_(round_up(args.head_dim, 16)) {
    const std::int64_t rows = kQueryTile * group_;
    out_ = scratch;
    chunk_ = out_ + rows * width_;
    scores_ = chunk_ + rows * width_;
    state_ = scores_ + rows * kPageTokens;
    q_ = reinterpret_cast<bf16*>(state_ + 2 * rows);
    p_ = q_ + rows * args.head_dim;
    decoded_ = p_ + rows * kPageTokens;
  }

  void run(const SequenceRows& sequence, std::int64_t first, std::int64_t tokens,
           std::int64_t kv_head) {
    sequence_ = &sequence;
    first_ = first;
    tokens_ = tokens;
    kv_head_ = kv_head;
    gather_queries();
    const std::int64_t last_position = sequence.first_position + first + tokens - 1;
    for (std::int64_t page = 0; page * kPageTokens <= last_position; ++page) chunk(page);
    finish();
  }

 private:
  const bf16* query(std::int64_t token) const {
    const std::int64_t row = sequence_->first_row + first_ + token;
    return args_.q + row * args_.ld + kv_head_ * group_ * args_.head_dim;
  }

  void gather_queries() {
    const std::int64_t size = group_ * args_.head_dim;
    for (std::int64_t t = 0; t < tokens_; ++t) {
      std::copy_n(query(t), size, q_ + t * size);
    }
  }

  /// First token of the tile that sees the page, and how many keys of it a token sees.
  std::int64_t visible(std::int64_t page, std::int64_t token) const {
    const std::int64_t position = sequence_->first_position + first_ + token;
    return std::clamp<std::int64_t>(position + 1 - page * kPageTokens, 0, kPageTokens);
  }

  void chunk(std::int64_t page) {
    std::int64_t begin = 0;
    while (visible(page, begin) == 0) ++begin;
    const std::int64_t rows = (tokens_ - begin) * group_;
    const std::int64_t r0 = begin * group_;
    const std::int32_t number = sequence_->pages[static_cast<std::size_t>(page)];
    std::fill_n(scores_, rows * kPageTokens, 0.0F);
    kernels_.pair_dot({.acc = scores_,
                       .a = q_ + r0 * args_.head_dim,
                       .b = cache_.keys(kernels_, args_.layer, number, kv_head_, decoded_),
                       .rows = rows,
                       .ldacc = kPageTokens,
                       .lda = args_.head_dim,
                       .pairs = args_.head_dim / 2,
                       .vectors = kPageTokens / 16});
    softmax(page, number, begin);
    std::fill_n(chunk_, rows * width_, 0.0F);
    const std::int64_t pairs = (visible(page, tokens_ - 1) + 1) / 2;
    // Beyond the last visible pair all numerators are zero; its values may be left over from
    // others.
    kernels_.pair_dot(
        {.acc = chunk_,
         .a = p_,
         .b = cache_.values(kernels_, args_.layer, number, kv_head_, 2 * pairs, decoded_),
         .rows = rows,
         .ldacc = width_,
         .lda = kPageTokens,
         .pairs = pairs,
         .vectors = width_ / 16});
    for (std::int64_t r = 0; r < rows; ++r) fold(page, r0 + r, r);
  }

  void softmax(std::int64_t page, std::int32_t number, std::int64_t begin) {
    const auto scale =
        static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(args_.head_dim)));
    for (std::int64_t t = begin; t < tokens_; ++t) {
      for (std::int64_t g = 0; g < group_; ++g) {
        const std::int64_t r = (t - begin) * group_ + g;
        chunk_states_[static_cast<std::size_t>(r)] =
            kernels_.chunk_softmax({.scores = scores_ + r * kPageTokens,
                                    .k_scale = cache_.key_scales(args_.layer, number, kv_head_),
                                    .v_scale = cache_.value_scales(args_.layer, number, kv_head_),
                                    .p = p_ + r * kPageTokens,
                                    .width = kPageTokens,
                                    .valid = visible(page, t),
                                    .scale = scale});
      }
    }
  }

  /// Row `row` of the tile takes in row `r` of this page's results.
  void fold(std::int64_t page, std::int64_t row, std::int64_t r) {
    float* out = out_ + row * width_;
    float* state = state_ + 2 * row;  // maximum, sum
    const SoftmaxState fresh = chunk_states_[static_cast<std::size_t>(r)];
    if (page == 0) {
      std::copy_n(chunk_ + r * width_, width_, out);
      state[0] = fresh.max;
      state[1] = fresh.sum;
      return;
    }
    const float top = std::max(state[0], fresh.max);
    const float a = kernels_.exp2(state[0] - top);
    const float b = kernels_.exp2(fresh.max - top);
    kernels_.fold(out, chunk_ + r * width_, a, b, width_);
    state[0] = top;
    state[1] = state[1] * a + fresh.sum * b;
  }

  void finish() {
    const std::int64_t d = args_.head_dim;
    for (std::int64_t r = 0; r < tokens_ * group_; ++r) {
      const std::int64_t row = sequence_->first_row + first_ + r / group_;
      bf16* to = args_.out + row * args_.ldo + (kv_head_ * group_ + r % group_) * d;
      const float sum = state_[2 * r + 1];
      for (std::int64_t i = 0; i < d; ++i) to[i] = float_to_bf16(out_[r * width_ + i] / sum);
    }
  }

  const CpuKernels& kernels_;
  const KvCache& cache_;
  const AttentionArgs& args_;
  std::int64_t group_;
  std::int64_t width_;  // of a value row, d padded to 16
  float* out_;          // [tile rows, width]
  float* chunk_;        // [tile rows, width]
  float* scores_;       // [tile rows, 64]
  float* state_;        // [tile rows, 2]
  bf16* q_;             // [tile rows, d]
  bf16* p_;             // [tile rows, 64]
  bf16* decoded_;       // keys or values of a page of an FP8 cache
  static constexpr std::int64_t kMaxGroup = 16;
  std::array<SoftmaxState, kQueryTile * kMaxGroup> chunk_states_{};
  const SequenceRows* sequence_ = nullptr;
  std::int64_t first_ = 0;
  std::int64_t tokens_ = 0;
  std::int64_t kv_head_ = 0;
};

struct TileTask {
  std::size_t sequence = 0;
  std::int64_t first = 0;
  std::int64_t tokens = 0;
};

}  // namespace

std::int64_t attention_bytes(const KvCache& cache, const AttentionArgs& args) {
  const std::int64_t token =
      KvCache::page_bytes({1, args.kv_heads, args.head_dim}, cache.type()) / kPageTokens;
  std::int64_t tokens = 0;
  for (const SequenceRows& sequence : args.sequences) {
    tokens += sequence.first_position + sequence.rows;
  }
  return tokens * token;
}

std::int64_t attention_flops(const AttentionArgs& args) {
  std::int64_t pairs = 0;
  for (const SequenceRows& sequence : args.sequences) {
    const std::int64_t n = sequence.rows;
    pairs += n * (sequence.first_position + 1) + n * (n - 1) / 2;
  }
  return 4 * pairs * args.heads * args.head_dim;
}

std::int64_t attention_scratch_floats(std::int64_t group, std::int64_t head_dim) {
  const std::int64_t rows = kQueryTile * group;
  return rows * (2 * round_up(head_dim, 16) + kPageTokens + 2) +
         (rows * (head_dim + kPageTokens) + KvCache::scratch_values(head_dim) + 1) / 2 + 64;
}

void attention_cpu(CpuContext& context, const KvCache& cache, const AttentionArgs& args) {
  std::vector<TileTask> tasks;
  for (std::size_t s = 0; s < args.sequences.size(); ++s) {
    for (std::int64_t first = 0; first < args.sequences[s].rows; first += kQueryTile) {
      tasks.push_back({s, first, std::min(kQueryTile, args.sequences[s].rows - first)});
    }
  }
  const auto count = static_cast<std::int64_t>(tasks.size()) * args.kv_heads;
  context.team.run(count, [&](std::int64_t index, int thread) {
    const TileTask& task = tasks[static_cast<std::size_t>(index / args.kv_heads)];
    Tile(*context.kernels, cache, args, context.scratch(thread))
        .run(args.sequences[task.sequence], task.first, task.tokens, index % args.kv_heads);
  });
}

}  // namespace assay::engine
