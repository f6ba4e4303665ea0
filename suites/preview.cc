#include "suites/preview.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "engine/generator.h"
#include "engine/prompt_encoder.h"
#include "engine/shapes.h"
#include "engine/tokenizer_load.h"

namespace assay::suites {
namespace {

constexpr std::string_view kDummy = "dummy:";
constexpr std::string_view kReplay = "replay:";

/// Adds one prompt's ids, which come in the order they are asked.
class TokenCount {
 public:
  explicit TokenCount(std::int64_t context) : context_(context) {}

  void add(std::vector<engine::TokenId> ids, TaskPreview& out) {
    const auto tokens = std::ssize(ids);
    const auto end = std::mismatch(ids.begin(), ids.end(), before_.begin(), before_.end());
    out.prompt_tokens += tokens;
    out.shared_tokens += end.first - ids.begin();
    out.longest_prompt = std::max(out.longest_prompt, tokens);
    if (context_ > 0 && tokens >= context_) {
      ++out.too_long;
    } else if (context_ > 0 && tokens + out.max_tokens.value_or(0) > context_) {
      ++out.cut;
    }
    before_ = std::move(ids);
  }

 private:
  std::int64_t context_;
  std::vector<engine::TokenId> before_;
};

std::int64_t text_bytes(const engine::PromptInput& prompt) {
  auto out = std::ssize(prompt.text) + std::ssize(prompt.assistant_prefix);
  for (const engine::ChatMessage& message : prompt.messages) out += std::ssize(message.content);
  return out;
}

TaskPreview preview_task(const PlannedTask& task, const engine::PromptEncoder* encoder,
                         std::int64_t context, std::uint64_t seed) {
  TaskPreview out{.label = task.label()};
  out.items = static_cast<std::int64_t>(task.end - task.begin);
  out.responses = out.items * task.options.repeats;
  std::set<std::string> clusters;
  TokenCount count(context);
  for (std::size_t i = task.begin; i < task.end; ++i) {
    const evals::Sample& sample = task.samples[i];
    clusters.insert(sample.cluster.empty() ? sample.id : sample.cluster);
    for (std::int64_t repeat = 0; repeat < task.options.repeats; ++repeat) {
      const engine::Request request = make_request(task, i, repeat, seed);
      out.prompt_bytes += text_bytes(request.prompt);
      if (request.continuations.empty()) out.max_tokens = request.sampling.max_tokens;
      if (encoder == nullptr) continue;
      try {
        count.add(encoder->encode(request.prompt), out);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kInput) throw;
        out.refused = error.what();
        return out;
      }
    }
  }
  out.clusters = std::ssize(clusters);
  return out;
}

ModelPreview preview_model(const Suite& suite, const SuiteModel& model,
                           std::span<const PlannedTask> tasks) {
  ModelPreview out{.model = model};
  std::optional<engine::LoadedTokenizer> loaded;
  std::optional<engine::PromptEncoder> encoder;
  if (engine::is_served(model.path)) {
    out.no_tokens = "a server's tokenizer is not known";
  } else if (model.path.starts_with(kReplay)) {
    out.no_tokens = "answers are replayed";
  } else if (model.path.starts_with(kDummy)) {
    out.config = engine::known_shape(std::string_view(model.path).substr(kDummy.size()));
    out.no_tokens = "a dummy model has no tokenizer";
  } else {
    out.config = engine::load_model_config(model.path);
    loaded = engine::load_tokenizer(model.path);
    engine::check_tokenizer_fits(*out.config, *loaded);
    encoder.emplace(*loaded->tokenizer,
                    engine::choose_chat_format(suite.engine.chat_format, *loaded),
                    engine::EngineOptions{}.chat_date);
  }
  if (out.config) out.context = out.config->max_position;
  if (suite.engine.max_context > 0) {
    out.context = out.context > 0 ? std::min(out.context, suite.engine.max_context)
                                  : suite.engine.max_context;
  }
  for (const PlannedTask& task : tasks) {
    out.tasks.push_back(preview_task(task, encoder ? &*encoder : nullptr, out.context, suite.seed));
  }
  return out;
}

}  // namespace

std::vector<ModelPreview> preview(const Suite& suite, std::span<const PlannedTask> tasks) {
  std::vector<ModelPreview> out;
  for (const SuiteModel& model : suite.models) out.push_back(preview_model(suite, model, tasks));
  return out;
}

}  // namespace assay::suites
