#include "engine/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/parallel/thread_team.h"
#include "engine/rope.h"

namespace assay::engine {
namespace {

/// Rows of one source tensor inside a packed matrix.
struct Part {
  std::string name;  // without ".weight"
  std::int64_t rows = 0;
};

float row_amax(std::span<const float> row) {
  float top = 0;
  for (const float value : row) top = std::isnan(value) ? value : std::max(top, std::abs(value));
  return top;
}

/// Loads matrices with all threads, one row a task.
class Loader {
 public:
  Loader(const WeightSource& source, const PrecisionSetting& setting, int threads)
      : source_(source), setting_(setting), team_(threads) {}

  PackedMatrix matrix(const std::vector<Part>& parts, std::int64_t cols, std::int64_t shards,
                      WeightType type) {
    std::int64_t rows = 0;
    for (const Part& part : parts) rows += part.rows;
    const std::int64_t shard_used = (cols + shards - 1) / shards;
    PackedMatrix out = make_packed_matrix(type, rows, shards, shard_used);
    std::int64_t first = 0;
    for (const Part& part : parts) {
      pack_part(out, part, first, cols);
      add_bias(out, part, first);
      first += part.rows;
    }
    return out;
  }

  std::vector<float> vector(const std::string& name, std::int64_t size) const {
    std::vector<float> out(static_cast<std::size_t>(size));
    source_.read_row(name, 0, out);
    return out;
  }

  std::vector<bf16> embedding(const std::string& name, std::int64_t rows, std::int64_t cols) {
    std::vector<bf16> out(static_cast<std::size_t>(rows * cols));
    for_rows(rows, cols, [&](std::int64_t row, std::span<float> values) {
      source_.read_row(name, row, values);
      for (std::size_t k = 0; k < values.size(); ++k) {
        out[static_cast<std::size_t>(row * cols) + k] = float_to_bf16(values[k]);
      }
    });
    return out;
  }

 private:
  /// Calls body(row, buffer of `cols` zeros) for panels of rows: a panel has one writer.
  template <typename Body>
  void for_rows(std::int64_t rows, std::int64_t cols, const Body& body) {
    const std::int64_t panels = (rows + kPanelRows - 1) / kPanelRows;
    team_.run(panels, [&](std::int64_t panel, int /*thread*/) {
      std::vector<float> values(static_cast<std::size_t>(cols));
      const std::int64_t end = std::min(rows, (panel + 1) * kPanelRows);
      for (std::int64_t row = panel * kPanelRows; row < end; ++row) {
        std::fill(values.begin(), values.end(), 0.0F);
        body(row, std::span(values));
      }
    });
  }

  float tensor_scale(const Part& part, std::int64_t cols) {
    std::vector<float> amax(static_cast<std::size_t>(part.rows));
    for_rows(part.rows, cols, [&](std::int64_t row, std::span<float> values) {
      source_.read_row(part.name + ".weight", row, values);
      amax[static_cast<std::size_t>(row)] = row_amax(values);
    });
    return e4m3_scale(row_amax(amax));
  }

  void pack_part(PackedMatrix& out, const Part& part, std::int64_t first, std::int64_t cols) {
    const bool quantize = out.type == WeightType::kE4m3;
    const float common = quantize && setting_.tensor_scale ? tensor_scale(part, cols) : 0;
    // Panels of the packed matrix, so that parts which begin inside a panel still have one writer.
    const std::int64_t begin = first / kPanelRows;
    const std::int64_t end = (first + part.rows + kPanelRows - 1) / kPanelRows;
    team_.run(end - begin, [&](std::int64_t task, int /*thread*/) {
      std::vector<float> values(static_cast<std::size_t>(out.inputs()));
      const std::int64_t panel = begin + task;
      const std::int64_t last = std::min(first + part.rows, (panel + 1) * kPanelRows);
      for (std::int64_t row = std::max(first, panel * kPanelRows); row < last; ++row) {
        const std::span<float> used = std::span(values).first(static_cast<std::size_t>(cols));
        source_.read_row(part.name + ".weight", row - first, used);
        const float scale = !quantize               ? 1.0F
                            : setting_.tensor_scale ? common
                                                    : e4m3_scale(row_amax(used));
        pack_row(out, row, values, scale);
      }
    });
  }

