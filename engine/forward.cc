#include "engine/forward.h"

#include <algorithm>

#include "base/check.h"
#include "engine/sampler.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kLogitRows = 16;  // rows of logits held at a time

std::size_t bytes(std::int64_t count, std::size_t size) {
  return static_cast<std::size_t>(count) * size;
}

/// The largest of measure(matrix) over the model's matrices.
template <typename Measure>
std::int64_t most(const Model& model, const Measure& measure) {
  std::int64_t out = measure(model.lm_head);
  for (const LayerWeights& layer : model.layers) {
    for (const PackedMatrix& matrix : layer.qkv) out = std::max(out, measure(matrix));
    out = std::max(
        {out, measure(layer.o), measure(layer.gate), measure(layer.up), measure(layer.down)});
  }
  return out;
}

std::int64_t widest_input(const Model& model) {
  return most(model, [](const PackedMatrix& m) { return m.padded_inputs(); });
}
std::int64_t most_scales(const Model& model) {
  return most(model, [](const PackedMatrix& m) { return m.input_scales(); });
}

/// Products of equal inputs read the same buffer.
bool same_input(const PackedMatrix& a, const PackedMatrix& b) {
  return a.activations == b.activations && a.input_scale == b.input_scale &&
         a.amax_bound == b.amax_bound && a.group == b.group;
}

/// Query heads of the rank for each of its KV heads.
std::int64_t query_group(const Model& model) {
  return model.partition.heads.size() / model.partition.kv_heads.size();
}

/// Rows of the vocabulary on every rank but the last, which may have fewer.
std::int64_t vocab_of_rank(const ModelConfig& config, int ranks) {
  return (config.vocab + ranks - 1) / ranks;
}

std::int64_t scratch_floats(const Model& model) {
  const ModelConfig& c = model.config;
  const LayerWeights& layer = model.layers.front();
  return std::max({gemm_scratch_floats(), attention_scratch_floats(query_group(model), c.head_dim),
                   round_up(c.hidden, 16), layer.down.inputs() + 16, layer.o.inputs() + 16});
}

}  // namespace

Forward::Forward(const Model& model, KvCache& cache, Communicator& communicator, int threads,
                 int first_core, std::int64_t max_rows)
    : model_(model),
      cache_(cache),
      communicator_(communicator),
      max_rows_(max_rows),
      context_(cpu_kernels(), threads, scratch_floats(model), first_core),
      x_(bytes(max_rows * model.config.hidden, sizeof(bf16))),
      input_(bytes(max_rows * widest_input(model), sizeof(bf16))),
      scale_(bytes(max_rows * std::max(kShards, most_scales(model)), sizeof(float))),
      qkv_(bytes(max_rows * model.qkv_width(), sizeof(bf16))),
      mixed_(bytes(max_rows * model.layers.front().o.inputs() + 16, sizeof(bf16))),
      gate_(bytes(max_rows * model.layers.front().gate.padded_rows() + 16, sizeof(bf16))),
      up_(bytes(max_rows * model.layers.front().up.padded_rows() + 16, sizeof(bf16))),
      sums_(bytes(max_rows * model.layers.front().o.padded_rows(), sizeof(float))),
      logit_width_(round_up(vocab_of_rank(model.config, communicator.size()), kPanelRows)),
      logits_(bytes(kLogitRows * logit_width_, sizeof(float))) {
  if (communicator.size() == 1) return;
  parts_ = LargeBuffer(static_cast<std::size_t>(communicator.size()) * logits_.size());
  gathered_ = LargeBuffer(bytes(kLogitRows * model.config.vocab, sizeof(float)));
}

std::int64_t Forward::all_reduce_floats(const ModelConfig& config, std::int64_t max_rows) {
  return max_rows * round_up(config.hidden, kPanelRows);
}

