// Checkers that look at the form of the response: sections, lists, marks, ends.
#include <algorithm>

#include "evals/extract/python_text.h"
#include "evals/ifeval/checks.h"

namespace assay::evals {

namespace {

constexpr std::size_t kNone = CheckText::npos;

Followed followed(bool holds) { return holds ? Followed::kYes : Followed::kNo; }
Followed at_least(const Instruction& in, std::int64_t found) { return followed(found >= in.count); }

CheckText strip_of(CheckText text, char32_t c, bool left, bool right) {
  while (left && !text.empty() && text.front() == c) text.remove_prefix(1);
  while (right && !text.empty() && text.back() == c) text.remove_suffix(1);
  return text;
}

// Pieces that are not blank; a blank one between others is an error (`broken`).
std::vector<CheckText> filled(CheckText text, CheckText separator, bool& broken) {
  const std::vector<CheckText> pieces = python_split(text, separator);
  std::vector<CheckText> out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!python_is_blank(pieces[i])) {
      out.push_back(pieces[i]);
    } else if (i != 0 && i + 1 != pieces.size()) {
      broken = true;
    }
  }
  return out;
}

// Lines that start, after white space of any kind, with `mark`; a star needs a character behind it
// that is no star, which may be the line's end and then takes the next line with it.
std::int64_t bullets(CheckText text, char32_t mark) {
  std::int64_t count = 0;
  for (std::size_t line = 0; line <= text.size();) {
    std::size_t at = line;
    while (at < text.size() && python_is_space(text[at])) ++at;
    const bool found = at < text.size() && text[at] == mark &&
                       (mark != U'*' || (at + 1 < text.size() && text[at + 1] != U'*'));
    count += found ? 1 : 0;
    const std::size_t from = found && mark == U'*' ? at + 2 : at;
    if (found && from > 0 && from <= text.size() && text[from - 1] == U'\n' && mark == U'*') {
      const std::size_t end = text.find(U'\n', from);
      if (end == kNone) break;
      line = end + 1;
      continue;
    }
    const std::size_t end = text.find(U'\n', from);
    if (end == kNone) break;
    line = end + 1;
  }
  return count;
}

// Non-overlapping stretches between two fences of `width` stars, without a line break or star
// inside; counts those whose inside is not blank.
std::int64_t highlights(CheckText text, std::size_t width) {
  std::int64_t count = 0;
  const std::u32string fence(width, U'*');
  for (std::size_t at = text.find(fence); at != kNone;) {
    const std::size_t end = text.find_first_of(U"*\n", at + width);
    if (end == kNone) break;
    if (text.substr(end).starts_with(fence)) {
      count += python_is_blank(text.substr(at + width, end - at - width)) ? 0 : 1;
      at = text.find(fence, end + width);
    } else {
      at = text.find(fence, at + 1);
    }
  }
  return count;
}

}  // namespace

Followed check_paragraphs(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  bool broken = false;
  const std::size_t count = filled(text, U"***", broken).size();
  return followed(!broken && static_cast<std::int64_t>(count) == in.count);
}

Followed check_first_word(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  const std::vector<CheckText> pieces = python_split(text, U"\n\n");
  const std::int64_t count =
      std::count_if(pieces.begin(), pieces.end(), [](CheckText p) { return !python_is_blank(p); });
  if (in.nth > count || count != in.count) return Followed::kNo;
  const std::vector<CheckText> words = python_split(pieces[static_cast<std::size_t>(in.nth - 1)]);
  if (words.empty()) return Followed::kNo;
  const CheckText word = strip_of(strip_of(words[0], U'\'', true, false), U'"', true, false);
  std::u32string first;
  for (const char32_t c : word.substr(0, word.find_first_of(U".,?!'\""))) {
    first += python_lower(CheckText(&c, 1));
  }
  return followed(first == python_lower(in.text));
}

