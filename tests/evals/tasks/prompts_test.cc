// Whole prompts, byte for byte as the reference harness builds them, worked examples included.
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "base/file.h"
#include "base/text.h"
#include "datasets/load.h"
#include "engine/chat.h"
#include "evals/benchmark.h"
#include "evals/shots.h"
#include "evals/templates.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

/// A task of prompts.jsonl, and the protocol that stands for it here.
struct Task {
  const char* name;
  const char* benchmark;
  const char* protocol;
  int prompts;
};

void PrintTo(const Task& task, std::ostream* out) { *out << task.name; }

constexpr const char* kBos = "<|begin_of_text|>";

std::string rendered(const Prompt& prompt, bool with_template) {
  if (prompt.form == PromptForm::kText) return prompt.text;
  // Without a template the reference asks the one user turn as it stands.
  if (!with_template && prompt.messages.size() == 1) return prompt.messages.front().content;
  std::vector<engine::ChatMessage> messages;
  for (const Message& message : prompt.messages)
    messages.push_back({message.role, message.content});
  // The reference renders every chat task through the template of Llama 3.1, the system block
  // included, also where our protocol leaves the block out as Meta does.
  std::string text = kBos;
  for (const engine::ChatPart& part :
       engine::render_chat(messages, {.format = engine::ChatFormat::kLlama31,
                                     .system_block = true,
                                     .assistant_prefix = prompt.assistant_prefix})) {
    text += part.text;
  }
  return text;
}

std::vector<Sample> load(const Benchmark& benchmark, const std::string& split,
                         const std::filesystem::path& data) {
  std::vector<Sample> samples;
  for (const Record& record : datasets::load_split(benchmark.manifest(), split, data).records) {
    for (Sample& sample : benchmark.to_samples(record)) samples.push_back(std::move(sample));
  }
  return samples;
}

/// As the reference names its subsets: "Counting & Probability" is "counting_and_probability".
std::string subset_name(const std::string& group) {
  return replace_all(replace_all(to_lower_ascii(group), " & ", "_and_"), " ", "_");
}

/// Index of document `doc` of `group` ("" for no groups).
std::size_t find_document(const std::vector<Sample>& samples, const std::string& group,
                          std::int64_t doc) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const bool here =
        group.empty() || samples[i].group == group || subset_name(samples[i].group) == group;
    if (here && doc-- == 0) return i;
  }
  ADD_FAILURE() << "no document in " << group;
  return 0;
}

/// The template file lacks the four worked examples of Minerva; they stand in each of the whole
/// prompts, and are taken from the first one.
Json minerva_examples(const std::vector<Json>& rows) {
  Json examples{Json::Array{}};
  for (const Json& row : rows) {
    if (row.find("task") == nullptr || row.at("task").as_string() != "minerva_math") continue;
    const std::string& prompt = row.at("prompt").as_string();
    const std::vector<std::string_view> parts = split(std::string_view(prompt), "Problem:\n");
    for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
      const std::size_t cut = parts[i].find("\n\nSolution: ");
      Json example;
      example.set("problem", std::string(parts[i].substr(0, cut)));
      const std::string_view solution = parts[i].substr(cut + 12);
      example.set("solution", std::string(solution.substr(0, solution.size() - 2)));
      examples.push_back(std::move(example));
    }
    break;
  }
  Json shots;
  shots.set("examples", std::move(examples));
  Json minerva;
  minerva.set("math_4shot", std::move(shots));
  return minerva;
}

class ReferencePrompts : public ::testing::TestWithParam<Task> {};

