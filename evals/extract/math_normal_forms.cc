#include "evals/extract/math_normal_forms.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/text.h"

namespace assay::evals {
namespace {

/// Raised inside where the reference raises.
struct NormalFormError {};

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

/// \sqrt3 to \sqrt{3}: the first byte after it becomes the argument.
std::string brace_square_roots(const std::string& text) {
  if (text.find("\\sqrt") == std::string::npos) return text;
  const std::vector<std::string_view> parts = split(text, "\\sqrt");
  std::string out(parts[0]);
  for (std::size_t index = 1; index < parts.size(); ++index) {
    const std::string_view part = parts[index];
    if (part.empty()) throw NormalFormError{};
    out += "\\sqrt";
    if (part[0] == '{') {
      out += part;
    } else {
      const std::size_t first = to_utf8(to_code_points(part).substr(0, 1)).size();
      out += "{" + std::string(part.substr(0, first)) + "}" + std::string(part.substr(first));
    }
  }
  return out;
}

/// \frac12 and \frac1{72} to full braces. A part shorter than two bytes stops the repair.
std::string brace_fractions(const std::string& text) {
  const std::vector<std::string_view> parts = split(text, "\\frac");
  std::string out(parts[0]);
  for (std::size_t index = 1; index < parts.size(); ++index) {
    const std::string_view part = parts[index];
    out += "\\frac";
    if (part.empty()) throw NormalFormError{};
    if (part[0] == '{') {
      out += part;
      continue;
    }
    if (part.size() < 2) return text;
    const std::string a(part.substr(0, 1));
    const std::string b(part.substr(1, 1));
    const std::string rest(part.substr(2));
    out += b != "{" ? "{" + a + "}{" + b + "}" + rest : "{" + a + "}" + b + rest;
  }
  return out;
}

/// int() of Python on ASCII text: blanks around, a sign, digits with single underscores between.
std::optional<std::string> python_int(std::string_view text) {
  std::string_view body = trim_ascii(text);
  bool negative = false;
  if (!body.empty() && (body[0] == '+' || body[0] == '-')) {
    negative = body[0] == '-';
    body.remove_prefix(1);
  }
  std::string digits;
  for (std::size_t at = 0; at < body.size(); ++at) {
    if (body[at] >= '0' && body[at] <= '9') {
      digits += body[at];
    } else if (body[at] != '_' || at == 0 || at + 1 == body.size() || body[at - 1] == '_') {
      return std::nullopt;
    }
  }
  if (digits.empty()) return std::nullopt;
  const std::size_t start = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  digits.erase(0, start);
  return negative && digits != "0" ? "-" + digits : digits;
}

std::string slash_to_fraction(const std::string& text, HendrycksFlavour flavour) {
  const std::vector<std::string_view> parts = split(text, '/');
  if (parts.size() != 2) return text;
  const std::optional<std::string> a = python_int(parts[0]);
  const std::optional<std::string> b = python_int(parts[1]);
  if (!a || !b) {
    if (flavour == HendrycksFlavour::kLmEval) throw NormalFormError{};
    return text;
  }
  if (text != *a + "/" + *b) return text;
  return "\\frac{" + *a + "}{" + *b + "}";
}

std::string drop_right_units(const std::string& text) {
  const std::size_t count = count_of(text, "\\text{ ");
  if (count == 0) return text;
  if (count > 1) throw NormalFormError{};
  return text.substr(0, text.find("\\text{ "));
}

std::string hendrycks_form(std::string_view answer, HendrycksFlavour flavour) {
  std::string text(answer);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kBefore = {{
      {"\n", ""},
      {"\\!", ""},
      {"\\\\", "\\"},
      {"tfrac", "frac"},
      {"dfrac", "frac"},
      {"\\left", ""},
      {"\\right", ""},
      {"^{\\circ}", ""},
      {"^\\circ", ""},
      {"\\$", ""},
  }};
  for (const auto& [from, to] : kBefore) text = replace_all(text, from, to);
  text = drop_right_units(text);
  text = replace_all(text, "\\%", "");
  text = replace_all(text, " .", " 0.");
  text = replace_all(text, "{.", "{0.");
  if (text.empty()) return text;
  if (text[0] == '.') text = "0" + text;
  const std::vector<std::string_view> sides = split(text, '=');
  if (sides.size() == 2 && to_code_points(sides[0]).size() <= 2) text = std::string(sides[1]);
  text = brace_square_roots(text);
  text = replace_all(text, " ", "");
  text = brace_fractions(text);
  if (text == "0.5") text = "\\frac{1}{2}";
  return slash_to_fraction(text, flavour);
}

// ---- Minerva ----

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kMinervaReplaced = {{
    {"an ", ""},
    {"a ", ""},
    {".$", "$"},
    {"\\$", ""},
    {"\\ ", ""},
    {" ", ""},
    {"mbox", "text"},
    {",\\text{and}", ","},
    {"\\text{and}", ","},
    {"\\text{m}", "\\text{}"},
}};

// The order counts: "\text{.}" can only be met once what is inside others is gone.
constexpr std::array<std::string_view, 42> kMinervaRemoved = {
    "square",       "ways",
    "integers",     "dollars",
    "mph",          "inches",
    "ft",           "hours",
    "km",           "units",
    "\\ldots",      "sue",
    "points",       "feet",
    "minutes",      "digits",
    "cents",        "degrees",
    "cm",           "gm",
    "pounds",       "meters",
    "meals",        "edges",
    "students",     "childrentickets",
    "multiples",    "\\text{s}",
    "\\text{.}",    "\\text{\ns}",
    "\\text{}^2",   "\\text{}^3",
    "\\text{\n}",   "\\text{}",
    "\\mathrm{th}", "^\\circ",
    "^{\\circ}",    "\\;",
    ",\\!",         "{,}",
    "\"",           "\\dots",
};

/// The inside of the first $...$ on one line; the rest of the line goes.
std::string inside_dollars(const std::string& text) {
  std::string out;
  for (std::string_view line : split(text, '\n')) {
    if (!out.empty() || line.data() != text.data()) out += '\n';
    const std::size_t first = line.find('$');
    const std::size_t second = first == std::string_view::npos ? first : line.find('$', first + 1);
    if (second == std::string_view::npos) {
      out += line;
    } else {
      out += line.substr(first, second - first + 1);
    }
  }
  return out;
}

/// Every `opening`...} on one line loses opening and brace; the nearest brace, or the farthest.
std::string unwrap(const std::string& text, std::string_view opening, bool greedy) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t start = text.find(opening, at);
    if (start == std::string::npos) break;
    const std::size_t from = start + opening.size();
    const std::size_t line_end = std::min(text.find('\n', from), text.size());
    const std::string_view line = std::string_view(text).substr(from, line_end - from);
    const std::size_t brace = greedy ? line.rfind('}') : line.find('}');
    if (brace == std::string_view::npos) {
      out += text.substr(at, from - at);
      at = from;
      continue;
    }
    out += text.substr(at, start - at);
    out += line.substr(0, brace);
    at = from + brace + 1;
  }
  return out + text.substr(std::min(at, text.size()));
}

