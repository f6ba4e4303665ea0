#include "evals/extract/math_words.h"

#include <map>
#include <set>
#include <utility>

#include "base/text.h"
#include "evals/extract/latex_tokens.h"

namespace assay::evals {

std::string_view relation_meaning(std::string_view name) {
  static const std::map<std::string_view, std::string_view> kCommands = {
      {"le", "<="}, {"ge", ">="},    {"ne", "!="},    {"in", "in"},     {"lt", "<"},
      {"gt", ">"},  {"equiv", "=="}, {"approx", "~"}, {"subset", "sub"}};
  const auto found = kCommands.find(name);
  return found == kCommands.end() ? std::string_view() : found->second;
}

MathNode make(MathNode::Kind kind, std::string text, std::vector<MathNode> items) {
  return {kind, std::move(text), std::move(items)};
}

bool is_function(std::string_view name) {
  static const std::set<std::string_view> kNames = {
      "sin",    "cos",  "tan",  "cot",  "sec", "csc", "arcsin", "arccos",
      "arctan", "sinh", "cosh", "tanh", "log", "ln",  "exp",    "gcd",
      "lcm",    "max",  "min",  "lg",   "det", "deg", "arg"};
  return kNames.contains(name);
}

bool is_accent(std::string_view name) {
  static const std::set<std::string_view> kNames = {
      "overline", "vec", "hat", "bar", "tilde", "overrightarrow", "widehat", "underline"};
  return kNames.contains(name);
}

bool ends_operand(std::string_view name) {
  static const std::set<std::string_view> kStops = {
      "cup",   "cap",      "in",        "le",     "ge",     "ne",     "pm",
      "mp",    "setminus", "backslash", "rfloor", "rceil",  "}",      "rangle",
      "lt",    "gt",       "equiv",     "approx", "subset", "end",    "newrow",
      "colon", "cdot",     "times",     "div",    "ast",    "degree", "%"};
  return kStops.contains(name);
}

bool is_refused(std::string_view name) {
  static const std::set<std::string_view> kRefused = {
      "Rightarrow", "implies", "to", "end", "newrow", "&", "sum", "int", "prod", "lim"};
  return kRefused.contains(name);
}

bool proper(const MathNode& node) {
  if (node.kind != MathNode::Kind::kQuotient) return false;
  const MathNode& a = node.items[0];
  const MathNode& b = node.items[1];
  if (a.kind != MathNode::Kind::kNumber || b.kind != MathNode::Kind::kNumber) return false;
  return a.text.size() < b.text.size() || (a.text.size() == b.text.size() && a.text < b.text);
}

std::string text_form(std::string_view text) {
  std::string out;
  for (const LatexToken& token : latex_tokens(latex_clean(text), CommaReading::kThousands).tokens) {
    const bool wrapping = token.text == "(" || token.text == ")" || token.text == "{" ||
                          token.text == "}" || token.text == "." || token.text == "'";
    if (!wrapping) out += replace_all(replace_all(to_lower_ascii(token.text), " ", ""), ".", "");
  }
  return out;
}

}  // namespace assay::evals