void Forward::run(const Batch& batch, std::span<LogitResult> results) {
  const auto rows = static_cast<std::int64_t>(batch.ids.size());
  ASSAY_CHECK(rows > 0 && rows <= max_rows_, "rows of a batch");
  const FlushSubnormals flush;
  embed(batch);
  for (std::int64_t layer = 0; layer < model_.config.layers; ++layer) {
    attention_block(batch, layer);
    mlp_block(rows, layer);
    if (observer_ != nullptr) observer_->on_layer(layer, x_.as<bf16>(), rows);
    progress_.fetch_add(1, std::memory_order_relaxed);
  }
  logits(batch, results);
}

/// Ranks hold parts of the vocabulary: the others add zeros, which is exact.
void Forward::embed(const Batch& batch) {
  const std::int64_t hidden = model_.config.hidden;
  const auto rows = static_cast<std::int64_t>(batch.ids.size());
  const Range& vocab = model_.partition.vocab;
  context_.team.run(rows, [&](std::int64_t row, int) {
    const std::int64_t id = batch.ids[static_cast<std::size_t>(row)] - vocab.begin;
    bf16* to = x_.as<bf16>() + row * hidden;
    if (id < 0 || id >= vocab.size()) {
      std::fill_n(to, hidden, bf16{0});
    } else if (model_.embedding.empty()) {
      unpack_row(model_.lm_head, id, to);
    } else {
      std::copy_n(model_.embedding.data() + id * hidden, hidden, to);
    }
  });
  if (communicator_.size() == 1) return;
  auto* sums = sums_.as<float>();
  for (std::int64_t i = 0; i < rows * hidden; ++i) sums[i] = bf16_to_float(x_.as<bf16>()[i]);
  communicator_.all_reduce_sum(sums, rows * hidden);
  for (std::int64_t i = 0; i < rows * hidden; ++i) x_.as<bf16>()[i] = float_to_bf16(sums[i]);
}

RowOut Forward::row_out(const PackedMatrix& next, std::int64_t row) {
  return {.out = input_.as<bf16>() + row * next.padded_inputs(),
          .scale = scale_.as<float>() + row * next.input_scales(),
          .shards = next.shards,
          .shard_used = next.shard_used,
          .shard_k = next.shard_k,
          .type = next.activations,
          .static_scale = next.input_scale,
          .amax_bound = next.amax_bound,
          .pieces = next.pieces.data(),
          .piece_count = static_cast<std::int64_t>(next.pieces.size())};
}

const float* Forward::input_scales(const PackedMatrix& matrix) const {
  return matrix.activations == ActivationType::kBf16 ? nullptr : scale_.as<float>();
}

void Forward::norm(const std::vector<float>& weight, std::int64_t rows, const PackedMatrix& next) {
  const std::int64_t hidden = model_.config.hidden;
  context_.team.run(rows, [&](std::int64_t row, int thread) {
    const FlushSubnormals flush;
    context_.kernels->rms_norm({.in = x_.as<bf16>() + row * hidden,
                                .weight = weight.data(),
                                .scratch = context_.scratch(thread),
                                .cols = hidden,
                                .eps = static_cast<float>(model_.config.rms_eps)},
                               row_out(next, row));
  });
}

void Forward::multiply(const PackedMatrix& matrix, std::int64_t rows, bf16* out, std::int64_t ldo) {
  gemm_cpu(context_, {.a = input_.as<bf16>(),
                      .a_scale = input_scales(matrix),
                      .w = &matrix,
                      .out = out,
                      .ldo = ldo,
                      .rows = rows});
}

/// q, k and v side by side. Where they are three products, the next one overwrites the padding of
/// the one before.
void Forward::project_qkv(const LayerWeights& w, std::int64_t rows, std::int64_t layer) {
  const PackedMatrix* before = nullptr;
  std::int64_t column = 0;
  for (const PackedMatrix& matrix : w.qkv) {
    if (before == nullptr || !same_input(*before, matrix)) norm(w.attention_norm, rows, matrix);
    show_input(layer, "self_attn.q_proj", rows, matrix);
    multiply(matrix, rows, qkv_.as<bf16>() + column, model_.qkv_width());
    column += matrix.rows;
    before = &matrix;
  }
}

