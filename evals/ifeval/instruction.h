// The 25 verifiable instructions of IFEval and their checkers, strict and loose.
// Source: Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models"; the
// published behaviour of its checkers, written down in docs/ifeval.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "evals/ifeval/language_data.h"

namespace assay::evals {

enum class Followed {
  kNo,
  kYes,
  kUnknown,  // the check could not be made: language data missing, or a pattern too costly
};

struct Instruction;
using Check = Followed (*)(const Instruction&, std::u32string_view, const LanguageData*);

struct Instruction {
  std::string id;  // "punctuation:no_comma"
  Check check = nullptr;
  std::int64_t count = 0;            // the number asked for
  std::int64_t nth = 0;              // nth_paragraph_first_word: from 1
  bool less_than = false;            // relation; else "at least"
  std::u32string text;               // phrase, letter, marker, language code, prompt
  std::vector<std::u32string> list;  // keywords
};

/// From the data's id and arguments; null, zero and empty arguments count as missing, floats with
/// an integer value as integers. Throws: Error(kInput) starting with `place`.
Instruction parse_instruction(const std::string& id, const Json& arguments, std::string_view prompt,
                              std::string_view place);

/// Whether the published checker draws a random letter instead of checking (keys 1122 and 1129).
bool is_random_upstream(const Instruction& instruction);

/// A blank response follows nothing. Total.
Followed follows_strict(const Instruction& instruction, std::u32string_view response,
                        const LanguageData* data);
/// Holds for any of eight variants: without asterisks, first line, last line, both.
Followed follows_loose(const Instruction& instruction, std::u32string_view response,
                       const LanguageData* data);

/// Whether Python's json.loads accepts the text (NaN, bare scalars and duplicate keys included).
bool is_python_json(std::u32string_view text);
/// Non-overlapping matches of a Python regular expression; -1 when it is malformed or too costly.
std::int64_t count_matches(std::u32string_view pattern, std::u32string_view text, bool fold_case,
                           bool whole_words = false);

}  // namespace assay::evals
