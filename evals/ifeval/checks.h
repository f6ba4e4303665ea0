// The checkers by kind, for the table in instruction.cc. `text` is not blank.
#pragma once

#include "evals/ifeval/instruction.h"

namespace assay::evals {

using CheckText = std::u32string_view;

Followed check_existence(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_frequency(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_forbidden(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_letters(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_language(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_sentences(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_words(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_capital_words(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_upper(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_lower(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_no_comma(const Instruction& in, CheckText text, const LanguageData* data);

Followed check_paragraphs(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_first_word(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_placeholders(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_postscript(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_bullets(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_constrained(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_highlights(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_sections(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_json(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_title(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_two_responses(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_repeat(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_end(const Instruction& in, CheckText text, const LanguageData* data);
Followed check_quotation(const Instruction& in, CheckText text, const LanguageData* data);

}  // namespace assay::evals
