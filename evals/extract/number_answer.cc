#include "evals/extract/number_answer.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace assay::evals {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_numeral(char c) { return is_digit(c) || c == '.' || c == ','; }
bool is_amount(char c) { return is_numeral(c) || c == '$'; }

template <typename Predicate>
std::size_t run_end(std::string_view text, std::size_t from, Predicate predicate) {
  while (from < text.size() && predicate(text[from])) ++from;
  return from;
}

std::size_t skip_minus(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] == '-' ? at + 1 : at;
}

/// End of `-?[0-9.,]+` at `at`, or kNone.
std::size_t match_numeral(std::string_view text, std::size_t at) {
  const std::size_t digits = skip_minus(text, at);
  const std::size_t end = run_end(text, digits, is_numeral);
  return end > digits ? end : kNone;
}

/// End of `(-?[$0-9.,]{2,})|(-?[0-9]+)` at `at`, or kNone.
std::size_t match_amount(std::string_view text, std::size_t at) {
  const std::size_t start = skip_minus(text, at);
  const std::size_t end = run_end(text, start, is_amount);
  if (end >= start + 2) return end;
  const std::size_t digits_end = run_end(text, start, is_digit);
  return digits_end > start ? digits_end : kNone;
}

/// `match` behind each occurrence of `cue`, without overlap; the first or the last result.
template <typename Match>
std::string after_cue(std::string_view text, std::string_view cue, bool last, Match match) {
  std::string_view found = kInvalidAnswer;
  std::size_t from = 0;
  while ((from = text.find(cue, from)) != kNone) {
    const std::size_t start = from + cue.size();
    const std::size_t end = match(text, start);
    if (end == kNone) {
      ++from;
      continue;
    }
    found = text.substr(start, end - start);
    if (!last) break;
    from = end;
  }
  return std::string(found);
}

std::string without(std::string_view text, std::string_view characters) {
  std::string kept;
  std::ranges::copy_if(text, std::back_inserter(kept),
                       [&](char c) { return characters.find(c) == kNone; });
  return kept;
}

/// The strings that exact match compares.
std::string lm_eval_normal(std::string_view text) {
  std::string normal = without(text, ",$");
  if (const std::size_t mark = normal.rfind("#### "); mark != kNone) normal.erase(0, mark + 5);
  // The pattern's `$` also stands before a final line feed.
  const std::size_t end = normal.ends_with('\n') ? normal.size() - 1 : normal.size();
  if (end > 0 && normal[end - 1] == '.') normal.erase(end - 1, 1);
  return to_lower_ascii(normal);
}

/// A number at `at` (its sign or first digit), in our own reading.
struct Number {
  std::size_t end = 0;
  std::string normal;
};

bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// Integer digits with commas between groups of three where they are complete.
std::size_t integer_end(std::string_view text, std::size_t at, std::string& digits) {
  std::size_t end = run_end(text, at, is_digit);
  digits.assign(text.substr(at, end - at));
  if (digits.empty() || digits.size() > 3) return end;
  while (end + 4 <= text.size() && text[end] == ',' &&
         run_end(text, end + 1, is_digit) == end + 4) {
    digits.append(text.substr(end + 1, 3));
    end += 4;
  }
  return end;
}

std::string normal_form(bool negative, std::string integer, std::string fraction) {
  integer.erase(0, std::min(integer.find_first_not_of('0'), integer.size()));
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (integer.empty()) integer = "0";
  std::string normal = fraction.empty() ? integer : integer + "." + fraction;
  return negative && normal != "0" ? "-" + normal : normal;
}

/// The unsigned number at `at`, with the sign that stands before it and a currency sign between.
std::optional<Number> number_at(std::string_view text, std::size_t at) {
  std::string integer;
  std::size_t end = integer_end(text, at, integer);
  std::string fraction;
  if (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1])) {
    const std::size_t fraction_end = run_end(text, end + 1, is_digit);
    fraction = text.substr(end + 1, fraction_end - end - 1);
    end = fraction_end;
  }
  if (integer.empty() && fraction.empty()) return std::nullopt;
  constexpr std::string_view kMinus = "\xE2\x88\x92";  // U+2212
  std::string_view before = text.substr(0, at);
  if (before.ends_with('$')) before.remove_suffix(1);
  bool negative = false;
  if (before.ends_with('-') || before.ends_with(kMinus)) {
    before.remove_suffix(before.ends_with('-') ? 1 : kMinus.size());
    const char previous = before.empty() ? ' ' : before.back();
    negative = !is_word(previous) && previous != ')' && previous != ']' && previous != '-';
  }
  return Number{.end = end, .normal = normal_form(negative, integer, fraction)};
}

