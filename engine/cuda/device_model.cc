#include "engine/cuda/device_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "base/random.h"
#include "engine/ops/quantize.h"
#include "engine/ops/silu_mul.h"
#include "engine/parallel/thread_team.h"
#include "engine/rope.h"
#include "engine/weight_sources.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kChunkBytes = std::int64_t{32} << 20;
constexpr std::int64_t kPadding = 256;  // matrices begin at multiples of it

/// Rows of one source tensor inside a matrix.
struct Part {
  std::string name;  // without ".weight"
  std::int64_t rows = 0;
  int interleave = -1;  // as in WeightRowsArgs
};

DeviceMatrix shape_of(WeightType type, std::int64_t rows, std::int64_t cols, int shards) {
  DeviceMatrix out;
  out.type = type;
  out.rows = static_cast<int>(rows);
  out.shards = shards;
  out.shard_used = static_cast<int>((cols + shards - 1) / shards);
  out.shard_k = static_cast<int>(round_up(out.shard_used, kBlock));
  return out;
}

struct LayerShapes {
  DeviceMatrix qkv, o, gate_up, down;
};
LayerShapes layer_shapes(const ModelConfig& c, WeightType type) {
  const std::int64_t features = round_up(c.intermediate, kGateUpGroup);
  return {.qkv = shape_of(type, c.q_width() + 2 * c.kv_width(), c.hidden, 1),
          .o = shape_of(type, c.hidden, c.q_width(), static_cast<int>(kShards)),
          .gate_up = shape_of(type, 2 * features, c.hidden, 1),
          .down = shape_of(type, c.hidden, c.intermediate, static_cast<int>(kShards))};
}

