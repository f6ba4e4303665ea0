#include "engine/cuda/cuda_forward.h"

#include <algorithm>

#include "base/check.h"
#include "engine/cuda/step_plan.h"
#include "engine/ops/memory.h"
#include "engine/ops/quantize.h"
#include "engine/ops/rope_cache.h"
#include "engine/ops/silu_mul.h"

namespace assay::engine {
namespace {

/// Bytes of each buffer, in the order of CudaForward's members.
struct Sizes {
  std::int64_t x, input, scale, qkv, mixed, gate_up, sums, logits, partials;
  [[nodiscard]] std::int64_t sum() const {
    return x + input + scale + qkv + mixed + gate_up + sums + logits + partials;
  }
};

Sizes sizes_for(const ModelConfig& c, GemmKind gemm, int max_rows, int most_spans,
                std::int64_t widest) {
  const std::int64_t rows = max_rows;
  const std::int64_t logit_rows = std::min<std::int64_t>(rows, CudaForward::kLogitRows);
  return {.x = rows * c.hidden * 2,
          .input = rows * widest * 2,
          .scale = rows * std::max(kShards, widest / kBlock) * 4,
          .qkv = rows * (c.q_width() + 2 * c.kv_width()) * 2,
          .mixed = rows * c.q_width() * 2,
          .gate_up = rows * 2 * round_up(c.intermediate, kGateUpGroup) * 2,
          .sums = most_part_rows(gemm, rows) * c.hidden * 4,
          .logits = logit_rows * c.vocab * 4,
          .partials = most_spans > 1 ? std::min<std::int64_t>(rows * most_spans, kPartialSpans) *
                                           c.heads * (c.head_dim + 2) * 4
                                     : 0};
}

std::int64_t page_values(const ModelConfig& c) {
  return c.layers * c.kv_heads * 2 * kPageTokens * c.head_dim;
}
std::int64_t page_scales(const ModelConfig& c) { return c.layers * c.kv_heads * 2 * kPageTokens; }

DeviceBuffer buffer(std::int64_t bytes, const char* what) {
  return {static_cast<std::size_t>(bytes), what};
}

}  // namespace

CudaForward::CudaForward(const DeviceModel& model, GemmRunner& gemm, AttentionKind attention,
                         KvType kv, std::int64_t pages, int max_rows, int most_spans)
    : model_(model),
      gemm_(gemm),
      attention_(attention),
      kv_(kv),
      pages_(pages + 1),
      max_rows_(max_rows) {
  const Sizes sizes =
      sizes_for(model.shape, gemm.kind(), max_rows, most_spans, widest_device_input(model));
  const std::int64_t element = kv == KvType::kFp8 ? 1 : 2;
  x_ = buffer(sizes.x, "activations");
  input_ = buffer(sizes.input, "activations");
  scale_ = buffer(sizes.scale, "activations");
  qkv_ = buffer(sizes.qkv, "activations");
  mixed_ = buffer(sizes.mixed, "activations");
  gate_up_ = buffer(sizes.gate_up, "activations");
  sums_ = buffer(sizes.sums, "activations");
  logits_ = buffer(sizes.logits, "logits");
  partials_ = buffer(sizes.partials, "attention");
  cache_ = buffer(pages_ * page_values(model.shape) * element, "keys and values");
  if (kv == KvType::kFp8) {
    cache_scales_ = buffer(pages_ * page_scales(model.shape) * 4, "scales of keys and values");
  }
}

std::int64_t CudaForward::bytes() const {
  std::size_t out = 0;
  for (const DeviceBuffer* b : {&x_, &input_, &scale_, &qkv_, &mixed_, &gate_up_, &sums_, &logits_,
                                &partials_, &cache_, &cache_scales_}) {
    out += b->size();
  }
  return static_cast<std::int64_t>(out);
}

CudaForward::Memory CudaForward::memory_for(const ModelConfig& config, GemmKind gemm, KvType kv,
                                            int max_rows, int most_spans, std::int64_t widest) {
  const std::int64_t scales = kv == KvType::kFp8 ? page_scales(config) * 4 : 0;
  return {.activations = sizes_for(config, gemm, max_rows, most_spans, widest).sum(),
          .page = page_values(config) * (kv == KvType::kFp8 ? 1 : 2) + scales};
}

NextInput CudaForward::next_input(const DeviceMatrix& next) const {
  return {.out = input_.as<void>(),
          .scale = input_scales(next),
          .shards = next.shards,
          .shard_used = next.shard_used,
          .shard_k = next.shard_k,
          .type = next.activations,
          .static_scale = next.input_scale,
          .amax_bound = next.amax_bound,
          .pieces = next.pieces};
}

float* CudaForward::input_scales(const DeviceMatrix& next) const {
  return next.activations == ActivationType::kBf16 ? nullptr : scale_.as<float>();
}

DeviceCache CudaForward::cache(std::int64_t layer) const {
  const ModelConfig& c = model_.shape;
  const std::int64_t element = kv_ == KvType::kFp8 ? 1 : 2;
  const std::int64_t values = pages_ * page_values(c) / c.layers;
  const std::int64_t scales = pages_ * page_scales(c) / c.layers;
  return {.data = cache_.as<std::byte>() + layer * values * element,
          .scales = kv_ == KvType::kFp8 ? cache_scales_.as<float>() + layer * scales : nullptr,
          .static_scales =
              model_.kv_scales == nullptr ? nullptr : model_.kv_scales + layer * c.kv_heads * 2,
          .kv_heads = static_cast<int>(c.kv_heads),
          .head_dim = static_cast<int>(c.head_dim)};
}

/// With the vocabulary cut, the rank that has a token's row gives it as a sum, the others zeros.
void CudaForward::embed(CudaStream stream, const DeviceStep& step) {
  const int hidden = static_cast<int>(model_.config.hidden);
  const Range& vocab = model_.partition.vocab;
  if (model_.partition.size == 1) {
    pending_ = nullptr;
    return embed_cuda(stream, {.out = x_.as<bf16>(),
                               .tokens = step.tokens,
                               .table = model_.embedding,
                               .rows = step.rows.rows,
                               .cols = hidden,
                               .ld = model_.embedding_ld});
  }
  static constexpr DeviceMatrix kUnscaled;
  fill_bytes(stream, x_.as<bf16>(), 0,
             static_cast<std::size_t>(step.rows.rows) * static_cast<std::size_t>(hidden) * 2);
  embed_part_cuda(stream, {.out = sums_.as<float>(),
                           .tokens = step.tokens,
                           .table = model_.embedding,
                           .first = static_cast<int>(vocab.begin),
                           .count = static_cast<int>(vocab.size()),
                           .rows = step.rows.rows,
                           .cols = hidden,
                           .ld = model_.embedding_ld});
  pending_ = &kUnscaled;
  pending_parts_ = 1;
}

void CudaForward::add_pending(RmsNormArgs& args, int rows) {
  if (pending_ == nullptr) return;
  args.sums = sums_.as<float>();
  args.sum_scale = pending_->row_scale;
  args.bias = pending_->bias;
  args.parts = pending_parts_;
  args.sum_rows = rows;
}

/// Adds the sums that wait to the residual stream, and leaves the norm where `next` reads it.
void CudaForward::norm(CudaStream stream, const float* weight, int rows, const DeviceMatrix& next) {
  RmsNormArgs args{.x = x_.as<bf16>(),
                   .weight = weight,
                   .rows = rows,
                   .cols = static_cast<int>(model_.config.hidden),
                   .eps = static_cast<float>(model_.config.rms_eps),
                   .next = next_input(next)};
  add_pending(args, rows);
  rms_norm_cuda(stream, args);
  pending_ = nullptr;
}

void CudaForward::multiply(CudaStream stream, const DeviceMatrix& w, int rows, bf16* out) {
  gemm_.run(stream, {.a = input_.as<void>(),
                     .a_scale = input_scales(w),
                     .a_is_e4m3 = w.e4m3_input(),
                     .w = w,
                     .out = out,
                     .ldo = w.rows,
                     .tokens = rows,
                     .a_rows = max_rows_,
                     .kind = GemmOut::kBf16});
}

void CudaForward::row_parallel(CudaStream stream, const DeviceMatrix& w, int rows) {
  pending_ = &w;
  pending_parts_ = gemm_.parts(w, rows, w.e4m3_input());
  gemm_.run(stream, {.a = input_.as<void>(),
                     .a_scale = input_scales(w),
                     .a_is_e4m3 = w.e4m3_input(),
                     .w = w,
                     .out = sums_.as<void>(),
                     .ldo = w.rows,
                     .tokens = rows,
                     .a_rows = max_rows_,
                     .kind = GemmOut::kParts,
                     .parts = pending_parts_});
}

void CudaForward::attention_block(CudaStream stream, const DeviceStep& step, std::int64_t layer) {
  const ModelConfig& c = model_.shape;
  const DeviceLayer& w = model_.layers[static_cast<std::size_t>(layer)];
  const int rows = step.rows.rows;
  norm(stream, w.attention_norm, rows, w.qkv);
  multiply(stream, w.qkv, rows, qkv_.as<bf16>());
  rope_cache_cuda(stream, {.qkv = qkv_.as<bf16>(),
                           .ld = w.qkv.rows,
                           .heads = static_cast<int>(c.heads),
                           .rows = step.rows,
                           .cache = cache(layer),
                           .cos = model_.rope_cos,
                           .sin = model_.rope_sin});
  const PagedAttentionArgs args{.q = qkv_.as<bf16>(),
                                .ldq = w.qkv.rows,
                                .out = mixed_.as<bf16>(),
                                .ldo = static_cast<int>(c.q_width()),
                                .heads = static_cast<int>(c.heads),
                                .rows = step.rows,
                                .cache = cache(layer),
                                .tiles = step.tiles,
                                .decode_tiles = step.decode_tiles,
                                .prompt_tiles = step.prompt_tiles,
                                .most_spans = step.spans,
                                .partials = partials_.as<float>()};
  const auto attend =
      attention_ == AttentionKind::kExact ? attention_exact_cuda : attention_tensor_cuda;
  attend(stream, args);
  pack_rows_cuda(stream, {.in = mixed_.as<bf16>(),
                          .ld = static_cast<int>(c.q_width()),
                          .rows = rows,
                          .cols = static_cast<int>(c.q_width()),
                          .next = next_input(w.o)});
  row_parallel(stream, w.o, rows);
}

void CudaForward::mlp_block(CudaStream stream, const DeviceStep& step, std::int64_t layer) {
  const DeviceLayer& w = model_.layers[static_cast<std::size_t>(layer)];
  const int rows = step.rows.rows;
  norm(stream, w.mlp_norm, rows, w.gate_up);
  multiply(stream, w.gate_up, rows, gate_up_.as<bf16>());
  silu_mul_cuda(stream, {.gate_up = gate_up_.as<bf16>(),
                         .ld = w.gate_up.rows,
                         .rows = rows,
                         .next = next_input(w.down),
                         .features = static_cast<int>(model_.shape.intermediate)});
  row_parallel(stream, w.down, rows);
}

void CudaForward::logits(CudaStream stream, const int* row_of, int count, int rows) {
  ASSAY_CHECK(count <= kLogitRows, "rows of logits");
  const DeviceMatrix& head = model_.lm_head;
  RmsNormArgs args{.x = x_.as<bf16>(),
                   .row_of = row_of,
                   .weight = model_.final_norm,
                   .rows = count,
                   .cols = static_cast<int>(model_.config.hidden),
                   .eps = static_cast<float>(model_.config.rms_eps),
                   .next = next_input(head)};
  // The sums stay: rows are added as they are wanted, once each.
  add_pending(args, rows);
  rms_norm_cuda(stream, args);
  gemm_.run(stream, {.a = input_.as<void>(),
                     .a_scale = input_scales(head),
                     .a_is_e4m3 = head.e4m3_input(),
                     .w = head,
                     .out = logits_.as<void>(),
                     .ldo = head.rows,
                     .tokens = count,
                     .a_rows = max_rows_,
                     .kind = GemmOut::kFloat});
}

}  // namespace assay::engine