/// Calls `visit` for each number from left to right until it returns false.
template <typename Visit>
void each_number(std::string_view text, Visit visit) {
  std::size_t at = 0;
  while (at < text.size()) {
    const bool starts =
        is_digit(text[at]) || (text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1]) &&
                               (at == 0 || !is_numeral(text[at - 1])));
    std::optional<Number> number = starts ? number_at(text, at) : std::nullopt;
    if (!number) {
      ++at;
      continue;
    }
    at = number->end;
    if (!visit(std::move(*number))) return;
  }
}

}  // namespace

std::string gsm8k_lm_eval_strict(std::string_view response) {
  return after_cue(response, "#### ", false, match_numeral);
}

std::string gsm8k_cot_strict(std::string_view response) {
  std::string_view capture;
  const auto match = [&](std::string_view text, std::size_t at) {
    std::size_t end = match_numeral(text, at);
    if (end == kNone) return kNone;
    // One more character must follow: where none does, the run gives one back.
    if (end >= text.size() || text[end] == '\n') --end;
    if (end <= skip_minus(text, at)) return kNone;
    capture = text.substr(at, end - at);
    return end;
  };
  return after_cue(response, "The answer is ", false, match);
}

std::string gsm8k_cot_llama_strict(std::string_view response) {
  return after_cue(response, "The final answer is ", true, match_amount);
}

std::string gsm8k_meta_strict(std::string_view response) {
  return after_cue(response, "final answer is ", true, match_numeral);
}

std::string gsm8k_lm_eval_flexible(std::string_view response) {
  return after_cue(response, "", true, match_amount);
}

std::string gsm8k_original(std::string_view response) {
  return without(gsm8k_lm_eval_strict(response), ",");
}

std::string gsm8k_helm(std::string_view response) {
  std::string found;
  std::size_t at = 0;
  while (at < response.size()) {
    const std::size_t start = skip_minus(response, at);
    std::size_t end = run_end(response, start, [](char c) { return is_digit(c) || c == ','; });
    if (end == start) {
      ++at;
      continue;
    }
    // `.` is one character of any kind, which can be several bytes.
    std::size_t next = end + 1;
    while (next < response.size() && (static_cast<unsigned char>(response[next]) & 0xC0) == 0x80) {
      ++next;
    }
    if (end < response.size() && response[end] != '\n') {
      const std::size_t more = run_end(response, next, is_digit);
      if (more > next) end = more;
    }
    found = without(response.substr(at, end - at), ",");
    at = end;
  }
  return found;
}

std::string gsm8k_opencompass(std::string_view response) {
  response = response.substr(0, response.find("Question:"));
  const auto match = [](std::string_view text, std::size_t at) {
    const std::size_t start = skip_minus(text, at);
    const std::size_t end = run_end(text, start, is_digit);
    if (end == start) return kNone;
    if (end < text.size() && text[end] == '.') {
      const std::size_t fraction = run_end(text, end + 1, is_digit);
      if (fraction > end + 1) return fraction;
    }
    return end;
  };
  const std::string found = after_cue(response, "", true, match);
  return found == kInvalidAnswer ? "NULL" : found;
}

bool gsm8k_lm_eval_match(std::string_view answer, std::string_view gold) {
  return lm_eval_normal(answer) == lm_eval_normal(gold);
}

bool gsm8k_opencompass_match(std::string_view answer, std::string_view gold) {
  const std::string plain = without(gold, ",");
  if (answer == plain) return true;
  const std::optional<double> a = parse_double(answer);
  const std::optional<std::int64_t> b = parse_int(plain);
  return a && b && std::abs(*a - static_cast<double>(*b)) < 1e-6;
}

std::optional<std::string> first_number(std::string_view text) {
  std::optional<std::string> found;
  each_number(text, [&](Number number) {
    found = std::move(number.normal);
    return false;
  });
  return found;
}

std::optional<std::string> last_number(std::string_view text) {
  std::optional<std::string> found;
  each_number(text, [&](Number number) {
    found = std::move(number.normal);
    return true;
  });
  return found;
}

std::optional<std::string> whole_number_text(std::string_view text) {
  text = trim_ascii(text);
  if (text.ends_with('.')) text.remove_suffix(1);
  std::size_t start = text.find_first_of("0123456789.");
  if (start == kNone) return std::nullopt;
  const std::string_view before = text.substr(0, start);
  if (before != "" && before != "-" && before != "$" && before != "-$" &&
      before != "\xE2\x88\x92") {
    return std::nullopt;
  }
  std::optional<Number> number = number_at(text, start);
  if (!number || number->end != text.size()) return std::nullopt;
  return std::move(number->normal);
}

}  // namespace assay::evals
