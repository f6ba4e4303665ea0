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
  WeightKind kind;
  std::int64_t rows = 0;  // of the whole tensor
};

constexpr std::int64_t kPanelsHeld = 128;  // read before the source may give back their memory

std::int64_t overlap(const Range& range, std::int64_t size) {
  return std::max<std::int64_t>(0, std::min(range.end, size) - range.begin);
}

/// Loads a rank's part of matrices with all threads, one row a task.
class Loader {
 public:
  Loader(const ModelConfig& config, const Partition& partition, const WeightSource& source,
         const PrecisionSetting& setting, int threads)
      : config_(config),
        partition_(partition),
        source_(source),
        setting_(setting),
        team_(threads) {}

  /// The rank's rows of `parts` on top of each other; `cols` is the whole tensors' row length.
  PackedMatrix matrix(const std::vector<Part>& parts, std::int64_t cols, WeightType type) {
    std::int64_t rows = 0;
    for (const Part& part : parts) rows += slice(part).outputs.size();
    const WeightSlice first_slice = slice(parts.front());
    PackedMatrix out = make_packed_matrix(
        type, rows, first_slice.shards,
        (first_slice.inputs.size() + first_slice.shards - 1) / first_slice.shards);
    std::int64_t first = 0;
    for (const Part& part : parts) {
      pack_part(out, part, first, cols);
      add_bias(out, part, first);
      first += slice(part).outputs.size();
    }
    return out;
  }

  std::vector<float> vector(const std::string& name, std::int64_t size) const {
    std::vector<float> out(static_cast<std::size_t>(size));
    source_.read_row(name, 0, out);
    return out;
  }

  /// The rank's rows of the embedding.
  std::vector<bf16> embedding(const std::string& name, std::int64_t cols) {
    const Range& range = partition_.vocab;
    std::vector<bf16> out(static_cast<std::size_t>(range.size() * cols));
    for_panels(range.size(), [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> values(static_cast<std::size_t>(cols));
      for (std::int64_t row = begin; row < end; ++row) {
        source_.read_row(name, range.begin + row, values);
        kernels_.round_bf16(values.data(), cols, out.data() + row * cols);
      }
    });
    return out;
  }

 private:
  [[nodiscard]] WeightSlice slice(const Part& part) const {
    return weight_slice(config_, partition_, part.kind);
  }

  /// Calls body(begin, end) for panels of rows.
  template <typename Body>
  void for_panels(std::int64_t rows, const Body& body) {
    team_.run((rows + kPanelRows - 1) / kPanelRows, [&](std::int64_t panel, int /*thread*/) {
      body(panel * kPanelRows, std::min(rows, (panel + 1) * kPanelRows));
    });
  }

  /// The largest of the rows' scales is that of the tensor. NaN stays NaN.
  float tensor_scale(const Part& part, std::int64_t cols) {
    std::vector<float> scales(static_cast<std::size_t>(part.rows));
    for_panels(part.rows, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> values(static_cast<std::size_t>(cols));
      for (std::int64_t row = begin; row < end; ++row) {
        source_.read_row(part.name + ".weight", row, values);
        scales[static_cast<std::size_t>(row)] = kernels_.e4m3_scale_of(values.data(), cols);
      }
    });
    float top = 0;
    for (const float scale : scales) top = std::isnan(scale) ? scale : std::max(top, scale);
    return top;
  }

  /// Packs the rank's rows of `part` from row `first` of the matrix on.
  void pack_part(PackedMatrix& out, const Part& part, std::int64_t first, std::int64_t cols) {
    const bool quantize = out.type == WeightType::kE4m3;
    const float common = quantize && setting_.tensor_scale ? tensor_scale(part, cols) : 0;
    const WeightSlice cut = slice(part);
    const std::int64_t rows = overlap(cut.outputs, part.rows);
    const std::int64_t used = overlap(cut.inputs, cols);
    // Panels of the packed matrix, so that parts which begin inside a panel still have one writer.
    const std::int64_t begin = first / kPanelRows;
    const std::int64_t end = (first + rows + kPanelRows - 1) / kPanelRows;
    team_.run(end - begin, [&](std::int64_t task, int /*thread*/) {
      std::vector<float> whole(static_cast<std::size_t>(cols));
      std::vector<float> values(static_cast<std::size_t>(out.inputs()));
      const std::int64_t panel = begin + task;
      const std::int64_t last = std::min(first + rows, (panel + 1) * kPanelRows);
      for (std::int64_t row = std::max(first, panel * kPanelRows); row < last; ++row) {
        source_.read_row(part.name + ".weight", cut.outputs.begin + row - first, whole);
        std::copy_n(whole.begin() + cut.inputs.begin, used, values.begin());
        const float scale = !quantize               ? 1.0F
                            : setting_.tensor_scale ? common
                                                    : kernels_.e4m3_scale_of(whole.data(), cols);
        pack_row(kernels_, out, row, values, scale);
      }
      if (panel % kPanelsHeld == 0) source_.release();
    });
  }

  void add_bias(PackedMatrix& out, const Part& part, std::int64_t first) const {
    const std::string name = part.name + ".bias";
    if (!source_.has(name)) return;
    out.bias.resize(static_cast<std::size_t>(out.padded_rows()), 0.0F);
    const Range cut = slice(part).outputs;
    const std::vector<float> whole = vector(name, part.rows);
    std::copy_n(whole.begin() + cut.begin, overlap(cut, part.rows), out.bias.begin() + first);
  }

  const ModelConfig& config_;
  const Partition& partition_;
  const WeightSource& source_;
  const PrecisionSetting& setting_;
  const CpuKernels& kernels_ = cpu_kernels();
  ThreadTeam team_;
};

