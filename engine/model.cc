#include "engine/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <type_traits>

#include "base/error.h"
#include "base/text.h"
#include "engine/parallel/thread_team.h"
#include "engine/rope.h"
#include "engine/step_watch.h"

namespace assay::engine {
namespace {

/// Rows of one source tensor inside a packed matrix.
struct Part {
  std::string module;
  WeightKind kind;
  std::int64_t rows = 0;  // of the whole tensor
  std::string tensor;     // without ".weight", where it is not the module's name (tied output)
  MatrixFormat format = {};
  [[nodiscard]] std::string weight() const {
    return (tensor.empty() ? module : tensor) + ".weight";
  }
};

/// Bytes from which BF16 matrices are compressed: smaller ones stay in a cache.
constexpr std::int64_t kCompressedFrom = 4 << 20;
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
        source_(source, watch_options()),
        setting_(setting),
        team_(threads) {}

  /// The rank's rows of `parts` on top of each other; `cols` is the whole tensors' row length.
  PackedMatrix matrix(const std::vector<Part>& parts, std::int64_t cols) {
    std::int64_t rows = 0;
    for (const Part& part : parts) rows += slice(part).outputs.size();
    const WeightSlice first_slice = slice(parts.front());
    const MatrixFormat& format = parts.front().format;
    PackedMatrix out = make_packed_matrix(
        format.weights, rows, first_slice.shards,
        (first_slice.inputs.size() + first_slice.shards - 1) / first_slice.shards);
    out.activations = format.activations;
    out.input_scale = format.input_scale;
    out.amax_bound = format.amax_bound;
    if (format.group > 0) set_groups(out, format.group, first_slice.inputs.begin);
    std::int64_t first = 0;
    for (const Part& part : parts) {
      pack_part(out, part, first, cols);
      add_bias(out, part, first);
      first += slice(part).outputs.size();
    }
    if (out.type == WeightType::kBf16 && out.bytes() >= kCompressedFrom) {
      compress_matrix(kernels_, out, team_);
    }
    return out;
  }

