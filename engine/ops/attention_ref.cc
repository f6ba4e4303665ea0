// Attention in double precision, one row, head and key at a time.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops/attention.h"

namespace assay::engine {
namespace {

/// Keys and values of one KV head of a sequence, as the cache gives them back.
class Head {
 public:
  Head(const KvCache& cache, const AttentionArgs& args, const SequenceRows& sequence,
       std::int64_t head)
      : cache_(cache), args_(args), sequence_(sequence), head_(head) {
    scratch_.resize(static_cast<std::size_t>(KvCache::scratch_values(args.head_dim)));
  }

  std::vector<double> key(std::int64_t position) { return read(position, true); }
  std::vector<double> value(std::int64_t position) { return read(position, false); }

 private:
  std::vector<double> read(std::int64_t position, bool key) {
    const std::int32_t page = sequence_.pages[static_cast<std::size_t>(position / kPageTokens)];
    const std::int64_t token = position % kPageTokens;
    const std::int64_t width = round_up(args_.head_dim, 16);
    const CpuKernels& kernels = cpu_kernels();
    const bf16* data =
        key ? cache_.keys(kernels, args_.layer, page, head_, scratch_.data())
            : cache_.values(kernels, args_.layer, page, head_, kPageTokens, scratch_.data());
    const float* scales = key ? cache_.key_scales(args_.layer, page, head_)
                              : cache_.value_scales(args_.layer, page, head_);
    const double scale = scales == nullptr ? 1 : scales[token];
    std::vector<double> out;
    for (std::int64_t i = 0; i < args_.head_dim; ++i) {
      const std::int64_t at =
          key ? (i / 2 * kPageTokens + token) * 2 + i % 2 : (token / 2 * width + i) * 2 + token % 2;
      out.push_back(static_cast<double>(bf16_to_float(data[at])) * scale);
    }
    return out;
  }

  const KvCache& cache_;
  const AttentionArgs& args_;
  const SequenceRows& sequence_;
  std::int64_t head_;
  std::vector<bf16> scratch_;
};

void attend(Head& head, const AttentionArgs& args, const bf16* q, std::int64_t position,
            double* out) {
  std::vector<double> weights;
  for (std::int64_t p = 0; p <= position; ++p) {
    const std::vector<double> key = head.key(p);
    double score = 0;
    for (std::size_t i = 0; i < key.size(); ++i) {
      score += key[i] * static_cast<double>(bf16_to_float(q[i]));
    }
    weights.push_back(score / std::sqrt(static_cast<double>(args.head_dim)));
  }
  const double top = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (double& weight : weights) sum += weight = std::exp(weight - top);
  std::fill_n(out, args.head_dim, 0.0);
  for (std::int64_t p = 0; p <= position; ++p) {
    const std::vector<double> value = head.value(p);
    for (std::size_t i = 0; i < value.size(); ++i) {
      out[i] += weights[static_cast<std::size_t>(p)] / sum * value[i];
    }
  }
}

}  // namespace

void attention_ref(const KvCache& cache, const AttentionArgs& args, double* out) {
  const std::int64_t group = args.heads / args.kv_heads;
  for (const SequenceRows& sequence : args.sequences) {
    for (std::int64_t h = 0; h < args.heads; ++h) {
      Head head(cache, args, sequence, h / group);
      for (std::int64_t r = 0; r < sequence.rows; ++r) {
        const std::int64_t row = sequence.first_row + r;
        attend(head, args, args.q + row * args.ld + h * args.head_dim, sequence.first_position + r,
               out + (row * args.heads + h) * args.head_dim);
      }
    }
  }
}

}  // namespace assay::engine