void Forward::attention_block(const Batch& batch, std::int64_t layer) {
  const ModelConfig& c = model_.config;
  const LayerWeights& w = model_.layers[static_cast<std::size_t>(layer)];
  const auto rows = static_cast<std::int64_t>(batch.ids.size());
  project_qkv(w, rows, layer);
  rotate_and_store(batch, layer);
  if (observer_ != nullptr) {
    const bf16* keys = qkv_.as<bf16>() + model_.partition.heads.size() * c.head_dim;
    observer_->on_keys_values(layer, keys, keys + c.kv_width(), rows, model_.qkv_width());
  }
  attention_cpu(context_, cache_,
                {.q = qkv_.as<bf16>(),
                 .ld = model_.qkv_width(),
                 .out = mixed_.as<bf16>(),
                 .ldo = w.o.inputs(),
                 .layer = layer,
                 .sequences = batch.sequences,
                 .heads = model_.partition.heads.size(),
                 .kv_heads = model_.partition.kv_heads.size(),
                 .head_dim = c.head_dim});
  context_.team.run(rows, [&](std::int64_t row, int thread) {
    const FlushSubnormals flush;
    context_.kernels->pack_row(mixed_.as<bf16>() + row * w.o.inputs(), context_.scratch(thread),
                               row_out(w.o, row));
  });
  show_input(layer, "self_attn.o_proj", rows, w.o);
  row_parallel(w.o, rows);
}

void Forward::rotate_and_store(const Batch& batch, std::int64_t layer) {
  const std::int64_t heads = model_.partition.heads.size();
  const std::int64_t kv_heads = model_.partition.kv_heads.size();
  const std::int64_t d = model_.config.head_dim;
  const std::int64_t ld = model_.qkv_width();
  for (const SequenceRows& sequence : batch.sequences) {
    context_.team.run(sequence.rows, [&](std::int64_t r, int) {
      const FlushSubnormals flush;
      const std::int64_t position = sequence.first_position + r;
      bf16* row = qkv_.as<bf16>() + (sequence.first_row + r) * ld;
      const float* cos = model_.rope_cos.data() + position * d / 2;
      const float* sin = model_.rope_sin.data() + position * d / 2;
      for (std::int64_t head = 0; head < heads + kv_heads; ++head) {
        context_.kernels->rope({.x = row + head * d, .cos = cos, .sin = sin, .head_dim = d});
      }
    });
    // Two tokens of a pair share words of the cache: one thread a KV head, tokens in order.
    context_.team.run(kv_heads, [&](std::int64_t head, int) {
      const FlushSubnormals flush;
      for (std::int64_t r = 0; r < sequence.rows; ++r) {
        const std::int64_t position = sequence.first_position + r;
        const bf16* row = qkv_.as<bf16>() + (sequence.first_row + r) * ld;
        cache_.store(layer, sequence.pages[static_cast<std::size_t>(position / kPageTokens)], head,
                     position % kPageTokens, row + (heads + head) * d,
                     row + (heads + kv_heads + head) * d);
      }
    });
  }
}

/// The product's FP32 sums join the residual stream.
void Forward::row_parallel(const PackedMatrix& matrix, std::int64_t rows) {
  gemm_cpu(context_, {.a = input_.as<bf16>(),
                      .a_scale = input_scales(matrix),
                      .w = &matrix,
                      .out = sums_.as<float>(),
                      .ldo = matrix.padded_rows(),
                      .rows = rows,
                      .out_bf16 = false,
                      .finish = false});
  communicator_.all_reduce_sum(sums_.as<float>(), rows * matrix.padded_rows());
  context_.team.run(rows, [&](std::int64_t row, int) {
    const FlushSubnormals flush;
    context_.kernels->add_residual(
        x_.as<bf16>() + row * model_.config.hidden,
        {.y = sums_.as<float>() + row * matrix.padded_rows(),
         .scale = matrix.row_scale.empty() ? nullptr : matrix.row_scale.data(),
         .bias = matrix.bias.empty() ? nullptr : matrix.bias.data(),
         .cols = model_.config.hidden});
  });
}