LayerWeights load_layer(Loader& loader, const ModelConfig& c, WeightType type, std::int64_t n) {
  const std::string prefix = fmt::format("model.layers.{}.", n);
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  LayerWeights layer;
  layer.attention_norm = loader.vector(prefix + "input_layernorm.weight", c.hidden);
  layer.qkv = loader.matrix({{attention + "q_proj", WeightKind::kQ, c.q_width()},
                             {attention + "k_proj", WeightKind::kK, c.kv_width()},
                             {attention + "v_proj", WeightKind::kV, c.kv_width()}},
                            c.hidden, type);
  layer.o = loader.matrix({{attention + "o_proj", WeightKind::kO, c.hidden}}, c.q_width(), type);
  layer.mlp_norm = loader.vector(prefix + "post_attention_layernorm.weight", c.hidden);
  layer.gate =
      loader.matrix({{mlp + "gate_proj", WeightKind::kGate, c.intermediate}}, c.hidden, type);
  layer.up = loader.matrix({{mlp + "up_proj", WeightKind::kUp, c.intermediate}}, c.hidden, type);
  layer.down =
      loader.matrix({{mlp + "down_proj", WeightKind::kDown, c.hidden}}, c.intermediate, type);
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

Model load_model(const ModelConfig& config, const Partition& partition, const WeightSource& source,
                 const PrecisionSetting& setting, std::int64_t context, int threads) {
  Model model;
  model.config = config;
  model.partition = partition;
  model.setting = setting;
  Loader loader(config, partition, source, setting, threads);
  for (std::int64_t n = 0; n < config.layers; ++n) {
    model.layers.push_back(load_layer(loader, config, setting.weights, n));
    source.release();
  }
  model.final_norm = loader.vector("model.norm.weight", config.hidden);
  const std::string embedding = "model.embed_tokens";
  if (!config.tied) model.embedding = loader.embedding(embedding + ".weight", config.hidden);
  model.lm_head =
      loader.matrix({{config.tied ? embedding : "lm_head", WeightKind::kLmHead, config.vocab}},
                    config.hidden, WeightType::kBf16);
  source.release();
  fill_rope(model, context);
  return model;
}

std::int64_t estimate_weight_bytes(const ModelConfig& c, const PrecisionSetting& setting,
                                   int ranks) {
  const auto matrix = [&](const Partition& p, std::initializer_list<WeightKind> kinds,
                          WeightType type) {
    std::int64_t rows = 0;
    for (const WeightKind kind : kinds) rows += weight_slice(c, p, kind).outputs.size();
    const WeightSlice cut = weight_slice(c, p, *kinds.begin());
    const std::int64_t used = (cut.inputs.size() + cut.shards - 1) / cut.shards;
    return round_up(rows, kPanelRows) * cut.shards * round_up(used, kBlock) *
           (type == WeightType::kBf16 ? 2 : 1);
  };
  using enum WeightKind;
  std::int64_t bytes = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    const Partition p = make_partition(c, ranks, rank);
    const WeightType type = setting.weights;
    const std::int64_t layer = matrix(p, {kQ, kK, kV}, type) + matrix(p, {kO}, type) +
                               matrix(p, {kGate}, type) + matrix(p, {kUp}, type) +
                               matrix(p, {kDown}, type);
    const std::int64_t embedding = c.tied ? 0 : p.vocab.size() * c.hidden * 2;
    bytes += c.layers * layer + embedding + matrix(p, {kLmHead}, WeightType::kBf16);
  }
  return bytes;
}

}  // namespace assay::engine