  Part part(const std::string& module, WeightKind kind, std::int64_t rows) const {
    return {.module = module,
            .kind = kind,
            .rows = rows,
            .tensor = {},
            .format = resolve_format(setting_, source_, module)};
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
        source_.read_row(part.weight(), row, values);
        scales[static_cast<std::size_t>(row)] = kernels_.e4m3_scale_of(values.data(), cols);
      }
    });
    float top = 0;
    for (const float scale : scales) top = std::isnan(scale) ? scale : std::max(top, scale);
    return top;
  }

  /// Packs the rank's rows of `part` from row `first` of the matrix on, with BF16 or E4M3 codes
  /// that have one scale a row or tensor straight from the values.
  void pack_part(PackedMatrix& out, const Part& part, std::int64_t first, std::int64_t cols) {
    const bool e4m3 = part.format.weights == WeightType::kE4m3;
    if (part.format.stored || part.format.group > 0 ||
        (!e4m3 && part.format.weights != WeightType::kBf16)) {
      return pack_coded(out, part, first, cols);
    }
    const bool common = e4m3 && part.format.scales == ScaleLayout::kTensor;
    const float whole_scale = common ? tensor_scale(part, cols) : 0;
    const WeightSlice cut = slice(part);
    const std::int64_t used = overlap(cut.inputs, cols);
    for_rows(part, first, [&](std::int64_t panel_first, std::int64_t last) {
      std::vector<float> whole(static_cast<std::size_t>(cols));
      std::vector<float> values(static_cast<std::size_t>(out.inputs()));
      for (std::int64_t row = panel_first; row < last; ++row) {
        source_.read_row(part.weight(), cut.outputs.begin + row - first, whole);
        std::copy_n(whole.begin() + cut.inputs.begin, used, values.begin());
        const float scale = !e4m3    ? 1.0F
                            : common ? whole_scale
                                     : kernels_.e4m3_scale_of(whole.data(), cols);
        pack_row(kernels_, out, row, values, scale);
      }
    });
  }

  /// The same for all other formats, by way of codes.
  void pack_coded(PackedMatrix& out, const Part& part, std::int64_t first, std::int64_t cols) {
    std::unique_ptr<CodeSource> made;
    const CodeSource* codes = part.format.stored ? source_.codes(part.module) : nullptr;
    if (codes == nullptr) {
      const MatrixShape shape{
          .tensor = part.weight(),
          .rows = part.rows,
          .cols = cols,
          .scaled_with = scaled_together(config_, setting_, source_, part.module)};
      made = quantize_matrix(source_, shape, part.format,
                             [&](std::int64_t count, const auto& body) { split(count, body); });
      codes = made.get();
    }
    const WeightSlice cut = slice(part);
    const std::int64_t used = overlap(cut.inputs, cols);
    const auto begin = static_cast<std::size_t>(cut.inputs.begin);
    for_rows(part, first, [&](std::int64_t panel_first, std::int64_t last) {
      CodeRow row_codes;
      const auto inputs = static_cast<std::size_t>(out.inputs());
      std::vector<float> values(inputs);
      for (std::int64_t row = panel_first; row < last; ++row) {
        codes->read(cut.outputs.begin + row - first, row_codes);
        std::copy_n(row_codes.codes.begin() + cut.inputs.begin, used, values.begin());
        const std::size_t group = out.group == 0 ? 0 : begin / static_cast<std::size_t>(out.group);
        // Features beyond the tensor may reach into further groups.
        const std::size_t groups = group + inputs + 1;
        if (out.group > 0) row_codes.group_scale.resize(groups, 1.0F);
        if (!out.zero_points.empty()) row_codes.zero_points.resize(groups, 0);
        const auto from = [&](const auto& all) {
          return all.empty() ? std::span<const typename std::decay_t<decltype(all)>::value_type>()
                             : std::span(all).subspan(group);
        };
        pack_codes(kernels_, out, row,
                   {.codes = values,
                    .group_scale = from(row_codes.group_scale),
                    .zero_points = from(row_codes.zero_points),
                    .row_scale = row_codes.row_scale});
      }
    });
  }

  /// Calls body(first row, end) of the matrix for each of its panels that the part has rows in, so
  /// that parts which begin inside a panel still have one writer.
  template <typename Body>
  void for_rows(const Part& part, std::int64_t first, const Body& body) {
    const std::int64_t rows = overlap(slice(part).outputs, part.rows);
    const std::int64_t begin = first / kPanelRows;
    const std::int64_t end = (first + rows + kPanelRows - 1) / kPanelRows;
    team_.run(end - begin, [&](std::int64_t task, int /*thread*/) {
      const std::int64_t panel = begin + task;
      body(std::max(first, panel * kPanelRows), std::min(first + rows, (panel + 1) * kPanelRows));
      if (panel % kPanelsHeld == 0) source_.release();
    });
  }

  void split(std::int64_t count, const std::function<void(std::int64_t, std::int64_t)>& body) {
    constexpr std::int64_t kPiece = 16;
    team_.run((count + kPiece - 1) / kPiece, [&](std::int64_t piece, int /*thread*/) {
      body(piece * kPiece, std::min(count, (piece + 1) * kPiece));
    });
  }

  void add_bias(PackedMatrix& out, const Part& part, std::int64_t first) const {
    const std::string name = part.module + ".bias";
    if (!source_.has(name)) return;
    out.bias.resize(static_cast<std::size_t>(out.padded_rows()), 0.0F);
    const Range cut = slice(part).outputs;
    const std::vector<float> whole = vector(name, part.rows);
    std::copy_n(whole.begin() + cut.begin, overlap(cut, part.rows), out.bias.begin() + first);
  }

  const ModelConfig& config_;
  const Partition& partition_;
  WatchedWeights source_;  // before the team, whose threads read
  const PrecisionSetting& setting_;
  const CpuKernels& kernels_ = cpu_kernels();
  ThreadTeam team_;
};

/// q, k and v as one matrix where their products are alike.
std::vector<PackedMatrix> load_qkv(Loader& loader, const std::vector<Part>& parts,
                                   std::int64_t cols) {
  const bool alike = std::all_of(parts.begin(), parts.end(), [&](const Part& part) {
    return fuses(part.format, parts.front().format);
  });
  std::vector<PackedMatrix> out;
  if (alike) {
    out.push_back(loader.matrix(parts, cols));
  } else {
    for (const Part& part : parts) out.push_back(loader.matrix({part}, cols));
  }
  return out;
}

