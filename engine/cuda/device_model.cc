#include "engine/cuda/device_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "engine/cuda/matrix_layout.h"
#include "engine/ops/quantize.h"
#include "engine/ops/silu_mul.h"
#include "engine/parallel/thread_team.h"
#include "engine/rope.h"
#include "engine/step_watch.h"
#include "engine/weight_sources.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kChunkBytes = std::int64_t{32} << 20;

/// One source tensor, of which a matrix holds the rank's rows.
struct Part {
  std::string module;
  std::int64_t rows = 0;  // of the whole tensor
  WeightKind kind = WeightKind::kQ;
  int interleave = -1;  // as in WeightRowsArgs
  std::string tensor;   // without ".weight", where it is not the module's name (tied output)
  [[nodiscard]] std::string weight() const {
    return (tensor.empty() ? module : tensor) + ".weight";
  }
};

/// One of two chunks on its way to the device.
struct Staging {
  PinnedBuffer host{static_cast<std::size_t>(kChunkBytes)};
  DeviceBuffer device{static_cast<std::size_t>(kChunkBytes), "loading"};
  Event done;  // the device has read `host` and `device`
};

class Loader {
 public:
  Loader(DeviceModel& model, const WeightSource& source, int threads)
      : model_(model),
        source_(source, watch_options()),
        dummy_(dynamic_cast<const DummyWeights*>(&source) != nullptr),
        team_(threads),
        amax_(sizeof(float), "loading") {
    for (Staging& side : staging_) side.done.record(stream_.get());
  }

  template <typename T>
  T* allocate(std::int64_t count, const char* what) {
    return model_.memory.emplace_back(static_cast<std::size_t>(count) * sizeof(T), what)
        .template as<T>();
  }

  /// `cols`: of the whole tensors.
  DeviceMatrix matrix(const MatrixLayout& layout, std::int64_t cols,
                      const std::vector<Part>& parts) {
    DeviceMatrix shape = layout.shape;
    shape.data = allocate<std::byte>(shape.bytes(), "weights");
    // Rows that no tensor has (features that pad to a group) are zero.
    fill_bytes(stream_.get(), shape.data, 0, static_cast<std::size_t>(shape.bytes()));
    if (layout.format.weights != WeightType::kBf16) {
      shape.row_scale = zeros(shape.rows, "weight scales");
    }
    if (!layout.pieces.empty()) {
      shape.group_scale = zeros(shape.rows * shape.blocks(), "weight scales");
      auto* pieces = allocate<InputPiece>(shape.blocks(), "weights");
      copy_to_device(stream_.get(), pieces, layout.pieces.data(),
                     layout.pieces.size() * sizeof(InputPiece));
      stream_.synchronize();
      shape.pieces = pieces;
    }
    std::int64_t offset = 0;
    std::vector<float> bias;
    for (const Part& part : parts) {
      const MatrixFormat format = resolve_format(model_.setting, source_, part.module);
      if (is_direct(format)) {
        load_part(shape, format, cols, part, static_cast<int>(offset));
      } else {
        load_codes(shape, format, cols, part, static_cast<int>(offset));
      }
      add_bias(bias, shape, part, offset);
      if (part.interleave < 0) offset += slice(part).outputs.size();
    }
    if (!bias.empty()) shape.bias = upload(bias);
    source_.release();
    return shape;
  }

  const float* vector(const std::string& name, std::int64_t size) {
    std::vector<float> out(static_cast<std::size_t>(size));
    source_.read_row(name, 0, out);
    return upload(out);
  }

  float* upload(const std::vector<float>& values) {
    auto* to = allocate<float>(static_cast<std::int64_t>(values.size()), "weights");
    copy_to_device(stream_.get(), to, values.data(), values.size() * sizeof(float));
    stream_.synchronize();
    return to;
  }

  void finish() { stream_.synchronize(); }

 private:
  [[nodiscard]] WeightSlice slice(const Part& part) const {
    return weight_slice(model_.config, model_.partition, part.kind);
  }
  /// The rank's rows that the tensor has.
  [[nodiscard]] Range rows_of(const Part& part) const {
    const Range cut = slice(part).outputs;
    return {std::min(cut.begin, part.rows), std::min(cut.end, part.rows)};
  }