TEST_P(ReferencePrompts, AreEqualByteForByte) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/prompts.jsonl");
  ASSAY_SHARED_OR_SKIP(templates_path, "vectors/prompt_templates.json");
  ASSAY_SHARED_OR_SKIP(data, "datasets");
  const Task& task = GetParam();
  const Benchmark& benchmark = find_benchmark(task.benchmark);
  const Protocol& protocol = find_protocol(benchmark, task.protocol);
  const std::vector<Json> rows = test::read_jsonl(path);
  PromptTemplates templates = load_templates(templates_path);
  templates.texts.set("minerva", minerva_examples(rows));
  const std::vector<Sample> samples = load(benchmark, protocol.split, data);
  const std::vector<Sample> pool = protocol.shots.split.empty()
                                       ? std::vector<Sample>{}
                                       : load(benchmark, protocol.shots.split, data);
  const auto shots = draw_shots(protocol, samples, pool);
  int compared = 0;
  for (const Json& row : rows) {
    if (row.find("task") == nullptr || row.at("task").as_string() != task.name) continue;
    const std::size_t index =
        find_document(samples, row.at("subset").as_string(), row.at("doc").as_int());
    const PromptContext context{
        .protocol = &protocol,
        .shots = shots.empty() ? std::span<const Sample>{} : std::span<const Sample>(shots[index]),
        .templates = &templates};
    const Prompt prompt = benchmark.to_prompt(samples[index], context);
    EXPECT_EQ(rendered(prompt, std::string_view(task.name).ends_with("+chat")),
              row.at("prompt").as_string());
    std::vector<std::string> continuations;
    if (const Json* list = row.find("continuations"); list != nullptr && list->is_array()) {
      for (const Json& text : list->as_array()) continuations.push_back(text.as_string());
    }
    EXPECT_EQ(prompt.continuations, continuations);
    ++compared;
  }
  EXPECT_EQ(compared, task.prompts);
}

/// The template file with a text for every path that a protocol reads and the file lacks.
PromptTemplates completed_templates(const std::filesystem::path& path) {
  PromptTemplates templates = load_templates(path);
  const auto text = [](const char* words) {
    Json out;
    out.set("user", words);
    return out;
  };
  const auto examples = [] {
    Json example;
    example.set("problem", "1+1");
    example.set("solution", "2");
    Json out;
    out.set("examples", Json(Json::Array{example}));
    out.set("instructions", "Solve.");
    return out;
  };
  const char* choices = "{question} {A} {B} {C} {D}";
  const std::vector<std::tuple<const char*, const char*, Json>> missing = {
      {"meta", "gpqa_0shot", text(choices)},
      {"lm_eval", "gpqa_cot", text(choices)},
      {"lm_eval", "gpqa", text(choices)},
      {"helm", "gpqa", text(choices)},
      {"helm", "math_8shot", examples()},
      {"minerva", "math_4shot", examples()},
      {"lighteval", "math", text("{problem}")},
      {"opencompass", "gsm8k", text("{question}")},
      {"opencompass", "humaneval", text("{prompt}")},
      {"evalplus", "humaneval", [&] {
         Json out = text("{prompt}");
         out.set("assistant_prefix", "```python\n");
         return out;
       }()}};
  for (const auto& [group, name, value] : missing) {
    const Json* found = templates.texts.find(group);
    Json whole = found != nullptr ? *found : Json(Json::Object{});
    whole.set(name, value);
    templates.texts.set(group, std::move(whole));
  }
  return templates;
}

