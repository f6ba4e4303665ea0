#include "suites/bench/workload.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "base/file.h"
#include "base/object_reader.h"
#include "base/random.h"
#include "base/text.h"
#include "engine/prompt_encoder.h"

namespace assay::suites {
namespace {

constexpr std::int64_t kMostTokens = 1 << 24;
constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 20;

std::uint64_t key_of(const Workload& workload, std::int64_t index, const char* what) {
  SplitMix64 mix(workload.seed ^ fnv1a(what));
  mix = SplitMix64(mix() ^ workload.stream * 0x9E3779B97F4A7C15ULL);
  return SplitMix64(mix() ^ static_cast<std::uint64_t>(index))();
}

}  // namespace

std::vector<RequestLength> read_lengths(const std::filesystem::path& file) {
  const std::string text = read_file(file, kMostBytes);
  std::vector<RequestLength> out;
  std::int64_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (trim_ascii(line).empty()) continue;
    const JsonSource source{fmt::format("{}:{}", escaped(file.string(), 400), number),
                            std::string(line)};
    const Json json = parse_json(source.text, source.name);
    ObjectReader reader(json, source, "");
    (void)reader.required("input");
    (void)reader.required("output");
    out.push_back({.input = reader.integer("input", 1, 1, kMostTokens),
                   .output = reader.integer("output", 1, 1, kMostTokens)});
    reader.finish();
  }
  if (out.empty()) {
    throw_input("{}: no line {{\"input\": tokens, \"output\": tokens}}", file.string());
  }
  return out;
}

std::vector<RequestLength> stored_lengths(const store::Store& store, const store::RunRecord& run) {
  std::vector<RequestLength> out;
  for (const store::RunTaskRecord& task : store.load_tasks(run.row)) {
    store.for_each_sample(task.row, {.texts = false}, [&](const store::SampleRecord& sample) {
      const store::GenerationRecord& g = sample.generation;
      if (g.prompt_tokens > 0 && g.output_tokens > 0) {
        out.push_back({.input = g.prompt_tokens, .output = g.output_tokens});
      }
      return true;
    });
  }
  if (out.empty()) throw_input("run {}: no generated responses to take lengths from", run.name);
  return out;
}

Vocabulary vocabulary_of(const engine::Session& session) {
  const engine::PromptEncoder* encoder = session.encoder();
  if (encoder == nullptr) return {.first_id = 100, .ids = 9900};
  // Special tokens stand at the end of the tables of the families served; a random one is harmless.
  return {.first_id = 0, .ids = encoder->tokenizer().vocab_size()};
}

RequestLength length_of(const Workload& workload, std::int64_t index) {
  ASSAY_CHECK(!workload.lengths.empty(), "a workload without lengths");
  if (workload.lengths.size() == 1) return workload.lengths.front();
  SplitMix64 random(key_of(workload, index, "length"));
  return workload.lengths[random.below(workload.lengths.size())];
}

engine::Request request_of(const Workload& workload, std::int64_t index) {
  const RequestLength length = length_of(workload, index);
  engine::Request out;
  out.id = fmt::format("bench/{}/{}", workload.stream, index);
  out.prompt.form = engine::PromptInput::Form::kIds;
  SplitMix64 random(key_of(workload, index, "prompt"));
  out.prompt.ids.reserve(static_cast<std::size_t>(length.input));
  for (std::int64_t i = 0; i < length.input; ++i) {
    out.prompt.ids.push_back(static_cast<engine::TokenId>(
        workload.vocabulary.first_id + static_cast<std::int64_t>(random.below(
                                           static_cast<std::uint64_t>(workload.vocabulary.ids)))));
  }
  out.sampling.max_tokens = length.output;
  out.sampling.ignore_eos = true;
  out.sampling.seed = workload.seed;
  return out;
}

}  // namespace assay::suites