Followed check_placeholders(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  std::int64_t count = 0;
  for (const CheckText line : python_split(text, U"\n")) {
    for (std::size_t open = line.find(U'['); open != kNone;) {
      const std::size_t close = line.find(U']', open);
      if (close == kNone) break;
      ++count;
      open = line.find(U'[', close);
    }
  }
  return at_least(in, count);
}

Followed check_postscript(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  const std::u32string lower = python_lower(text);
  const bool twice = in.text == U"P.P.S";
  if (!twice && in.text != U"P.S.") {
    const std::int64_t found = count_matches(python_lower(in.text), lower, false);
    return found < 0 ? Followed::kUnknown : followed(found > 0);
  }
  for (std::size_t start = lower.find(U"p."); start != kNone;
       start = lower.find(U"p.", start + 1)) {
    std::size_t at = start + 2;
    const auto skip = [&] { at += at < lower.size() && python_is_space(lower[at]) ? 1 : 0; };
    skip();
    if (twice) {
      if (!CheckText(lower).substr(at).starts_with(U"p.")) continue;
      at += 2;
      skip();
    }
    if (CheckText(lower).substr(at).starts_with(twice ? U"s" : U"s.")) return Followed::kYes;
  }
  return Followed::kNo;
}

Followed check_bullets(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  return followed(bullets(text, U'*') + bullets(text, U'-') == in.count);
}

Followed check_constrained(const Instruction& /*in*/, CheckText text,
                           const LanguageData* /*data*/) {
  const CheckText stripped = python_strip(text);
  return followed(stripped.find(U"My answer is yes.") != kNone ||
                  stripped.find(U"My answer is no.") != kNone ||
                  stripped.find(U"My answer is maybe.") != kNone);
}

Followed check_highlights(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  return at_least(in, highlights(text, 1) + highlights(text, 2));
}

Followed check_sections(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  const std::int64_t found = count_matches(U"\\s?" + in.text + U"\\s?\\d+\\s?", text, false);
  return found < 0 ? Followed::kUnknown : at_least(in, found);
}

Followed check_json(const Instruction& /*in*/, CheckText text, const LanguageData* /*data*/) {
  CheckText body = python_strip(text);
  for (const CheckText fence : {U"```json", U"```Json", U"```JSON", U"```"}) {
    if (body.starts_with(fence)) body.remove_prefix(fence.size());
  }
  if (body.ends_with(U"```")) body.remove_suffix(3);
  return followed(is_python_json(python_strip(body)));
}

Followed check_title(const Instruction& /*in*/, CheckText text, const LanguageData* /*data*/) {
  for (const CheckText line : python_split(text, U"\n")) {
    const std::size_t open = line.find(U"<<");
    const std::size_t close = line.rfind(U">>");
    if (open == kNone || close == kNone || close < open + 3) continue;
    const CheckText whole = line.substr(open, close + 2 - open);
    const CheckText inside = strip_of(strip_of(whole, U'<', true, false), U'>', false, true);
    if (!python_is_blank(inside)) return Followed::kYes;
  }
  return Followed::kNo;
}

Followed check_two_responses(const Instruction& /*in*/, CheckText text,
                             const LanguageData* /*data*/) {
  bool broken = false;
  const std::vector<CheckText> pieces = filled(text, U"******", broken);
  return followed(!broken && pieces.size() == 2 &&
                  python_strip(pieces[0]) != python_strip(pieces[1]));
}

Followed check_repeat(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  return followed(
      python_lower(python_strip(text)).starts_with(python_lower(python_strip(CheckText(in.text)))));
}

Followed check_end(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  const CheckText stripped = strip_of(python_strip(text), U'"', true, true);
  return followed(python_lower(stripped).ends_with(python_lower(python_strip(CheckText(in.text)))));
}

Followed check_quotation(const Instruction& /*in*/, CheckText text, const LanguageData* /*data*/) {
  const CheckText stripped = python_strip(text);
  return followed(stripped.size() > 1 && stripped.front() == U'"' && stripped.back() == U'"');
}

}  // namespace assay::evals