std::int64_t matrix_bytes(const DeviceMatrix& m) {
  const std::int64_t scales = m.type == WeightType::kE4m3 ? m.rows * std::int64_t{4} : 0;
  return round_up(m.bytes(), kPadding) + round_up(scales, kPadding);
}

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
        source_(source),
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

  DeviceMatrix matrix(DeviceMatrix shape, std::int64_t cols, const std::vector<Part>& parts) {
    shape.data = allocate<std::byte>(shape.bytes(), "weights");
    // Rows that no tensor has (features that pad to a group) are zero.
    fill_bytes(stream_.get(), shape.data, 0, static_cast<std::size_t>(shape.bytes()));
    if (shape.type == WeightType::kE4m3) {
      shape.row_scale = allocate<float>(shape.rows, "weight scales");
      fill_bytes(stream_.get(), shape.row_scale, 0,
                 static_cast<std::size_t>(shape.rows) * sizeof(float));
    }
    std::int64_t offset = 0;
    std::vector<float> bias;
    for (const Part& part : parts) {
      load_part(shape, cols, part, static_cast<int>(offset));
      add_bias(bias, shape, part, offset);
      if (part.interleave < 0) offset += part.rows;
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
  /// Calls use(device rows, first row, rows) for chunks of the tensor, in order.
  template <typename Use>
  void for_chunks(const Part& part, std::int64_t cols, const Use& use) {
    const std::string name = part.name + ".weight";
    const std::int64_t row_bytes = cols * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t most = std::max<std::int64_t>(1, kChunkBytes / row_bytes);
    for (std::int64_t first = 0; first < part.rows; first += most) {
      const std::int64_t rows = std::min(most, part.rows - first);
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

  void load_part(const DeviceMatrix& to, std::int64_t cols, const Part& part, int offset) {
    const bool common = to.type == WeightType::kE4m3 && model_.setting.tensor_scale;
    if (common) {
      fill_bytes(stream_.get(), amax_.as<float>(), 0, sizeof(float));
      for_chunks(part, cols, [&](const float* rows, int /*first*/, int count) {
        weight_amax_cuda(stream_.get(), rows, count * cols, amax_.as<float>());
      });
    }
    for_chunks(part, cols, [&](const float* rows, int first, int count) {
      weight_rows_cuda(stream_.get(), {.in = rows,
                                       .rows = count,
                                       .cols = static_cast<int>(cols),
                                       .to = to,
                                       .first_row = first,
                                       .row_offset = offset,
                                       .interleave = part.interleave,
                                       .common = common ? amax_.as<float>() : nullptr});
    });
  }

  void add_bias(std::vector<float>& bias, const DeviceMatrix& to, const Part& part,
                std::int64_t offset) const {
    const std::string name = part.name + ".bias";
    if (!source_.has(name)) return;
    bias.resize(static_cast<std::size_t>(to.rows), 0.0F);
    std::vector<float> values(static_cast<std::size_t>(part.rows));
    source_.read_row(name, 0, values);
    for (std::int64_t r = 0; r < part.rows; ++r) {
      const std::int64_t row = offset + (part.interleave < 0 ? r : gate_up_row(r, part.interleave));
      bias[static_cast<std::size_t>(row)] = values[static_cast<std::size_t>(r)];
    }
  }

  DeviceModel& model_;
  const WeightSource& source_;
  bool dummy_;
  ThreadTeam team_;
  Stream stream_;
  DeviceBuffer amax_;
  std::array<Staging, 2> staging_;
  std::size_t turn_ = 0;
};

DeviceLayer load_layer(Loader& loader, const ModelConfig& c, const LayerShapes& shapes,
                       std::int64_t n) {
  const std::string prefix = fmt::format("model.layers.{}.", n);
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  DeviceLayer layer;
  layer.attention_norm = loader.vector(prefix + "input_layernorm.weight", c.hidden);
  layer.qkv = loader.matrix(shapes.qkv, c.hidden,
                            {{attention + "q_proj", c.q_width()},
                             {attention + "k_proj", c.kv_width()},
                             {attention + "v_proj", c.kv_width()}});
  layer.o = loader.matrix(shapes.o, c.q_width(), {{attention + "o_proj", c.hidden}});
  layer.mlp_norm = loader.vector(prefix + "post_attention_layernorm.weight", c.hidden);
  layer.gate_up =
      loader.matrix(shapes.gate_up, c.hidden,
                    {{mlp + "gate_proj", c.intermediate, 0}, {mlp + "up_proj", c.intermediate, 1}});
  layer.down = loader.matrix(shapes.down, c.intermediate, {{mlp + "down_proj", c.hidden}});
  return layer;
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

DeviceModel load_device_model(const ModelConfig& config, const WeightSource& source,
                              const PrecisionSetting& setting, std::int64_t context, int threads) {
  DeviceModel model;
  model.config = config;
  model.setting = setting;
  Loader loader(model, source, threads);
  const LayerShapes shapes = layer_shapes(config, setting.weights);
  for (std::int64_t n = 0; n < config.layers; ++n) {
    model.layers.push_back(load_layer(loader, config, shapes, n));
  }
  model.final_norm = loader.vector("model.norm.weight", config.hidden);
  const std::string embedding = "model.embed_tokens";
  const DeviceMatrix head = shape_of(WeightType::kBf16, config.vocab, config.hidden, 1);
  model.lm_head =
      loader.matrix(head, config.hidden, {{config.tied ? embedding : "lm_head", config.vocab}});
  const DeviceMatrix table =
      config.tied ? model.lm_head : loader.matrix(head, config.hidden, {{embedding, config.vocab}});
  model.embedding = static_cast<const bf16*>(table.data);
  model.embedding_ld = static_cast<int>(table.inputs());
  load_rope(model, loader, context);
  loader.finish();
  return model;
}

std::int64_t estimate_device_weight_bytes(const ModelConfig& c, const PrecisionSetting& setting,
                                          std::int64_t context) {
  const LayerShapes s = layer_shapes(c, setting.weights);
  const std::int64_t layer = matrix_bytes(s.qkv) + matrix_bytes(s.o) + matrix_bytes(s.gate_up) +
                             matrix_bytes(s.down) + 2 * round_up(c.hidden * 4, kPadding);
  const std::int64_t head = matrix_bytes(shape_of(WeightType::kBf16, c.vocab, c.hidden, 1));
  return c.layers * layer + (c.tied ? 1 : 2) * head + context * c.head_dim * 4;
}

}  // namespace assay::engine