  float* zeros(std::int64_t count, const char* what) {
    auto* out = allocate<float>(count, what);
    fill_bytes(stream_.get(), out, 0, static_cast<std::size_t>(count) * sizeof(float));
    return out;
  }

  /// The device quantizes by itself.
  static bool is_direct(const MatrixFormat& format) {
    return format.weights == WeightType::kBf16 ||
           (format.weights == WeightType::kE4m3 && format.group == 0 && !format.stored);
  }

  /// Calls use(device rows, first row, rows) for chunks of `range` of the tensor's rows, in order.
  template <typename Use>
  void for_chunks(const Part& part, const Range& range, std::int64_t cols, const Use& use) {
    const std::string name = part.weight();
    const std::int64_t row_bytes = cols * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t most = std::max<std::int64_t>(1, kChunkBytes / row_bytes);
    for (std::int64_t first = range.begin; first < range.end; first += most) {
      const std::int64_t rows = std::min(most, range.end - first);
      Staging& side = staging_[turn_++ % staging_.size()];
      side.done.wait();
      auto* device = side.device.as<float>();
      if (dummy_) {
        dummy_rows_cuda(stream_.get(), {.out = device,
                                        .rows = static_cast<int>(rows),
                                        .cols = static_cast<int>(cols),
                                        .first_row = static_cast<int>(first),
                                        .key = fnv1a(name)});
      } else {
        auto* host = side.host.as<float>();
        team_.run(rows, [&](std::int64_t r, int /*thread*/) {
          source_.read_row(name, first + r, {host + r * cols, static_cast<std::size_t>(cols)});
        });
        copy_to_device(stream_.get(), device, host, static_cast<std::size_t>(rows * row_bytes));
      }
      use(device, static_cast<int>(first), static_cast<int>(rows));
      side.done.record(stream_.get());
    }
  }

  void load_part(const DeviceMatrix& to, const MatrixFormat& format, std::int64_t cols,
                 const Part& part, int offset) {
    const bool common = format.scales == ScaleLayout::kTensor;
    if (common) {
      fill_bytes(stream_.get(), amax_.as<float>(), 0, sizeof(float));
      for_chunks(part, {0, part.rows}, cols, [&](const float* rows, int /*first*/, int count) {
        weight_amax_cuda(stream_.get(), rows, count * cols, amax_.as<float>());
      });
    }
    const Range range = rows_of(part);
    for_chunks(part, range, cols, [&](const float* rows, int first, int count) {
      weight_rows_cuda(stream_.get(), {.in = rows,
                                       .rows = count,
                                       .cols = static_cast<int>(cols),
                                       .to = to,
                                       .first_row = first - static_cast<int>(range.begin),
                                       .row_offset = offset,
                                       .first_col = static_cast<int>(slice(part).inputs.begin),
                                       .interleave = part.interleave,
                                       .common = common ? amax_.as<float>() : nullptr});
    });
  }

  /// Codes that the host makes or reads, chunk by chunk: values at their places, then scales.
  void load_codes(const DeviceMatrix& to, const MatrixFormat& format, std::int64_t cols,
                  const Part& part, int offset) {
    std::unique_ptr<CodeSource> made;
    const CodeSource* codes = format.stored ? source_.codes(part.module) : nullptr;
    if (codes == nullptr) {
      const MatrixShape shape{
          .tensor = part.weight(),
          .rows = part.rows,
          .cols = cols,
          .scaled_with = scaled_together(model_.config, model_.setting, source_, part.module)};
      made = quantize_matrix(source_, shape, format, [&](std::int64_t count, const auto& body) {
        team_.run(count, [&](std::int64_t i, int /*thread*/) { body(i, i + 1); });
      });
      codes = made.get();
    }
    const Range range = rows_of(part);
    const Range inputs = slice(part).inputs;
    const std::vector<std::int64_t> places =
        places_of(to, format, {std::min(inputs.begin, cols), std::min(inputs.end, cols)});
    const std::int64_t groups = to.group_scale == nullptr ? 0 : to.blocks();
    const std::int64_t row_floats = to.inputs() + groups + 1;
    const std::int64_t most = std::max<std::int64_t>(
        1, kChunkBytes / (row_floats * static_cast<std::int64_t>(sizeof(float))));
    for (std::int64_t first = range.begin; first < range.end; first += most) {
      const std::int64_t rows = std::min(most, range.end - first);
      Staging& side = staging_[turn_++ % staging_.size()];
      side.done.wait();
      auto* host = side.host.as<float>();
      float* scales = host + rows * to.inputs();
      std::fill_n(host, rows * row_floats, 0.0F);
      team_.run(rows, [&](std::int64_t r, int /*thread*/) {
        CodeRow row;
        codes->read(first + r, row);
        place(row, format, places, inputs.begin, host + r * to.inputs());
        scales[r] = row.row_scale;
        for (std::int64_t b = 0; b < groups; ++b) {
          scales[rows + r * groups + b] = block_scale(format, row, places, inputs.begin, b);
        }
      });
      auto* device = side.device.as<float>();
      copy_to_device(stream_.get(), device, host,
                     static_cast<std::size_t>(rows * row_floats) * sizeof(float));
      const float* device_scales = device + rows * to.inputs();
      code_rows_cuda(stream_.get(), {.in = device,
                                     .row_scale = device_scales,
                                     .group_scale = device_scales + rows,
                                     .rows = static_cast<int>(rows),
                                     .to = to,
                                     .first_row = static_cast<int>(first - range.begin),
                                     .row_offset = offset,
                                     .interleave = part.interleave});
      side.done.record(stream_.get());
    }
  }

