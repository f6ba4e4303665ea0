#include "evals/published.h"

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "evals/extract/python_text.h"

namespace assay::evals {
namespace {

constexpr std::string_view kBos = "<|begin_of_text|>";
constexpr std::string_view kUserHeader = "<|start_header_id|>user<|end_header_id|>\n\n";

/// Runs of white space as one blank, none at the ends.
std::string folded(std::string_view text) {
  std::string out;
  const std::u32string points = to_code_points(text);
  for (const std::u32string_view word : python_split(points)) {
    out += (out.empty() ? "" : " ") + to_utf8(word);
  }
  return out;
}

std::string text_member(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value != nullptr && value->is_array() && !value->as_array().empty()) {
    value = &value->as_array().front();
  }
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

std::optional<bool> verdict_member(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->as_bool();
  if (value->is_number()) return value->as_double() >= 0.5;
  return std::nullopt;
}

void set_prompt(PublishedItem& item, std::string prompt) {
  if (prompt.starts_with(kBos)) prompt.erase(0, kBos.size());
  item.rendered = prompt.find("<|start_header_id|>") != std::string::npos;
  item.prompt = std::move(prompt);
}

PublishedItem meta_item(const Json& row, const std::string& place) {
  PublishedItem item;
  item.task = text_member(row, "subtask_name");
  item.question = text_member(row, "input_question");
  const std::string prompt = text_member(row, "input_final_prompts");
  if (prompt.empty()) throw_input("{}: no text in \"input_final_prompts\"", place);
  const std::string digest = text_member(row, "input_final_prompts_hash");
  if (!digest.empty() && to_lower_ascii(digest) != sha256_hex(prompt)) {
    throw_input("{}: \"input_final_prompts_hash\" is not the SHA-256 of the prompt", place);
  }
  set_prompt(item, prompt);
  if (const Json* choices = row.find("input_choice_list");
      choices != nullptr && choices->is_object()) {
    for (const auto& [letter, text] : choices->as_object()) {
      if (text.is_string()) item.choices.push_back(text.as_string());
    }
  }
  if (row.find("output_prediction_text") != nullptr) {
    item.response = text_member(row, "output_prediction_text");
  }
  item.answer = text_member(row, "output_parsed_answer");
  item.correct = verdict_member(row, "is_correct");
  return item;
}

/// Arguments of one request: [prompt, continuation or settings] or {"arg_0": .., "arg_1": ..}.
std::pair<std::string, std::string> arguments_of(const Json& request) {
  const auto text = [](const Json* value) {
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  };
  if (request.is_array()) {
    const Json::Array& list = request.as_array();
    return {text(!list.empty() ? list.data() : nullptr),
            text(list.size() > 1 ? &list[1] : nullptr)};
  }
  return {text(request.find("arg_0")), text(request.find("arg_1"))};
}

PublishedItem lm_eval_item(const Json& row, const std::string& place) {
  PublishedItem item;
  const Json& doc = row.at("doc");
  for (const char* key : {"question", "Question", "problem", "prompt", "input"}) {
    if (item.question.empty()) item.question = text_member(doc, key);
  }
  item.task = text_member(doc, "subject");
  if (const Json* choices = doc.find("choices"); choices != nullptr && choices->is_array()) {
    for (const Json& text : choices->as_array()) {
      if (text.is_string()) item.choices.push_back(text.as_string());
    }
  }
  std::vector<const Json*> requests;
  const Json& arguments = row.at("arguments");
  if (arguments.is_array()) {
    for (const Json& request : arguments.as_array()) requests.push_back(&request);
  } else if (arguments.is_object()) {
    for (const auto& [name, request] : arguments.as_object()) requests.push_back(&request);
  }
  if (requests.empty()) throw_input("{}: no requests in \"arguments\"", place);
  set_prompt(item, arguments_of(*requests.front()).first);
  if (item.prompt.empty()) throw_input("{}: no prompt in \"arguments\"", place);
  for (const Json* request : requests) {
    const std::string continuation = arguments_of(*request).second;
    if (!continuation.empty()) item.continuations.push_back(continuation);
  }
  if (const Json* answers = row.find("resps"); answers != nullptr && answers->is_array() &&
                                               !answers->as_array().empty() &&
                                               item.continuations.empty()) {
    const Json& first = answers->as_array().front();
    if (first.is_array() && !first.as_array().empty() && first.as_array().front().is_string()) {
      item.response = first.as_array().front().as_string();
    }
  }
  item.answer = text_member(row, "filtered_resps");
  for (const char* metric : {"exact_match", "acc", "pass@1", "prompt_level_strict_acc"}) {
    if (!item.correct) item.correct = verdict_member(row, metric);
  }
  return item;
}

bool is_meta(const Json& row) { return row.find("input_final_prompts") != nullptr; }
bool is_lm_eval(const Json& row) {
  return row.find("doc") != nullptr && row.find("arguments") != nullptr;
}

/// Text of the last user turn of a rendered prompt; "" for none.
std::string last_user_turn(const PublishedItem& item) {
  const std::size_t start = item.prompt.rfind(kUserHeader);
  if (start == std::string::npos) return "";
  const std::size_t from = start + kUserHeader.size();
  return item.prompt.substr(from, item.prompt.find("<|eot_id|>", from) - from);
}

bool same_choices(const PublishedItem& item, const datasets::Sample& sample) {
  std::vector<std::string> theirs;
  std::vector<std::string> ours;
  for (const std::string& choice : item.choices) theirs.push_back(folded(choice));
  for (const std::string& choice : sample.choices) ours.push_back(folded(choice));
  std::ranges::sort(theirs);
  std::ranges::sort(ours);
  return theirs == ours;
}

}  // namespace

bool PublishedSet::looks_published(std::string_view text) {
  const std::string_view line = trim_ascii(text.substr(0, text.find('\n')));
  if (!line.starts_with('{') || !line.ends_with('}')) return false;
  try {
    const Json row = parse_json(line, "first line");
    return is_meta(row) || is_lm_eval(row);
  } catch (const Error&) {
    return false;  // a document over several lines is no JSON Lines file
  }
}

PublishedSet::PublishedSet(std::string_view text, const std::string& source) : source_(source) {
  std::int64_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (trim_ascii(line).empty()) continue;
    const std::string place = fmt::format("{}:{}", source, number);
    const Json row = parse_json(line, place);
    if (!is_meta(row) && !is_lm_eval(row)) {
      throw_input("{}: neither \"input_final_prompts\" nor \"doc\" and \"arguments\"", place);
    }
    PublishedItem item = is_meta(row) ? meta_item(row, place) : lm_eval_item(row, place);
    item.line = number;
    items_.push_back(std::move(item));
    index(items_.back().question, items_.size() - 1);
    index(last_user_turn(items_.back()), items_.size() - 1);
  }
  if (items_.empty()) throw_input("{}: no published samples", source);
}