TEST(Protocols, OfTheDesignNoteAreAllThereAndEveryOneBuildsItsPrompt) {
  ASSAY_SHARED_OR_SKIP(templates_path, "vectors/prompt_templates.json");
  ASSAY_SHARED_OR_SKIP(data, "datasets");
  for (const char* name : {"mmlu@original",
                           "mmlu@lm-eval",
                           "mmlu@meta-5shot",
                           "mmlu@meta-cot",
                           "mmlu@simple-evals",
                           "mmlu@helm",
                           "gpqa@meta-cot",
                           "gpqa@meta",
                           "gpqa@simple-evals",
                           "gpqa@lm-eval-cot",
                           "gpqa@lm-eval",
                           "gpqa@helm",
                           "gpqa@opencompass",
                           "math@meta",
                           "math@minerva",
                           "math@simple-evals",
                           "math@lighteval",
                           "math@helm",
                           "math@lm-eval-hendrycks",
                           "gsm8k@lm-eval",
                           "gsm8k@cot",
                           "gsm8k@cot-0shot",
                           "gsm8k@cot-llama",
                           "gsm8k@meta",
                           "gsm8k@helm",
                           "gsm8k@opencompass",
                           "gsm8k@original",
                           "mgsm@meta",
                           "mgsm@simple-evals",
                           "humaneval@meta",
                           "humaneval@completion",
                           "humaneval@evalplus",
                           "humaneval@simple-evals"}) {
    const TaskName parsed = parse_task_name(name);
    EXPECT_NO_THROW((void)find_protocol(find_benchmark(parsed.task), parsed.protocol)) << name;
  }
  const PromptTemplates templates = completed_templates(templates_path);
  for (const Benchmark* benchmark : all_benchmarks()) {
    for (const Protocol& protocol : benchmark->protocols()) {
      const std::string what = std::string(benchmark->name()) + "@" + protocol.name;
      std::vector<Sample> samples = load(*benchmark, protocol.split, data);
      samples.resize(3);
      const std::vector<Sample> pool = protocol.shots.split.empty()
                                           ? std::vector<Sample>{}
                                           : load(*benchmark, protocol.shots.split, data);
      const auto shots = draw_shots(protocol, samples, pool);
      PromptContext context{.protocol = &protocol, .shots = {}, .templates = &templates};
      if (!shots.empty()) context.shots = shots[0];
      const Prompt prompt = benchmark->to_prompt(samples[0], context);
      const std::string whole =
          prompt.text + (prompt.messages.empty() ? "" : prompt.messages.back().content);
      EXPECT_FALSE(whole.empty()) << what;
      context.templates = nullptr;
      if (!protocol.needs_templates) {
        EXPECT_EQ(benchmark->to_prompt(samples[0], context), prompt) << what;
      } else {
        EXPECT_NE(test::error_message([&] { (void)benchmark->to_prompt(samples[0], context); }), "")
            << what;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    LmEval, ReferencePrompts,
    ::testing::Values(Task{"mmlu", "mmlu", "lm-eval", 6},
                      Task{"mmlu_0shot", "mmlu", "lm-eval-0shot", 12},
                      Task{"mmlu+chat", "mmlu", "lm-eval-chat", 6},
                      Task{"mmlu_llama+chat", "mmlu", "lm-eval-llama", 6},
                      Task{"mmlu_cot_llama+chat", "mmlu", "lm-eval-cot-llama", 6},
                      Task{"gsm8k", "gsm8k", "lm-eval", 2}, Task{"gsm8k_cot", "gsm8k", "cot", 2},
                      Task{"gsm8k_cot_zeroshot", "gsm8k", "cot-0shot", 2},
                      Task{"gsm8k_cot_llama+chat", "gsm8k", "cot-llama", 2},
                      Task{"gsm8k_llama+chat", "gsm8k", "meta", 2},
                      Task{"mgsm_native_cot", "mgsm", "native-cot", 11},
                      Task{"mgsm_native_cot_0shot", "mgsm", "native-cot-0shot", 11},
                      Task{"mgsm_en_cot", "mgsm", "en-cot", 11},
                      Task{"mgsm_direct", "mgsm", "direct", 11}, Task{"ifeval", "ifeval", "", 2},
                      Task{"ifeval+chat", "ifeval", "", 2},
                      Task{"minerva_math", "math", "minerva", 7},
                      Task{"minerva_math+chat", "math", "minerva-chat", 7},
                      Task{"hendrycks_math", "math", "lm-eval-hendrycks", 7},
                      Task{"humaneval", "humaneval", "completion", 2},
                      Task{"humaneval_instruct+chat", "humaneval", "lm-eval-instruct", 2},
                      Task{"humaneval_instruct", "humaneval", "lm-eval-instruct-text", 2}));

}  // namespace
}  // namespace assay::evals
