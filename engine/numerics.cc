#include "engine/numerics.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/cpu_executor.h"
#include "engine/generators/opened_model.h"
#include "engine/step_watch.h"
#include "engine/text_pass.h"

namespace assay::engine {
namespace {

/// Logits and residual streams of one window of the reference.
class Recorder : public ForwardObserver {
 public:
  explicit Recorder(const ModelConfig& config) : config_(config) {}
  void begin(std::size_t queries) {
    logits.resize(queries);
    layers.assign(static_cast<std::size_t>(config_.layers), {});
  }
  void on_layer(std::int64_t layer, const bf16* x, std::int64_t rows) override {
    layers[static_cast<std::size_t>(layer)].assign(x, x + rows * config_.hidden);
  }
  void on_logits(std::size_t query, std::span<const float> values) override {
    logits[query].assign(values.begin(), values.end());
  }

  std::vector<std::vector<float>> logits;  // [queries][vocab]
  std::vector<std::vector<bf16>> layers;   // [layers][rows * hidden]

 private:
  const ModelConfig& config_;
};

struct TokenResult {
  double kl = 0;
  double logprob = 0;
  double logprob_reference = 0;
  bool same_top = false;
};

double log_sum_exp(std::span<const float> logits, double top) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum);
}

TokenResult compare(std::span<const float> reference, std::span<const float> setting,
                    TokenId next) {
  const auto a = std::max_element(reference.begin(), reference.end());
  const auto b = std::max_element(setting.begin(), setting.end());
  const double za = log_sum_exp(reference, static_cast<double>(*a));
  const double zb = log_sum_exp(setting, static_cast<double>(*b));
  TokenResult out;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double p = static_cast<double>(reference[i]) - za;
    const double q = static_cast<double>(setting[i]) - zb;
    out.kl += std::exp(p) * (p - q);
  }
  out.kl = std::max(out.kl, 0.0);  // rounding may leave a little below zero
  out.logprob = static_cast<double>(setting[static_cast<std::size_t>(next)]) - zb;
  out.logprob_reference = static_cast<double>(reference[static_cast<std::size_t>(next)]) - za;
  out.same_top = a - reference.begin() == b - setting.begin();
  return out;
}

double quantile(const std::vector<double>& sorted, double p) {
  const auto index = static_cast<std::size_t>(std::ceil(p * static_cast<double>(sorted.size())));
  return sorted[std::min(sorted.size() - 1, index == 0 ? 0 : index - 1)];
}

class Comparison {
 public:
  explicit Comparison(const ModelConfig& config)
      : reference(config),
        setting(config),
        noise_(static_cast<std::size_t>(config.layers)),
        signal_(noise_.size()) {}

  void add(const Batch& batch) {
    for (std::size_t i = 0; i < batch.queries.size(); ++i) {
      const std::vector<float>& a = reference.logits[i];
      const std::vector<float>& b = setting.logits[i];
      tokens_.push_back(compare(a, b, batch.queries[i].targets.front()));
      if (!std::isfinite(tokens_.back().kl)) {
        throw_input("numerics: logits that are not finite, or a probability of zero");
      }
    }
    for (std::size_t layer = 0; layer < noise_.size(); ++layer) {
      for (std::size_t i = 0; i < reference.layers[layer].size(); ++i) {
        const double a = bf16_to_float(reference.layers[layer][i]);
        const double b = bf16_to_float(setting.layers[layer][i]);
        noise_[layer] += (a - b) * (a - b);
        signal_[layer] += a * a;
      }
    }
  }

  Numerics result() const {
    Numerics out;
    out.tokens = static_cast<std::int64_t>(tokens_.size());
    std::vector<double> kl;
    double nll = 0;
    double nll_reference = 0;
    const auto count = static_cast<double>(tokens_.size());
    for (const TokenResult& token : tokens_) {
      kl.push_back(token.kl);
      out.kl_mean += token.kl / count;
      out.top1 += token.same_top ? 1 / count : 0;
      nll -= token.logprob / count;
      nll_reference -= token.logprob_reference / count;
    }
    out.perplexity = std::exp(nll);
    out.perplexity_reference = std::exp(nll_reference);
    std::sort(kl.begin(), kl.end());
    out.kl_p50 = quantile(kl, 0.5);
    out.kl_p90 = quantile(kl, 0.9);
    out.kl_p99 = quantile(kl, 0.99);
    out.kl_p999 = quantile(kl, 0.999);
    out.kl_max = kl.back();
    for (std::size_t layer = 0; layer < noise_.size(); ++layer) {
      const double relative = std::sqrt(noise_[layer] / std::max(signal_[layer], 1e-300));
      out.layers.push_back({relative, relative > 0 ? -20 * std::log10(relative) : 0});
    }
    return out;
  }

  Recorder reference;
  Recorder setting;

 private:
  std::vector<TokenResult> tokens_;
  std::vector<double> noise_;  // of each layer
  std::vector<double> signal_;
};

std::unique_ptr<Executor> make_executor(const OpenedModel& opened, const EngineOptions& options,
                                        std::int64_t window, int threads,
                                        ForwardObserver& observer) {
  const PrecisionSetting setting = chosen_setting(opened, options.precision);
  const ModelWeights weights(opened, options, setting, threads);
  auto executor = std::make_unique<CpuExecutor>(opened.config, weights.source(),
                                                CpuExecutorOptions{.setting = &setting,
                                                                   .kv = find_kv_type(options.kv),
                                                                   .observer = &observer,
                                                                   .threads = threads,
                                                                   .context = window,
                                                                   .pages = window_pages(window),
                                                                   .max_rows = window});
  return std::make_unique<WatchedExecutor>(std::move(executor), watch_options());
}

}  // namespace

Numerics measure_numerics(const EngineOptions& options, const NumericsOptions& how) {
  if (options.device == "cuda") {
    throw_input("numerics: are measured on the CPU; give --device cpu or auto");
  }
  const OpenedModel opened = open_model(options.model);
  const std::vector<TokenId> ids = text_ids(opened.config, *opened.tokenizer.tokenizer, how.text,
                                            static_cast<std::size_t>(how.tokens));
  if (ids.size() < 2) throw_input("numerics: the text has fewer than two tokens");
  const std::int64_t window = std::min(how.window, opened.config.max_position);
  const int threads = options.threads > 0 ? options.threads : usable_cores();
  EngineOptions base = options;
  base.precision = how.reference;
  base.kv = "bf16";
  Comparison comparison(opened.config);
  const auto reference = make_executor(opened, base, window, threads, comparison.reference);
  const auto setting = make_executor(opened, options, window, threads, comparison.setting);
  for_windows(ids, window, true, [&](const Batch& batch, std::size_t) {
    std::vector<LogitResult> ignored(batch.queries.size());
    comparison.reference.begin(batch.queries.size());
    comparison.setting.begin(batch.queries.size());
    reference->run(batch, ignored);
    setting->run(batch, ignored);
    comparison.add(batch);
  });
  return comparison.result();
}

}  // namespace assay::engine