void PublishedSet::index(const std::string& text, std::size_t item) {
  std::string key = folded(text);
  if (key.empty()) return;
  std::vector<std::size_t>& entry = by_question_[std::move(key)];
  if (entry.empty() || entry.back() != item) entry.push_back(item);
}

const PublishedItem* PublishedSet::find(const datasets::Sample& sample) const {
  const auto found = by_question_.find(folded(sample.question));
  if (found == by_question_.end()) return nullptr;
  const PublishedItem* best = nullptr;
  int best_rank = -1;
  for (const std::size_t index : found->second) {
    const PublishedItem& item = items_[index];
    const bool group = !sample.group.empty() && item.task.find(sample.group) != std::string::npos;
    const int rank = (same_choices(item, sample) ? 2 : 0) + (group ? 1 : 0);
    if (rank > best_rank) {
      best = &item;
      best_rank = rank;
    }
  }
  return best;
}

Prompt PublishedSet::prompt(const datasets::Sample& sample) const {
  const PublishedItem* item = find(sample);
  if (item == nullptr) {
    throw_input("{}: no published prompt for {}: no item has its question", source_, sample.id);
  }
  return {.form = item->rendered ? PromptForm::kRendered : PromptForm::kText,
          .text = item->prompt,
          .continuations = item->continuations};
}

datasets::Sample PublishedSet::annotated(datasets::Sample sample) const {
  const PublishedItem* item = find(sample);
  if (item == nullptr || item->choices.empty()) return sample;
  Json shown{Json::Array{}};
  for (const std::string& choice : item->choices) shown.push_back(choice);
  sample.extra.set("shown_choices", std::move(shown));
  return sample;
}

}  // namespace assay::evals
