#include "evals/humaneval/protocols.h"

#include <string>
#include <vector>

#include "evals/humaneval/reference_code.h"
#include "evals/protocol_table.h"

namespace assay::evals::humaneval {
namespace {

using Entry = ProtocolEntry<Rules>;

const std::vector<std::string>& completion_stops() {
  static const std::vector<std::string> kStops = {"\nclass", "\ndef", "\n#", "\nif", "\nprint"};
  return kStops;
}

Code completion(std::string_view response, const Problem& problem) {
  return raw_program(response, problem, completion_stops());
}

/// The prompt with what `rule` takes from the answer behind it.
template <std::string (*rule)(std::string_view)>
Code appended(std::string_view response, const Problem& problem) {
  return {std::string(problem.prompt) + rule(response), "appended to the prompt"};
}

Code evalplus_program(std::string_view response, const Problem& /*problem*/) {
  return {evalplus_code(response), "longest program in the answer"};
}

Protocol make(std::string name, std::string title, SamplingDefaults sampling) {
  Protocol protocol{.name = std::move(name),
                    .title = std::move(title),
                    .shots = {},
                    .sampling = sampling,
                    .metrics = {}};
  for (const int k : {1, 2, 5, 10, 100}) {
    protocol.metrics.push_back({.name = "pass@" + std::to_string(k),
                                .kind = MetricKind::kPassAtK,
                                .part = "pass",
                                .k = k,
                                .of = {}});
  }
  return protocol;
}

Protocol own() {
  Protocol protocol =
      make("assay", "our own words as a chat turn; code from the answer's fence", limits(1024));
  protocol.version = 2;  // 2: without a fence the longest prefix that is a program
  return protocol;
}

std::vector<Entry> own_and_completion() {
  return {
      {own(), {.layout = Layout::kOwn, .program = own_program}},
      {make("completion", "the bare prompt for base models, the original's stop strings",
            limits(1024, completion_stops())),
       {.layout = Layout::kPrompt, .program = completion}},
      {make("bigcode", "bigcode-evaluation-harness: the stripped prompt, its stop strings",
            limits(1024,
                   {"\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```", "<file_sep>"})),
       {.layout = Layout::kPrompt, .program = appended<bigcode_completion>, .strip_prompt = true}},
  };
}

/// Wording of others; the extraction decides more than the words.
std::vector<Entry> turns() {
  constexpr std::string_view kOpenCompass = "opencompass.humaneval";
  const SamplingDefaults lm_eval = limits(1024, completion_stops());
  return {
      {with_file(make("meta", "Meta's wording, the prompt repeated in an opened fence",
                      limits(1024, {"```"}))),
       {.layout = Layout::kPrefixTurn, .program = own_program, .template_path = "meta.humaneval"}},
      {with_file(
           make("simple-evals", "simple-evals' sentence; its own way to the body", limits(1024))),
       {.layout = Layout::kTurn,
        .program = appended<simple_evals_completion>,
        .template_path = "simple_evals.humaneval",
        .bare_chat = false}},
      {with_file(make("lm-eval-instruct",
                      "lm-eval humaneval_instruct: Meta's wording, cut at a fence", lm_eval)),
       {.layout = Layout::kPrefixTurn,
        .program = appended<until_fence>,
        .template_path = "meta.humaneval",
        .bare_chat = false,
        .strip_prefix = true}},
      {with_file(make("lm-eval-instruct-text", "the same without a chat template", lm_eval)),
       {.layout = Layout::kPlainTurn,
        .program = appended<until_fence>,
        .template_path = "meta.humaneval"}},
      {with_file(make("evalplus", "EvalPlus: an opened fence, the longest program counts",
                      limits(768, {"\n```\n"}))),
       {.layout = Layout::kPrefixTurn,
        .program = evalplus_program,
        .template_path = "evalplus.humaneval",
        .bare_chat = false}},
      {with_file(make("opencompass", "OpenCompass: first fenced block", limits(1024))),
       {.layout = Layout::kTurn,
        .program = appended<opencompass_v2>,
        .template_path = kOpenCompass,
        .bare_chat = false}},
      {with_file(make("opencompass-v3", "OpenCompass: last fenced block", limits(1024))),
       {.layout = Layout::kTurn,
        .program = appended<opencompass_v3>,
        .template_path = kOpenCompass,
        .bare_chat = false}},
      {with_file(make("opencompass-internal-v1", "OpenCompass: signature and blank lines dropped",
                      limits(1024))),
       {.layout = Layout::kTurn,
        .program = appended<opencompass_internal_v1>,
        .template_path = kOpenCompass,
        .bare_chat = false}},
      {with_file(make("opencompass-internal-v2", "OpenCompass: the indented lines at the start",
                      limits(1024))),
       {.layout = Layout::kTurn,
        .program = appended<opencompass_internal_v2>,
        .template_path = kOpenCompass,
        .bare_chat = false}},
  };
}

const ProtocolTable<Rules>& table() {
  static const ProtocolTable<Rules> kTable(joined(own_and_completion(), turns()));
  return kTable;
}

}  // namespace

std::span<const Protocol> protocols() { return table().protocols(); }

const Rules& rules_of(const Protocol* protocol) { return table().of(protocol); }

}  // namespace assay::evals::humaneval