  void add_bias(PackedMatrix& out, const Part& part, std::int64_t first) const {
    const std::string name = part.name + ".bias";
    if (!source_.has(name)) return;
    out.bias.resize(static_cast<std::size_t>(out.padded_rows()), 0.0F);
    source_.read_row(name, 0,
                     std::span(out.bias).subspan(static_cast<std::size_t>(first),
                                                 static_cast<std::size_t>(part.rows)));
  }

  const WeightSource& source_;
  const PrecisionSetting& setting_;
  ThreadTeam team_;
};

LayerWeights load_layer(Loader& loader, const ModelConfig& c, WeightType type, std::int64_t n) {
  const std::string prefix = fmt::format("model.layers.{}.", n);
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  LayerWeights layer;
  layer.attention_norm = loader.vector(prefix + "input_layernorm.weight", c.hidden);
  layer.qkv = loader.matrix({{attention + "q_proj", c.q_width()},
                             {attention + "k_proj", c.kv_width()},
                             {attention + "v_proj", c.kv_width()}},
                            c.hidden, 1, type);
  layer.o = loader.matrix({{attention + "o_proj", c.hidden}}, c.q_width(), kShards, type);
  layer.mlp_norm = loader.vector(prefix + "post_attention_layernorm.weight", c.hidden);
  layer.gate = loader.matrix({{mlp + "gate_proj", c.intermediate}}, c.hidden, 1, type);
  layer.up = loader.matrix({{mlp + "up_proj", c.intermediate}}, c.hidden, 1, type);
  layer.down = loader.matrix({{mlp + "down_proj", c.hidden}}, c.intermediate, kShards, type);
  return layer;
}

void fill_rope(Model& model, std::int64_t context) {
  const std::vector<double> frequencies =
      rope_inverse_frequencies(model.config.rope, model.config.head_dim);
  model.rope_cos.reserve(frequencies.size() * static_cast<std::size_t>(context));
  model.rope_sin.reserve(model.rope_cos.capacity());
  for (std::int64_t position = 0; position < context; ++position) {
    for (const double frequency : frequencies) {
      const double angle = static_cast<double>(position) * frequency;
      model.rope_cos.push_back(static_cast<float>(std::cos(angle)));
      model.rope_sin.push_back(static_cast<float>(std::sin(angle)));
    }
  }
}

}  // namespace

std::int64_t Model::weight_bytes() const {
  std::int64_t bytes = static_cast<std::int64_t>(embedding.size()) * 2 + gemm_bytes(lm_head);
  for (const LayerWeights& layer : layers) {
    for (const PackedMatrix* matrix : {&layer.qkv, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      bytes += gemm_bytes(*matrix);
    }
  }
  return bytes;
}

Model load_model(const ModelConfig& config, const WeightSource& source,
                 const PrecisionSetting& setting, std::int64_t context, int threads) {
  Model model;
  model.config = config;
  model.setting = setting;
  Loader loader(source, setting, threads);
  for (std::int64_t n = 0; n < config.layers; ++n) {
    model.layers.push_back(load_layer(loader, config, setting.weights, n));
  }
  model.final_norm = loader.vector("model.norm.weight", config.hidden);
  const std::string embedding = "model.embed_tokens";
  if (!config.tied) {
    model.embedding = loader.embedding(embedding + ".weight", config.vocab, config.hidden);
  }
  model.lm_head = loader.matrix({{config.tied ? embedding : "lm_head", config.vocab}},
                                config.hidden, 1, WeightType::kBf16);
  fill_rope(model, context);
  return model;
}

std::int64_t estimate_weight_bytes(const ModelConfig& c, const PrecisionSetting& setting) {
  const auto matrix = [](std::int64_t rows, std::int64_t cols, std::int64_t shards,
                         WeightType type) {
    const std::int64_t padded = shards * round_up((cols + shards - 1) / shards, kBlock);
    return round_up(rows, kPanelRows) * padded * (type == WeightType::kBf16 ? 2 : 1);
  };
  const WeightType type = setting.weights;
  const std::int64_t layer = matrix(c.q_width() + 2 * c.kv_width(), c.hidden, 1, type) +
                             matrix(c.hidden, c.q_width(), kShards, type) +
                             2 * matrix(c.intermediate, c.hidden, 1, type) +
                             matrix(c.hidden, c.intermediate, kShards, type);
  const std::int64_t embedding = c.tied ? 0 : c.vocab * c.hidden * 2;
  return c.layers * layer + embedding + matrix(c.vocab, c.hidden, 1, WeightType::kBf16);
}

}  // namespace assay::engine