LayerWeights load_layer(Loader& loader, const ModelConfig& c, std::int64_t n) {
  const std::string prefix = fmt::format("model.layers.{}.", n);
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  LayerWeights layer;
  layer.attention_norm = loader.vector(prefix + "input_layernorm.weight", c.hidden);
  layer.qkv = load_qkv(loader,
                       {loader.part(attention + "q_proj", WeightKind::kQ, c.q_width()),
                        loader.part(attention + "k_proj", WeightKind::kK, c.kv_width()),
                        loader.part(attention + "v_proj", WeightKind::kV, c.kv_width())},
                       c.hidden);
  layer.o =
      loader.matrix({loader.part(attention + "o_proj", WeightKind::kO, c.hidden)}, c.q_width());
  layer.mlp_norm = loader.vector(prefix + "post_attention_layernorm.weight", c.hidden);
  layer.gate =
      loader.matrix({loader.part(mlp + "gate_proj", WeightKind::kGate, c.intermediate)}, c.hidden);
  layer.up =
      loader.matrix({loader.part(mlp + "up_proj", WeightKind::kUp, c.intermediate)}, c.hidden);
  layer.down =
      loader.matrix({loader.part(mlp + "down_proj", WeightKind::kDown, c.hidden)}, c.intermediate);
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
    for (const PackedMatrix& matrix : layer.qkv) bytes += gemm_bytes(matrix);
    for (const PackedMatrix* matrix : {&layer.o, &layer.gate, &layer.up, &layer.down}) {
      bytes += gemm_bytes(*matrix);
    }
  }
  return bytes;
}

std::int64_t Model::qkv_width() const {
  const std::int64_t d = config.head_dim;
  return round_up(partition.heads.size() * d, kPanelRows) +
         2 * round_up(partition.kv_heads.size() * d, kPanelRows);
}

bool fuses(const MatrixFormat& a, const MatrixFormat& b) {
  return a.weights == b.weights && a.group == b.group && a.activations == b.activations &&
         a.input_scale == b.input_scale && a.amax_bound == b.amax_bound;
}

std::vector<std::string> linear_modules(const ModelConfig& config) {
  std::vector<std::string> out;
  for (std::int64_t n = 0; n < config.layers; ++n) {
    for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                             "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}) {
      out.push_back(fmt::format("model.layers.{}.{}", n, name));
    }
  }
  out.emplace_back("lm_head");
  return out;
}

MatrixFormat resolve_format(const PrecisionSetting& setting, const WeightSource& source,
                            const std::string& module) {
  const std::string name = setting_of_module(setting, module);
  if (name == "checkpoint") {
    const CodeSource* codes = source.codes(module);
    return codes == nullptr ? MatrixFormat{} : codes->format();
  }
  MatrixFormat format = format_of_setting(name);
  if (format.activations == ActivationType::kE4m3Static) {
    format.input_scale = source.input_scale(module);
    if (!(format.input_scale > 0)) {
      throw_input(
          "{}: {} needs the scale of its input: take a checkpoint that has it, or give "
          "--calibrate FILE",
          module, name);
    }
  }
  return format;
}

std::vector<KvScales> static_kv_scales(const ModelConfig& config, const WeightSource& source,
                                       const Range& heads) {
  std::vector<KvScales> out;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    KvScales scales = source.kv_scales(layer);
    if (scales.key.empty()) return {};
    const auto cut = [&](std::vector<float>& of) {
      of = {of.begin() + heads.begin, of.begin() + heads.end};
    };
    cut(scales.key);
    cut(scales.value);
    out.push_back(std::move(scales));
  }
  return out;
}

