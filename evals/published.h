// Published per-sample results as data: prompts, responses and verdicts of others, joined with our
// samples by the text of the question. Two forms: Meta's "-evals" sets as JSON Lines, and sample
// logs of lm-evaluation-harness. docs/prompts.md describes both. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/sample.h"
#include "evals/prompt.h"

namespace assay::evals {

struct PublishedItem {
  std::string task;  // subtask or task name as it stands in the file; "" where there is none
  std::string question;
  std::vector<std::string> choices;        // in the order shown; empty where there are none
  std::string prompt;                      // whole, without BOS
  bool rendered = false;                   // the prompt holds header tokens
  std::vector<std::string> continuations;  // for likelihood tasks
  std::optional<std::string> response;
  std::string answer;           // as the publisher extracted it
  std::optional<bool> correct;  // the publisher's verdict
  std::int64_t line = 0;        // in the file
};

class PublishedSet {
 public:
  /// Whether the first line of a file is an item of one of the two forms.
  static bool looks_published(std::string_view text);
  /// Throws: Error(kInput) "source:line: reason" for a line that does not fit, for a prompt whose
  /// published digest is another, and for a file without items.
  PublishedSet(std::string_view text, const std::string& source);

  [[nodiscard]] const std::vector<PublishedItem>& items() const { return items_; }
  /// By question with white space folded; of several by choices, then by group, then in order.
  [[nodiscard]] const PublishedItem* find(const datasets::Sample& sample) const;
  /// The published prompt. Throws: Error(kInput) naming file and sample when there is none.
  [[nodiscard]] Prompt prompt(const datasets::Sample& sample) const;
  /// `sample` with what scoring needs of the published order of choices (`extra.shown_choices`).
  [[nodiscard]] datasets::Sample annotated(datasets::Sample sample) const;

 private:
  void index(const std::string& text, std::size_t item);

  std::string source_;
  std::vector<PublishedItem> items_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_question_;
};

}  // namespace assay::evals
