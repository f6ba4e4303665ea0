// The forward pass of a Llama model in double precision, one token at a time, straight from the
// model's description: the oracle of the engine. Slow and plain on purpose.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "engine/checkpoint.h"
#include "engine/rope.h"
#include "engine/weight_sources.h"

namespace assay::test {

class Oracle {
 public:
  explicit Oracle(const engine::Checkpoint& checkpoint)
      : config_(checkpoint.config()), weights_(checkpoint) {}

  /// Natural log-probabilities of the next token after `id`, the next token of the sequence.
  std::vector<double> next(engine::TokenId id) {
    const auto& c = config_;
    std::vector<double> x = row("model.embed_tokens.weight", id, c.hidden);
    for (std::int64_t n = 0; n < c.layers; ++n) {
      const std::string prefix = "model.layers." + std::to_string(n) + ".";
      add(x, attention(prefix, n, norm(x, prefix + "input_layernorm.weight")));
      add(x, mlp(prefix + "mlp.", norm(x, prefix + "post_attention_layernorm.weight")));
    }
    ++position_;
    const std::string head = c.tied ? "model.embed_tokens.weight" : "lm_head.weight";
    return log_softmax(matrix(head, c.vocab, norm(x, "model.norm.weight")));
  }

 private:
  using Vector = std::vector<double>;

  const std::vector<float>& tensor_row(const std::string& name, std::int64_t row_index,
                                       std::size_t size) {
    auto& cached = rows_[name + "#" + std::to_string(row_index)];
    if (cached.empty()) {
      cached.resize(size);
      weights_.read_row(name, row_index, cached);
    }
    return cached;
  }
  Vector row(const std::string& name, std::int64_t index, std::int64_t size) {
    const auto& values = tensor_row(name, index, static_cast<std::size_t>(size));
    return {values.begin(), values.end()};
  }
  Vector matrix(const std::string& name, std::int64_t rows, const Vector& x) {
    Vector out(static_cast<std::size_t>(rows));
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto& w = tensor_row(name, r, x.size());
      for (std::size_t k = 0; k < x.size(); ++k) {
        out[static_cast<std::size_t>(r)] += static_cast<double>(w[k]) * x[k];
      }
    }
    return out;
  }
  static void add(Vector& x, const Vector& y) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }
  Vector norm(const Vector& x, const std::string& name) {
    double squares = 0;
    for (const double v : x) squares += v * v;
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(x.size()) + config_.rms_eps);
    Vector out = row(name, 0, static_cast<std::int64_t>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) out[i] *= x[i] * inverse;
    return out;
  }
  void rotate(Vector& x, std::int64_t heads) const {
    const auto frequencies = engine::rope_inverse_frequencies(config_.rope, config_.head_dim);
    const std::size_t half = frequencies.size();
    for (std::int64_t h = 0; h < heads; ++h) {
      double* head = x.data() + h * config_.head_dim;
      for (std::size_t j = 0; j < half; ++j) {
        const double angle = static_cast<double>(position_) * frequencies[j];
        const double a = head[j];
        const double b = head[j + half];
        head[j] = a * std::cos(angle) - b * std::sin(angle);
        head[j + half] = b * std::cos(angle) + a * std::sin(angle);
      }
    }
  }
  Vector attention(const std::string& prefix, std::int64_t layer, const Vector& a) {
    const auto& c = config_;
    const std::string name = prefix + "self_attn.";
    Vector q = matrix(name + "q_proj.weight", c.q_width(), a);
    Vector k = matrix(name + "k_proj.weight", c.kv_width(), a);
    rotate(q, c.heads);
    rotate(k, c.kv_heads);
    keys_[layer].push_back(k);
    values_[layer].push_back(matrix(name + "v_proj.weight", c.kv_width(), a));
    Vector mixed(static_cast<std::size_t>(c.q_width()));
    for (std::int64_t h = 0; h < c.heads; ++h) attend(layer, h, q, mixed);
    return matrix(name + "o_proj.weight", c.hidden, mixed);
  }
  void attend(std::int64_t layer, std::int64_t head, const Vector& q, Vector& mixed) {
    const auto d = static_cast<std::size_t>(config_.head_dim);
    const auto from = static_cast<std::size_t>(head) * d;
    const auto kv = static_cast<std::size_t>(head / (config_.heads / config_.kv_heads)) * d;
    Vector scores;
    for (const Vector& key : keys_[layer]) {
      double dot = 0;
      for (std::size_t i = 0; i < d; ++i) dot += q[from + i] * key[kv + i];
      scores.push_back(dot / std::sqrt(static_cast<double>(d)));
    }
    const Vector logs = log_softmax(scores);
    for (std::size_t t = 0; t < logs.size(); ++t) {
      for (std::size_t i = 0; i < d; ++i) {
        mixed[from + i] += std::exp(logs[t]) * values_[layer][t][kv + i];
      }
    }
  }
  Vector mlp(const std::string& name, const Vector& b) {
    Vector gate = matrix(name + "gate_proj.weight", config_.intermediate, b);
    const Vector up = matrix(name + "up_proj.weight", config_.intermediate, b);
    for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
    return matrix(name + "down_proj.weight", config_.hidden, gate);
  }
  static Vector log_softmax(Vector x) {
    double top = x[0];
    for (const double v : x) top = std::max(top, v);
    double sum = 0;
    for (const double v : x) sum += std::exp(v - top);
    for (double& v : x) v -= top + std::log(sum);
    return x;
  }

  engine::ModelConfig config_;
  engine::CheckpointWeights weights_;
  std::map<std::string, std::vector<float>> rows_;
  std::map<std::int64_t, std::vector<Vector>> keys_;
  std::map<std::int64_t, std::vector<Vector>> values_;
  std::int64_t position_ = 0;
};

}  // namespace assay::test