std::vector<std::pair<std::string, std::int64_t>> scaled_together(const ModelConfig& config,
                                                                  const PrecisionSetting& setting,
                                                                  const WeightSource& source,
                                                                  const std::string& module) {
  struct Member {
    const char* name;
    std::int64_t rows;
  };
  const std::vector<std::vector<Member>> sets = {
      {{"q_proj", config.q_width()}, {"k_proj", config.kv_width()}, {"v_proj", config.kv_width()}},
      {{"gate_proj", config.intermediate}, {"up_proj", config.intermediate}},
      {{"o_proj", config.hidden}},
      {{"down_proj", config.hidden}}};
  const std::string prefix = module.substr(0, module.rfind('.') + 1);
  const MatrixFormat own = resolve_format(setting, source, module);
  for (const std::vector<Member>& set : sets) {
    const auto self = std::find_if(set.begin(), set.end(),
                                   [&](const Member& one) { return prefix + one.name == module; });
    if (self == set.end()) continue;
    std::vector<std::pair<std::string, std::int64_t>> all;
    for (const Member& one : set) {
      const std::string name = prefix + one.name;
      if (!fuses(resolve_format(setting, source, name), own))
        return {{module + ".weight", self->rows}};
      all.emplace_back(name + ".weight", one.rows);
    }
    return all;
  }
  return {{(config.tied ? "model.embed_tokens" : module) + ".weight", config.vocab}};
}

void check_overrides(const PrecisionSetting& setting, const ModelConfig& config) {
  const std::vector<std::string> modules = linear_modules(config);
  for (const SettingOverride& override : setting.overrides) {
    const bool used = std::any_of(modules.begin(), modules.end(), [&](const std::string& module) {
      return module_matches(override.pattern, module);
    });
    if (!used) {
      throw_input(
          "override \"{}={}\": no matrix of this model has such a name; names are as "
          "layers.0.self_attn.q_proj, layers.{}.mlp.down_proj, lm_head",
          escaped(override.pattern, 100), override.setting, config.layers - 1);
    }
  }
}

Model load_model(const ModelConfig& config, const Partition& partition, const WeightSource& source,
                 const PrecisionSetting& setting, std::int64_t context, int threads) {
  check_overrides(setting, config);
  Model model;
  model.config = config;
  model.partition = partition;
  model.setting = setting;
  Loader loader(config, partition, source, setting, threads);
  for (std::int64_t n = 0; n < config.layers; ++n) {
    model.layers.push_back(load_layer(loader, config, n));
    source.release();
  }
  model.final_norm = loader.vector("model.norm.weight", config.hidden);
  const std::string embedding = "model.embed_tokens";
  Part head = loader.part("lm_head", WeightKind::kLmHead, config.vocab);
  if (config.tied) head.tensor = embedding;
  if (!config.tied || head.format.weights != WeightType::kBf16) {
    model.embedding = loader.embedding(embedding + ".weight", config.hidden);
  }
  model.lm_head = loader.matrix({head}, config.hidden);
  source.release();
  fill_rope(model, context);
  return model;
}

namespace {

std::int64_t packed_bytes(const MatrixFormat& format, std::int64_t rows, const WeightSlice& cut) {
  const std::int64_t used = (cut.inputs.size() + cut.shards - 1) / cut.shards;
  const std::int64_t padded_rows = round_up(rows, kPanelRows);
  const std::int64_t padded = cut.shards * round_up(used, kBlock);
  std::int64_t bytes = padded_rows * padded * weight_bits(format.weights) / 8;
  if (format.group > 0) {
    const std::vector<Piece> pieces = make_pieces(cut.shards, used, format.group, cut.inputs.begin);
    bytes += padded_rows * static_cast<std::int64_t>(pieces.size()) *
             (format.weights == WeightType::kInt4 ? 5 : 4);
  }
  return bytes;
}

}  // namespace

std::int64_t estimate_weight_bytes(const ModelConfig& c, const WeightSource& source,
                                   const PrecisionSetting& setting, int ranks, RowSums sums) {
  using enum WeightKind;
  constexpr WeightKind kKinds[] = {kQ, kK, kV, kO, kGate, kUp, kDown};
  std::vector<MatrixFormat> formats;
  for (const std::string& module : linear_modules(c)) {
    formats.push_back(resolve_format(setting, source, module));
  }
  std::int64_t bytes = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    const Partition p = make_partition(c, ranks, rank, sums);
    for (std::size_t i = 0; i < formats.size(); ++i) {
      const bool head = i + 1 == formats.size();
      const WeightSlice cut = weight_slice(c, p, head ? kLmHead : kKinds[i % std::size(kKinds)]);
      bytes += packed_bytes(formats[i], cut.outputs.size(), cut);
    }
    const bool own = !c.tied || formats.back().weights != WeightType::kBf16;
    bytes += own ? p.vocab.size() * c.hidden * 2 : 0;
  }
  return bytes;
}

}  // namespace assay::engine
