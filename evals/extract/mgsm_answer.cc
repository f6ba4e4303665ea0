#include "evals/extract/mgsm_answer.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "evals/extract/choice_letter.h"
#include "evals/extract/number_answer.h"
#include "evals/extract/python_text.h"

namespace assay::evals {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// Labels and cues are lm-eval's, oddities included: the English cue for Bengali, the missing blank
// in the Russian label.
constexpr std::array<MgsmLanguage, 11> kLanguages = {{
    {"bn", "উত্তর", "প্রশ্ন:", "ধাপে ধাপে উত্তর:", "Answer:", "The answer is ", "", false},
    {"de", "Antwort", "Frage:", "Schritt-für-Schritt-Antwort:", "Antwort:", "Die Antwort lautet ",
     "", true},
    {"en", "Answer", "Question:", "Step-by-Step Answer:", "Answer:", "The answer is ", "", false},
    {"es", "Respuesta", "Pregunta:", "Respuesta paso a paso:", "Respuesta:", "La respuesta es ", "",
     true},
    {"fr", "Réponse", "Question :", "Réponse étape par étape :", "Réponse :", "La réponse est ", "",
     true},
    {"ja", "答え", "問題：", "ステップごとの答え:", "Answer:", "答えは", "です。", false},
    {"ru", "Ответ", "Задача:", "Пошаговоерешение:", "Answer:", "Ответ — ", "", true},
    {"sw", "Jibu", "Swali:", "Jibu la Hatua kwa Hatua:", "Answer:", "Jibu ni ", "", false},
    {"te", "సమాధానం", "ప్రశ్న:", "దశలవారీగా సమాధానం:", "Answer:", "సమాధానం ", "", false},
    {"th", "คำตอบ", "โจทย์:", "คำตอบทีละขั้นตอน:", "Answer:", "คำตอบคือ ", "", false},
    {"zh", "答案", "问题：", "逐步解答:", "Answer:", "答案是 ", "。", false},
}};

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
bool is_numeral(char c) { return is_ascii_digit(c) || c == '.' || c == ','; }

/// Digits and marks between them ("1.234,5"), with the marks read as the language does.
std::string read_marks(std::string_view run, bool comma_decimals) {
  const std::size_t last = run.find_last_of(".,");
  if (last == kNone) return std::string(run);
  const char mark = run[last];
  const bool same = run.find_first_of(mark == '.' ? "," : ".") == kNone;
  const bool groups = [&] {
    const auto parts = split(run, mark);
    if (!same || parts.front().empty() || parts.front().size() > 3 || parts.front() == "0") {
      return false;
    }
    return std::all_of(parts.begin() + 1, parts.end(),
                       [](std::string_view part) { return part.size() == 3; });
  }();
  const bool several = std::ranges::count(run, mark) > 1;
  const bool thousands = groups && (mark == ',' || several || comma_decimals);
  std::string out;
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (is_ascii_digit(run[i])) out.push_back(run[i]);
    if (i == last && !thousands) out.push_back('.');
  }
  return out;
}

/// First or last number of a text whose digits are ASCII.
std::optional<std::string> marked_number(std::string_view text, bool comma_decimals, bool last) {
  std::optional<std::string> found;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_ascii_digit(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_numeral(text[end])) ++end;
    while (!is_ascii_digit(text[end - 1])) --end;
    const bool negative = at > 0 && text[at - 1] == '-' && (at == 1 || text[at - 2] == ' ');
    found =
        last_number((negative ? "-" : "") + read_marks(text.substr(at, end - at), comma_decimals));
    if (!last) break;
    at = end;
  }
  return found;
}

std::string ascii_digits(std::string_view text) {
  std::string out;
  for (const char32_t c : to_code_points(text)) {
    const int digit = python_digit_value(c);
    append_utf8(out, digit >= 0 ? static_cast<char32_t>(U'0' + static_cast<char32_t>(digit)) : c);
  }
  return out;
}

}  // namespace

std::span<const MgsmLanguage> mgsm_languages() { return kLanguages; }

const MgsmLanguage* find_mgsm_language(std::string_view code) {
  const auto found = std::ranges::find(kLanguages, code, &MgsmLanguage::code);
  return found == kLanguages.end() ? nullptr : &*found;
}

std::string mgsm_simple_evals(std::string_view response, const MgsmLanguage& language) {
  const std::size_t prefix = response.rfind(language.answer_prefix);
  if (prefix == kNone) return "";
  const std::string rest =
      replace_all(response.substr(prefix + language.answer_prefix.size()), ",", "");
  const std::u32string text = to_code_points(rest);
  std::u32string_view found;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && python_is_digit(text[end])) ++end;
    if (end == at) {
      ++at;
      continue;
    }
    if (end < text.size() && text[end] == U'.') ++end;
    while (end < text.size() && python_is_digit(text[end])) ++end;
    found = std::u32string_view(text).substr(at, end - at);
    at = end;
  }
  while (found.ends_with(U'.')) found.remove_suffix(1);
  return to_utf8(found);
}

bool mgsm_simple_evals_match(std::string_view answer, std::string_view gold) {
  std::string normal(answer);
  if (normal.find('.') != std::string::npos) {
    normal.erase(normal.find_last_not_of('0') + 1);
    normal.erase(normal.find_last_not_of('.') + 1);
  }
  return normal == replace_all(gold, ",", "");
}

std::string mgsm_native_strict(std::string_view response, const MgsmLanguage& language) {
  const std::string_view cue = language.strict_cue;
  for (std::size_t at = response.find(cue); at != kNone; at = response.find(cue, at + 1)) {
    const std::size_t start = at + cue.size();
    const std::size_t digits =
        start < response.size() && response[start] == '-' ? start + 1 : start;
    std::size_t end = digits;
    while (end < response.size() && is_numeral(response[end])) ++end;
    if (end > digits && response.substr(end).starts_with(language.strict_end)) {
      return std::string(response.substr(start, end - start));
    }
  }
  return std::string(kInvalidAnswer);
}

std::string mgsm_direct(std::string_view response) { return std::string(python_lstrip(response)); }

bool mgsm_lm_eval_match(std::string_view answer, std::string_view gold) {
  return choice_exact_match(answer, gold);
}

std::optional<std::string> mgsm_lenient(std::string_view response, const MgsmLanguage& language) {
  const std::string text = ascii_digits(python_nfc(response));
  const std::string prefix = python_nfc(language.answer_prefix);
  const std::size_t at = text.rfind(prefix);
  if (at != std::string::npos) {
    const auto number = marked_number(std::string_view(text).substr(at + prefix.size()),
                                      language.comma_decimals, false);
    if (number) return number;
  }
  return marked_number(text, language.comma_decimals, true);
}

}  // namespace assay::evals