/// `frac` + one character that is no brace + one more character: both get braces. `sqrt` takes one.
std::string brace_shorthand(const std::string& text, std::string_view name, std::size_t arguments) {
  const std::u32string points = to_code_points(text);
  const std::u32string command(name.begin(), name.end());
  std::u32string out;
  std::size_t at = 0;
  while (at < points.size()) {
    const std::size_t after = at + command.size();
    const bool here = points.compare(at, command.size(), command) == 0 &&
                      after + arguments <= points.size() && points[after] != U'{' &&
                      (arguments == 1 || points[after + 1] != U'\n');
    if (!here) {
      out += points[at++];
      continue;
    }
    out += command;
    for (std::size_t index = 0; index < arguments; ++index) {
      out += std::u32string(U"{") + points[after + index] + U"}";
    }
    at = after + arguments;
  }
  return to_utf8(out);
}

}  // namespace

std::optional<std::string> hendrycks_normal_form(std::string_view answer,
                                                 HendrycksFlavour flavour) {
  try {
    return hendrycks_form(answer, flavour);
  } catch (const NormalFormError&) {
    return std::nullopt;
  }
}

bool hendrycks_equal(std::string_view gold, std::string_view prediction, HendrycksFlavour flavour) {
  const std::optional<std::string> a = hendrycks_normal_form(gold, flavour);
  const std::optional<std::string> b = hendrycks_normal_form(prediction, flavour);
  return a && b ? *a == *b : gold == prediction;
}

std::string minerva_normal_form(std::string_view answer) {
  std::string text(answer);
  const std::size_t equals = text.rfind('=');
  if (equals != std::string::npos) text.erase(0, equals + 1);
  for (const auto& [from, to] : kMinervaReplaced) text = replace_all(text, from, to);
  for (std::string_view word : kMinervaRemoved) text = replace_all(text, word, "");
  text = inside_dollars(text);
  text = unwrap(text, "\\text{", false);
  text = unwrap(text, "\\textbf{", false);
  text = unwrap(text, "\\overline{", false);
  text = unwrap(text, "\\boxed{", true);
  text = brace_shorthand(text, "frac", 2);
  text = brace_shorthand(text, "sqrt", 1);
  text = replace_all(text, "$", "");
  const std::string plain = replace_all(text, ",", "");
  const bool digits = !plain.empty() && plain.find_first_not_of("0123456789") == std::string::npos;
  return digits ? plain : text;
}

}  // namespace assay::evals
