#include "evals/ifeval/instruction.h"

#include <array>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/python_text.h"
#include "evals/ifeval/checks.h"

namespace assay::evals {

namespace {

// Names of the arguments each checker needs; "" for none.
struct Kind {
  std::string_view id;
  Check check;
  std::string_view count = {};
  std::string_view relation = {};
  std::string_view text = {};
  std::string_view list = {};
  std::string_view nth = {};
};

constexpr std::string_view kFirstWord = "length_constraints:nth_paragraph_first_word";

const std::array<Kind, 25>& kinds() {
  static const std::array<Kind, 25> kAll = {{
      {"keywords:existence", check_existence, "", "", "", "keywords"},
      {"keywords:frequency", check_frequency, "frequency", "relation", "keyword"},
      {"keywords:forbidden_words", check_forbidden, "", "", "", "forbidden_words"},
      {"keywords:letter_frequency", check_letters, "let_frequency", "let_relation", "letter"},
      {"language:response_language", check_language, "", "", "language"},
      {"length_constraints:number_sentences", check_sentences, "num_sentences", "relation"},
      {"length_constraints:number_paragraphs", check_paragraphs, "num_paragraphs"},
      {"length_constraints:number_words", check_words, "num_words", "relation"},
      {kFirstWord, check_first_word, "num_paragraphs", "", "first_word", "", "nth_paragraph"},
      {"detectable_content:number_placeholders", check_placeholders, "num_placeholders"},
      {"detectable_content:postscript", check_postscript, "", "", "postscript_marker"},
      {"detectable_format:number_bullet_lists", check_bullets, "num_bullets"},
      {"detectable_format:constrained_response", check_constrained},
      {"detectable_format:number_highlighted_sections", check_highlights, "num_highlights"},
      {"detectable_format:multiple_sections", check_sections, "num_sections", "",
       "section_spliter"},
      {"detectable_format:json_format", check_json},
      {"detectable_format:title", check_title},
      {"combination:two_responses", check_two_responses},
      {"combination:repeat_prompt", check_repeat, "", "", "prompt_to_repeat"},
      {"startend:end_checker", check_end, "", "", "end_phrase"},
      {"startend:quotation", check_quotation},
      {"change_case:capital_word_frequency", check_capital_words, "capital_frequency",
       "capital_relation"},
      {"change_case:english_capital", check_upper},
      {"change_case:english_lowercase", check_lower},
      {"punctuation:no_comma", check_no_comma},
  }};
  return kAll;
}

const Json& needed(const Json& arguments, std::string_view name, std::string_view where) {
  const Json* found = arguments.find(name);
  if (found == nullptr || found->is_null()) throw_input("{}: {} is missing", where, name);
  return *found;
}

std::int64_t whole(const Json& value, std::string_view name, std::string_view where) {
  const double number = value.as_double();
  if (number < 1 || number > 1e9 || number != std::floor(number)) {
    throw_input("{}: {}: expected a whole number from 1", where, name);
  }
  return static_cast<std::int64_t>(number);
}

}  // namespace

Instruction parse_instruction(const std::string& id, const Json& arguments,
                              std::string_view /*prompt*/, std::string_view place) {
  const std::string where = fmt::format("{}: {}", place, escaped(id));
  for (const Kind& kind : kinds()) {
    if (kind.id != id) continue;
    Instruction out{.id = id, .check = kind.check};
    if (!kind.count.empty()) {
      out.count = whole(needed(arguments, kind.count, where), kind.count, where);
    }
    if (!kind.nth.empty()) out.nth = whole(needed(arguments, kind.nth, where), kind.nth, where);
    if (!kind.relation.empty()) {
      const std::string& relation = needed(arguments, kind.relation, where).as_string();
      out.less_than = relation == "less than";
      if (!out.less_than && relation != "at least") {
        throw_input("{}: {}: expected \"less than\" or \"at least\"", where, kind.relation);
      }
    }
    if (!kind.text.empty()) {
      out.text = to_code_points(needed(arguments, kind.text, where).as_string());
      if (out.text.empty()) throw_input("{}: {} is empty", where, kind.text);
    }
    if (!kind.list.empty()) {
      for (const Json& word : needed(arguments, kind.list, where).as_array()) {
        out.list.push_back(to_code_points(word.as_string()));
      }
    }
    return out;
  }
  throw_input("{}: unknown instruction", where);
}

bool is_random_upstream(const Instruction& instruction) {
  if (instruction.id != "keywords:letter_frequency") return false;
  const char32_t c = instruction.text[0] | 0x20U;
  return instruction.text.size() != 1 || c < U'a' || c > U'z';
}

Followed follows_strict(const Instruction& instruction, std::u32string_view response,
                        const LanguageData* data) {
  if (python_is_blank(response)) return Followed::kNo;
  return instruction.check(instruction, response, data);
}

Followed follows_loose(const Instruction& instruction, std::u32string_view response,
                       const LanguageData* data) {
  using View = std::u32string_view;
  const auto cut = [](View text, bool first, bool last) {
    const std::size_t start = text.find(U'\n');
    const std::size_t end = text.rfind(U'\n');
    if (start == View::npos || (first && last && start == end)) return View();
    if (last) text = text.substr(0, end);
    if (first) text = text.substr(start + 1);
    return python_strip(text);
  };
  Followed best = Followed::kNo;
  for (const View text : {response, cut(response, true, false), cut(response, false, true),
                          cut(response, true, true)}) {
    for (const bool stars : {true, false}) {
      if (!stars && text.find(U'*') == View::npos) continue;
      const std::u32string variant = stars ? std::u32string(text) : python_replace(text, U"*", U"");
      const Followed found = follows_strict(instruction, variant, data);
      if (found == Followed::kYes) return found;
      if (found == Followed::kUnknown) best = found;
    }
  }
  return best;
}

}  // namespace assay::evals
