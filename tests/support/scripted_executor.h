// An executor without arithmetic: what it answers is a rule of the test's, so that what happens
// around a model can be tested without one.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/generators/local_model.h"

namespace assay::test {

class ScriptedExecutor : public engine::Executor {
 public:
  /// `answer` may throw what an executor may.
  using Rule = std::function<engine::LogitResult(const engine::LogitQuery&)>;
  explicit ScriptedExecutor(Rule answer, std::int64_t max_rows = 64)
      : answer_(std::move(answer)), max_rows_(max_rows) {}

  std::int64_t max_rows() const override { return max_rows_; }
  bool takes_logit_bias() const override { return false; }
  void run(const engine::Batch& batch, std::span<engine::LogitResult> results) override {
    std::vector<std::int64_t> lengths;
    for (const auto& sequence : batch.sequences) lengths.push_back(sequence.rows);
    steps.push_back(std::move(lengths));
    for (std::size_t i = 0; i < results.size(); ++i) results[i] = answer_(batch.queries[i]);
  }

  std::vector<std::vector<std::int64_t>> steps;  // rows of each sequence

 private:
  Rule answer_;
  std::int64_t max_rows_;
};

/// Tokens are bytes; id 0 is the end of text.
class ByteTokenizer : public engine::Tokenizer {
 public:
  ByteTokenizer() : Tokenizer(make_table()) {}

 protected:
  void encode_plain(std::string_view text, std::vector<engine::TokenId>& out) const override {
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  }

 private:
  static engine::TokenTable make_table() {
    engine::TokenTable table;
    for (int id = 0; id < 256; ++id) table.bytes.emplace_back(1, static_cast<char>(id));
    return table;
  }
};

/// A model that answers by `rule`: its tokens are bytes.
inline std::unique_ptr<engine::LocalModel> scripted_model(ScriptedExecutor::Rule rule,
                                                          engine::LocalLimits limits) {
  auto model = std::make_unique<engine::LocalModel>();
  model->info.name = "scripted";
  model->info.context = limits.context;
  model->tokenizer.tokenizer = std::make_unique<ByteTokenizer>();
  model->stop_ids = {0};
  model->encoder = std::make_unique<engine::PromptEncoder>(
      *model->tokenizer.tokenizer,
      engine::ChatChoice{.format = engine::ChatFormat::kPlain, .reason = "test"}, "");
  model->executor = std::make_unique<ScriptedExecutor>(std::move(rule));
  model->limits = limits;
  return model;
}

/// Chooses the next byte of `text` by position after a prompt of `prompt_tokens`, then ends.
inline ScriptedExecutor::Rule says(std::string text, std::int64_t prompt_tokens) {
  return [text = std::move(text), prompt_tokens](const engine::LogitQuery& query) {
    const auto index = static_cast<std::size_t>(query.position - prompt_tokens + 1);
    engine::LogitResult result;
    if (index < text.size()) result.chosen = static_cast<unsigned char>(text[index]);
    result.target_logprobs.assign(query.targets.size(), -1.0);
    if (query.top >= 0) result.logprob = {.id = result.chosen, .logprob = -0.5F, .top = {}};
    return result;
  };
}

}  // namespace assay::test
