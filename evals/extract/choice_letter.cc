#include "evals/extract/choice_letter.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/text.h"
#include "evals/extract/number_answer.h"
#include "evals/extract/python_text.h"

namespace assay::evals {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

bool is_word_byte(char c) {
  return is_capital(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// Last capital letter right behind `cue`; `alone`: no letter or digit may follow it.
std::string last_capital_after(std::string_view text, std::string_view cue, bool alone) {
  std::size_t at = text.rfind(cue);
  while (at != kNone) {
    const std::size_t letter = at + cue.size();
    const bool stands = !alone || letter + 1 >= text.size() || !is_word_byte(text[letter + 1]);
    if (letter < text.size() && is_capital(text[letter]) && stands) {
      return std::string(1, text[letter]);
    }
    if (at == 0) break;
    at = text.rfind(cue, at - 1);
  }
  return std::string(kInvalidAnswer);
}

/// `(?<=cue)(.*)(?=.)` at the leftmost place where one of the cues ends: the rest of the line but
/// its last character.
std::optional<std::string_view> line_after(std::string_view text,
                                           std::span<const std::string_view> cues) {
  std::size_t best = kNone;
  for (const std::string_view cue : cues) {
    std::size_t from = 0;
    while ((from = text.find(cue, from)) != kNone) {
      const std::size_t start = from + cue.size();
      if (start < text.size() && text[start] != '\n') {
        best = std::min(best, start);
        break;
      }
      ++from;
    }
  }
  if (best == kNone) return std::nullopt;
  std::string_view line = text.substr(best, text.find('\n', best) - best);
  do {  // the last character can have several bytes
    line.remove_suffix(1);
  } while (!line.empty() && (static_cast<unsigned char>(text[best + line.size()]) & 0xC0) == 0x80);
  return line;
}

/// Letters and their folding for lm-eval's comparison of choice texts.
std::u32string folded(std::string_view text) {
  std::u32string out;
  for (const char32_t c : python_lower(to_code_points(python_strip(text)))) {
    const auto mask = U_GET_GC_MASK(static_cast<UChar32>(c));
    if ((mask & U_GC_P_MASK) == 0) out.push_back(c);
  }
  return out;
}

/// The choice whose folded text matches last, scanning from the left without overlap; at one place
/// the first choice that fits wins.
std::optional<std::size_t> last_choice_text(std::string_view response,
                                            std::span<const std::string> choices) {
  std::vector<std::u32string> texts;
  for (const std::string& choice : choices) texts.push_back(folded(choice));
  std::u32string text;
  for (const char32_t c : python_lower(to_code_points(response))) {
    if ((U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_P_MASK) == 0) text.push_back(c);
  }
  std::optional<std::size_t> found;
  for (std::size_t at = 0; at < text.size();) {
    const auto fits = std::ranges::find_if(texts, [&](const std::u32string& choice) {
      return !choice.empty() && std::u32string_view(text).substr(at).starts_with(choice);
    });
    if (fits == texts.end()) {
      ++at;
      continue;
    }
    // Equal texts share one key in the reference, and the later letter is the one kept.
    found =
        static_cast<std::size_t>(texts.rend() - std::find(texts.rbegin(), texts.rend(), *fits)) - 1;
    at += fits->size();
  }
  return found;
}

std::string parenthesised(std::size_t index) { return {'(', static_cast<char>('A' + index), ')'}; }

/// Last `:\s*([A-D])` (as many letters as there are choices).
std::optional<std::size_t> last_letter_after_colon(std::string_view response, std::size_t choices) {
  std::optional<std::size_t> found;
  for (std::size_t colon = response.find(':'); colon != kNone;
       colon = response.find(':', colon + 1)) {
    const std::string_view rest = python_lstrip(response.substr(colon + 1));
    if (rest.empty() || rest.front() < 'A') continue;
    const auto index = static_cast<std::size_t>(rest.front() - 'A');
    if (index < choices) found = index;
  }
  return found;
}

char32_t fold(char32_t c) { return python_fold(c); }

bool is_blank(char32_t c) { return c == U' ' || c == U'\t'; }

/// One way to write "Answer:": a word, white space where `spaced`, and the marks after it.
struct AnswerCue {
  const char32_t* word;
  bool spaced;
  const char32_t* marks;
};

// The order counts: the first cue that is followed by a letter anywhere decides.
constexpr std::array kAnswerCues = {
    AnswerCue{U"Answer", true, U":"},
    AnswerCue{U"Answer", true, U":\u200b\u200b\u200b\u200b\u200b\u200b"},
    AnswerCue{U"উত্তর", true, U":"},
    AnswerCue{U"उत्तर", true, U":"},
    AnswerCue{U"উত্তরঃ", false, U""},
    AnswerCue{U"Antwort", true, U":"},
    AnswerCue{U"답변", true, U":"},
    AnswerCue{U"정답", true, U":"},
    AnswerCue{U"답", true, U":"},
    AnswerCue{U"答案", true, U"："},
    AnswerCue{U"答案", true, U":"},
    AnswerCue{U"答", true, U"："},
    AnswerCue{U"答", true, U":"},
    AnswerCue{U"答复", true, U"："},
    AnswerCue{U"答曰", true, U"："},
    AnswerCue{U"الإجابة", false, U":"},
    AnswerCue{U"الجواب", false, U":"},
    AnswerCue{U"إجابة", false, U":"},
    AnswerCue{U"الإجابة النهائية", false, U":"},
    AnswerCue{U"الإجابة الصحيحة", false, U":"},
    AnswerCue{U"الإجابة الصحيحة هي", false, U":"},
    AnswerCue{U"الإجابة هي", false, U":"},
    AnswerCue{U"الجواب النهائي", false, U":"},
    AnswerCue{U"Respuesta", true, U":"},
    AnswerCue{U"Risposta", true, U":"},
    AnswerCue{U"答え", true, U":"},
    AnswerCue{U"答え", true, U"："},
    AnswerCue{U"回答", true, U":"},
    AnswerCue{U"回答", true, U"："},
    AnswerCue{U"解答", true, U":"},
    AnswerCue{U"Jawaban", true, U":"},
    AnswerCue{U"Réponse", true, U":"},
    AnswerCue{U"Resposta", true, U":"},
    AnswerCue{U"Jibu", true, U":"},
    AnswerCue{U"Idahun", true, U":"},
    AnswerCue{U"Ìdáhùn", true, U":"},
    AnswerCue{U"Idáhùn", true, U":"},
    AnswerCue{U"Àmọ̀nà", true, U":"},
    AnswerCue{U"Àdáhùn", true, U":"},
    AnswerCue{U"Ànúgọ", true, U":"},
    AnswerCue{U"Àṣàyàn", true, U":"},
};

bool is_answer_letter(char32_t c) {
  const char32_t f = fold(c);
  return (f >= fold(U'A') && f <= fold(U'D')) || (c >= U'\u0623' && c <= U'\u062f') || c == U'অ' ||
         c == U'ব' || c == U'ড' || c == U'ঢ' || (f >= fold(U'Ａ') && f <= fold(U'Ｄ'));
}

/// The Latin letter that a letter of another script stands for; "" for one that stands for none.
std::string latin_letter(char32_t c) {
  static constexpr std::array<std::u32string_view, 4> kSets = {U"أঅＡ", U"بবＢ", U"جডＣ", U"دঢＤ"};
  for (std::size_t i = 0; i < kSets.size(); ++i) {
    if (kSets[i].find(c) != kNone) return std::string(1, static_cast<char>('A' + i));
  }
  return to_utf8(std::u32string_view(&c, 1));
}

bool starts_folded(std::u32string_view text, std::u32string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(),
                    [](char32_t a, char32_t b) { return fold(a) == fold(b); });
}

/// The letter behind the first occurrence of `cue` that has one.
std::optional<char32_t> letter_behind(std::u32string_view text, const AnswerCue& cue,
                                      bool (*accepts)(char32_t)) {
  const std::u32string_view word = cue.word;
  const std::u32string_view marks = cue.marks;
  for (std::size_t at = 0; at + word.size() <= text.size(); ++at) {
    if (!starts_folded(text.substr(at), word)) continue;
    std::u32string_view rest = text.substr(at + word.size());
    while (cue.spaced && !rest.empty() && python_is_space(rest.front())) rest.remove_prefix(1);
    if (!rest.starts_with(marks)) continue;
    rest.remove_prefix(marks.size());
    while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
    if (!rest.empty() && accepts(rest.front())) return rest.front();
  }
  return std::nullopt;
}

std::string without_markup(std::string_view response) {
  static constexpr std::array<std::string_view, 13> kMarkup = {
      "**",  "$\\boxed{", "}$",  "\\$",       "$\\text{", "$",      "\\mathrm{",
      "\\{", "\\text",    "\\(", "\\mathbf{", "{",        "\\boxed"};
  std::string text(response);
  for (const std::string_view mark : kMarkup) text = replace_all(text, mark, "");
  return text;
}

/// First `answer` + blanks + `:` + blanks + optional dollar + A..D in any case.
std::string first_ascii_answer(std::string_view response, bool any_space, bool dollar) {
  const std::string lower = to_lower_ascii(response);
  const auto skip = [&](std::size_t at) {
    while (at < response.size() &&
           (any_space ? python_is_space(static_cast<unsigned char>(response[at]))
                      : response[at] == ' ' || response[at] == '\t')) {
      ++at;
    }
    return at;
  };
  for (std::size_t at = lower.find("answer"); at != kNone; at = lower.find("answer", at + 1)) {
    std::size_t next = skip(at + 6);
    if (next >= response.size() || response[next] != ':') continue;
    next = skip(next + 1);
    if (dollar && next < response.size() && response[next] == '$') ++next;
    if (next < lower.size() && lower[next] >= 'a' && lower[next] <= 'd') {
      return std::string(1, response[next]);
    }
  }
  return "";
}

/// The letter that `text` starts with, markup around it skipped, if it stands alone.
std::string leading_letter(std::string_view text) {
  static constexpr std::string_view kSkipped = " \t\n:*_$([{\"'";
  while (!text.empty()) {
    if (text.starts_with("\\boxed") || text.starts_with("\\text")) {
      text.remove_prefix(text.starts_with("\\boxed") ? 6 : 5);
    } else if (text.starts_with("\\(")) {
      text.remove_prefix(2);
    } else if (kSkipped.find(text.front()) != kNone) {
      text.remove_prefix(1);
    } else {
      break;
    }
  }
  if (text.empty() || !is_capital(text.front())) return "";
  const bool alone =
      text.size() == 1 || !(is_capital(text[1]) || (text[1] >= 'a' && text[1] <= 'z') ||
                            text[1] == '\'' || static_cast<unsigned char>(text[1]) >= 0x80);
  return alone ? std::string(1, text.front()) : "";
}

std::string last_own_cue(std::string_view response) {
  static constexpr std::array<std::string_view, 3> kCues = {"answer is", "answer:", "\\boxed{"};
  const std::string lower = to_lower_ascii(response);
  for (const std::string_view cue : kCues) {
    for (std::size_t at = lower.rfind(cue); at != kNone;
         at = at == 0 ? kNone : lower.rfind(cue, at - 1)) {
      const std::string letter = leading_letter(response.substr(at + cue.size()));
      if (!letter.empty()) return letter;
    }
  }
  return "";
}

}  // namespace

std::string choice_meta_cot(std::string_view response) {
  return last_capital_after(response, "best answer is ", false);
}

std::string choice_meta_short(std::string_view response) {
  return last_capital_after(response, " ", true);
}

std::string choice_whole(std::string_view response) { return std::string(python_strip(response)); }

std::string choice_lm_eval_gpqa_strict(std::string_view response) {
  static constexpr std::array<std::string_view, 1> kCues = {"The answer is "};
  const auto line = line_after(response, kCues);
  return std::string(line ? python_strip(*line) : kInvalidAnswer);
}

std::string choice_lm_eval_gpqa_flexible(std::string_view response,
                                         std::span<const std::string> choices) {
  for (std::size_t at = response.rfind('('); at != kNone;
       at = at == 0 ? kNone : response.rfind('(', at - 1)) {
    if (at + 2 < response.size() && is_capital(response[at + 1]) && response[at + 2] == ')') {
      return std::string(response.substr(at, 3));
    }
  }
  if (const auto index = last_choice_text(response, choices)) return parenthesised(*index);
  const std::size_t letters = choices.empty() ? 4 : choices.size();
  if (const auto index = last_letter_after_colon(response, letters)) return parenthesised(*index);
  return std::string(kInvalidAnswer);
}

std::string choice_lm_eval_flan_strict(std::string_view response) {
  static constexpr std::array<std::string_view, 3> kCues = {"answer is ",
                                                            "The answer: ", "The final answer: "};
  const auto line = line_after(response, kCues);
  // The whole pattern is one group: an empty match counts as none.
  return std::string(line && !line->empty() ? python_strip(*line) : kInvalidAnswer);
}

std::string choice_simple_evals_gpqa(std::string_view response) {
  return first_ascii_answer(response, false, true);
}

std::string choice_simple_evals_mmlu(std::string_view response) {
  const std::u32string text = to_code_points(without_markup(response));
  for (const AnswerCue& cue : kAnswerCues) {
    if (const auto letter = letter_behind(text, cue, is_answer_letter))
      return latin_letter(*letter);
  }
  return "";
}

std::string choice_helm(std::string_view response) {
  const auto letter = [&](std::size_t at) -> std::string {
    if (at < response.size() && response[at] == '(') ++at;
    const bool fits = at < response.size() && response[at] >= 'A' && response[at] <= 'J';
    return fits ? std::string(1, response[at]) : "";
  };
  for (const std::string_view cue :
       {std::string_view("answer is "), std::string_view("[aA]nswer:")}) {
    for (std::size_t at = response.find(cue); at != kNone; at = response.find(cue, at + 1)) {
      std::size_t next = at + cue.size();
      while (cue.ends_with(':') && next < response.size() && response[next] == ' ') ++next;
      if (std::string found = letter(next); !found.empty()) return found;
    }
  }
  for (std::size_t at = response.find("orrect answer is"); at != kNone;
       at = response.find("orrect answer is", at + 1)) {
    if (at == 0 || (response[at - 1] != 'c' && response[at - 1] != 'C')) continue;
    const std::string_view line = response.substr(at + 16, response.find('\n', at) - at - 16);
    const auto found = std::ranges::find_if(line, [](char c) { return c >= 'A' && c <= 'J'; });
    if (found != line.end()) return std::string(1, *found);
  }
  return "";
}

std::string choice_opencompass(std::string_view response) {
  return first_ascii_answer(response, true, false);
}

std::string choice_own(std::string_view response) {
  const std::string_view text = python_strip(response);
  if (std::string letter = last_own_cue(text); !letter.empty()) return letter;
  std::string letter = leading_letter(text);
  if (letter.empty()) return "";
  const std::size_t at = text.find(letter.front());
  const bool rest_is_marks =
      text.substr(at + 1).find_first_not_of(" \t\n.)]}*_$\"'") == std::string_view::npos;
  // "B. Paris" and "B) Paris" name their letter too.
  const bool listed = at + 1 < text.size() && (text[at + 1] == '.' || text[at + 1] == ')');
  return rest_is_marks || listed ? letter : "";
}

bool choice_exact_match(std::string_view answer, std::string_view gold) {
  const auto normal = [](std::string_view text) {
    std::string kept;
    for (const char c : python_lower(text)) {
      const bool punctuation = (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
                               (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
      if (!punctuation) kept.push_back(c);
    }
    return kept;
  };
  return normal(answer) == normal(gold);
}

}  // namespace assay::evals