  /// Where each of the row's `inputs` lies among the padded ones.
  static std::vector<std::int64_t> places_of(const DeviceMatrix& m, const MatrixFormat& format,
                                             const Range& inputs) {
    std::vector<std::int64_t> out(static_cast<std::size_t>(inputs.size()));
    const std::int64_t shard_blocks = m.shard_k / kBlock;
    std::int64_t block = 0;
    for (std::int64_t i = 0; i < inputs.size(); ++i) {
      const std::int64_t shard = i / m.shard_used;
      const std::int64_t inside = i % m.shard_used;
      std::int64_t at = shard * m.shard_k + inside;
      if (has_group_scales(format)) {
        const bool starts = inside % kBlock == 0 || (inputs.begin + i) % format.group == 0;
        block = inside == 0 ? shard * shard_blocks : starts ? block + 1 : block;
        at = block * kBlock + inside % kBlock;
      }
      out[static_cast<std::size_t>(i)] = at;
    }
    return out;
  }

  static void place(const CodeRow& row, const MatrixFormat& format,
                    const std::vector<std::int64_t>& places, std::int64_t first, float* out) {
    const auto group = static_cast<std::size_t>(std::max<std::int64_t>(1, format.group));
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::size_t input = static_cast<std::size_t>(first) + i;
      float value = row.codes[input];
      if (format.weights == WeightType::kE2m1) value *= row.group_scale[input / group];
      if (!row.zero_points.empty()) value -= static_cast<float>(row.zero_points[input / group]);
      out[places[i]] = value;
    }
  }

  /// The scale of the inputs that block `b` holds; 1 where it holds none.
  static float block_scale(const MatrixFormat& format, const CodeRow& row,
                           const std::vector<std::int64_t>& places, std::int64_t first_input,
                           std::int64_t b) {
    const auto at = std::lower_bound(places.begin(), places.end(), b * kBlock);
    if (at == places.end() || *at >= (b + 1) * kBlock) return 1.0F;
    const std::int64_t input = first_input + (at - places.begin());
    return row.group_scale[static_cast<std::size_t>(input / format.group)];
  }

  void add_bias(std::vector<float>& bias, const DeviceMatrix& to, const Part& part,
                std::int64_t offset) const {
    const std::string name = part.module + ".bias";
    if (!source_.has(name)) return;
    bias.resize(static_cast<std::size_t>(to.rows), 0.0F);
    std::vector<float> values(static_cast<std::size_t>(part.rows));
    source_.read_row(name, 0, values);
    const Range range = rows_of(part);
    for (std::int64_t r = 0; r < range.size(); ++r) {
      const std::int64_t row = offset + (part.interleave < 0 ? r : gate_up_row(r, part.interleave));
      bias[static_cast<std::size_t>(row)] = values[static_cast<std::size_t>(range.begin + r)];
    }
  }

  DeviceModel& model_;
  WatchedWeights source_;  // before the team, whose threads read
  bool dummy_;
  ThreadTeam team_;
  Stream stream_;
  DeviceBuffer amax_;
  std::array<Staging, 2> staging_;
  std::size_t turn_ = 0;
};