void Forward::show_input(std::int64_t layer, const char* module, std::int64_t rows,
                         const PackedMatrix& next) {
  if (observer_ != nullptr) observer_->on_input(layer, module, input_.as<bf16>(), rows, next);
}

void Forward::mlp_block(std::int64_t rows, std::int64_t layer) {
  const LayerWeights& w = model_.layers[static_cast<std::size_t>(layer)];
  const std::int64_t ld = w.gate.padded_rows();
  norm(w.mlp_norm, rows, w.gate);
  show_input(layer, "mlp.gate_proj", rows, w.gate);
  multiply(w.gate, rows, gate_.as<bf16>(), ld);
  if (!same_input(w.gate, w.up)) norm(w.mlp_norm, rows, w.up);
  multiply(w.up, rows, up_.as<bf16>(), ld);
  context_.team.run(rows, [&](std::int64_t row, int thread) {
    const FlushSubnormals flush;
    context_.kernels->silu_mul(gate_.as<bf16>() + row * ld, up_.as<bf16>() + row * ld,
                               context_.scratch(thread), row_out(w.down, row));
  });
  show_input(layer, "mlp.down_proj", rows, w.down);
  row_parallel(w.down, rows);
}

void Forward::logits(const Batch& batch, std::span<LogitResult> results) {
  const std::int64_t hidden = model_.config.hidden;
  const PackedMatrix& head = model_.lm_head;
  const auto wanted = static_cast<std::int64_t>(batch.queries.size());
  for (std::int64_t first = 0; first < wanted; first += kLogitRows) {
    const std::int64_t rows = std::min(kLogitRows, wanted - first);
    context_.team.run(rows, [&](std::int64_t r, int thread) {
      const FlushSubnormals flush;
      const std::int64_t row = batch.queries[static_cast<std::size_t>(first + r)].row;
      context_.kernels->rms_norm({.in = x_.as<bf16>() + row * hidden,
                                  .weight = model_.final_norm.data(),
                                  .scratch = context_.scratch(thread),
                                  .cols = hidden,
                                  .eps = static_cast<float>(model_.config.rms_eps)},
                                 row_out(head, r));
    });
    gemm_cpu(context_, {.a = input_.as<bf16>(),
                        .a_scale = input_scales(head),
                        .w = &head,
                        .out = logits_.as<float>(),
                        .ldo = logit_width_,
                        .rows = rows,
                        .out_bf16 = false});
    progress_.fetch_add(1, std::memory_order_relaxed);
    const float* whole = gather_logits(rows);
    if (communicator_.rank() > 0) continue;
    const std::int64_t ld = communicator_.size() == 1 ? logit_width_ : model_.config.vocab;
    context_.team.run(rows, [&](std::int64_t r, int) {
      const FlushSubnormals flush;
      const auto index = static_cast<std::size_t>(first + r);
      if (observer_ != nullptr) {
        observer_->on_logits(index,
                             {whole + r * ld, static_cast<std::size_t>(model_.config.vocab)});
      }
      results[index] = answer_query({whole + r * ld, static_cast<std::size_t>(model_.config.vocab)},
                                    *context_.kernels, batch.queries[index]);
    });
  }
}

/// Rows of all ranks' logits side by side, on rank 0.
const float* Forward::gather_logits(std::int64_t rows) {
  if (communicator_.size() == 1) return logits_.as<float>();
  communicator_.gather(logits_.as<float>(), rows * logit_width_, parts_.as<float>());
  if (communicator_.rank() > 0) return nullptr;
  const std::int64_t each = vocab_of_rank(model_.config, communicator_.size());
  context_.team.run(rows, [&](std::int64_t row, int) {
    for (std::int64_t rank = 0; rank < communicator_.size(); ++rank) {
      const std::int64_t begin = rank * each;
      const std::int64_t count = std::min(each, model_.config.vocab - begin);
      if (count <= 0) break;
      std::copy_n(parts_.as<float>() + (rank * rows + row) * logit_width_, count,
                  gathered_.as<float>() + row * model_.config.vocab + begin);
    }
  });
  return gathered_.as<float>();
}

}  // namespace assay::engine