DeviceLayer load_layer(Loader& loader, const ModelConfig& c, const LayerLayouts& layouts,
                       std::int64_t n) {
  using enum WeightKind;
  const std::string prefix = fmt::format("model.layers.{}.", n);
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  DeviceLayer layer;
  layer.attention_norm = loader.vector(prefix + "input_layernorm.weight", c.hidden);
  layer.qkv = loader.matrix(layouts.qkv, c.hidden,
                            {{attention + "q_proj", c.q_width(), kQ},
                             {attention + "k_proj", c.kv_width(), kK},
                             {attention + "v_proj", c.kv_width(), kV}});
  layer.o = loader.matrix(layouts.o, c.q_width(), {{attention + "o_proj", c.hidden, kO}});
  layer.mlp_norm = loader.vector(prefix + "post_attention_layernorm.weight", c.hidden);
  layer.gate_up = loader.matrix(
      layouts.gate_up, c.hidden,
      {{mlp + "gate_proj", c.intermediate, kGate, 0}, {mlp + "up_proj", c.intermediate, kUp, 1}});
  layer.down = loader.matrix(layouts.down, c.intermediate, {{mlp + "down_proj", c.hidden, kDown}});
  return layer;
}

void load_kv_scales(DeviceModel& model, Loader& loader, const WeightSource& source) {
  const ModelConfig& c = model.config;
  std::vector<float> all;
  for (const KvScales& layer : static_kv_scales(c, source, model.partition.kv_heads)) {
    for (std::size_t head = 0; head < layer.key.size(); ++head) {
      all.push_back(layer.key[head]);
      all.push_back(layer.value[head]);
    }
  }
  if (!all.empty()) model.kv_scales = loader.upload(all);
}

void load_rope(DeviceModel& model, Loader& loader, std::int64_t context) {
  const std::vector<double> frequencies =
      rope_inverse_frequencies(model.config.rope, model.config.head_dim);
  std::vector<float> cosines;
  std::vector<float> sines;
  for (std::int64_t position = 0; position < context; ++position) {
    for (const double frequency : frequencies) {
      const double angle = static_cast<double>(position) * frequency;
      cosines.push_back(static_cast<float>(std::cos(angle)));
      sines.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  model.rope_cos = loader.upload(cosines);
  model.rope_sin = loader.upload(sines);
}

}  // namespace

std::int64_t DeviceModel::bytes() const {
  std::int64_t out = 0;
  for (const DeviceBuffer& buffer : memory) out += static_cast<std::int64_t>(buffer.size());
  return out;
}

DeviceModel load_device_model(const ModelConfig& config, const Partition& partition,
                              const WeightSource& source, const PrecisionSetting& setting,
                              std::int64_t context, int threads) {
  DeviceModel model;
  model.config = config;
  model.shape = rank_shape(config, partition);
  model.partition = partition;
  model.setting = setting;
  check_overrides(setting, config);
  Loader loader(model, source, threads);
  for (std::int64_t n = 0; n < config.layers; ++n) {
    model.layers.push_back(
        load_layer(loader, config, layer_layouts(config, partition, setting, source, n), n));
  }
  model.final_norm = loader.vector("model.norm.weight", config.hidden);
  const std::string embedding = "model.embed_tokens";
  const MatrixFormat head = resolve_format(setting, source, "lm_head");
  const bool shared = config.tied && head.weights == WeightType::kBf16;
  const std::int64_t rows = model.shape.vocab;
  model.lm_head = loader.matrix(
      layout_of(head, rows, config.hidden, 1), config.hidden,
      {{"lm_head", config.vocab, WeightKind::kLmHead, -1, config.tied ? embedding : ""}});
  // The embedding is no linear module: it is BF16 in every setting.
  const DeviceMatrix table =
      shared ? model.lm_head
             : loader.matrix(layout_of({}, rows, config.hidden, 1), config.hidden,
                             {{embedding, config.vocab, WeightKind::kEmbedding}});
  model.embedding = static_cast<const bf16*>(table.data);
  model.embedding_ld = static_cast<int>(table.inputs());
  load_kv_scales(model, loader, source);
  load_rope(model, loader, context);
  loader.finish();
  return model;
}

}  // namespace assay::engine
