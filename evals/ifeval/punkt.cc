#include "evals/ifeval/punkt.h"

#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/python_text.h"

namespace assay::evals {

namespace {

using View = std::u32string_view;

constexpr int kUpper = 2 | 4 | 8;
constexpr int kUpperInside = 4;
constexpr int kLower = 16 | 32 | 64;
constexpr int kLowerAtStart = 16;
constexpr char32_t kJoin = 0x1F;
constexpr View kNumber = U"##number##";

bool one_of(char32_t c, View set) { return set.find(c) != View::npos; }

bool is_mark(char32_t c) { return c == '.' || c == '?' || c == '!'; }

// Punctuation that ends a word and may follow a sentence's mark.
bool ends_word(char32_t c) { return one_of(c, U")\";}]*:@'({[!?"); }

// Length of the dashes, dots or spaced dots that start at `at` and are one token; 0 for none.
std::size_t run_length(View line, std::size_t at) {
  const char32_t c = line[at];
  if (c != '-' && c != '.') return 0;
  std::size_t end = at;
  while (end < line.size() && line[end] == c) ++end;
  if (end - at >= 2) return end - at;
  if (c == '-') return 0;
  std::size_t pairs = 0;  // dot and white space, over and over
  for (end = at; end + 1 < line.size() && line[end] == '.' && python_is_space(line[end + 1]);) {
    end += 2;
    ++pairs;
  }
  if (end >= line.size() || line[end] != '.') {
    if (pairs == 0) return 0;
    --pairs;
  }
  return pairs >= 2 ? 2 * pairs + 1 : 0;
}

bool starts_run(View line, std::size_t at) {
  const View window = line.substr(at, 5);  // two dashes or dots, or three spaced dots
  return !window.empty() && run_length(window, 0) > 0;
}

bool word_ends_at(View line, std::size_t at) {
  const auto stops = [&](std::size_t i) {
    return i >= line.size() || python_is_space(line[i]) || ends_word(line[i]) ||
           starts_run(line, i);
  };
  return stops(at) || (line[at] == ',' && stops(at + 1));
}

std::size_t token_length(View line, std::size_t at) {
  if (const std::size_t run = run_length(line, at); run > 0) return run;
  if (one_of(line[at], U"(\"`{[:;&#*@)}]-,")) return 1;
  std::size_t end = at + 1;
  while (!word_ends_at(line, end)) ++end;
  return end - at;
}

// A sign, a separator, then digits with separators: the whole token is a number.
bool is_number(View token) {
  std::size_t at = 0;
  if (at < token.size() && token[at] == '-') ++at;
  if (at < token.size() && one_of(token[at], U".,")) ++at;
  if (at >= token.size() || !python_is_digit(token[at])) return false;
  for (; at < token.size(); ++at) {
    if (!python_is_digit(token[at]) && !one_of(token[at], U",.-")) return false;
  }
  return true;
}

struct Token {
  View text;
  std::u32string type;  // lower case, or kNumber
  bool breaks = false;
  bool abbreviation = false;
  bool ellipsis = false;

  [[nodiscard]] bool final_dot() const { return text.back() == '.'; }
  [[nodiscard]] View type_without_dot() const {
    const View whole = type;
    return whole.size() > 1 && whole.back() == '.' ? whole.substr(0, whole.size() - 1) : whole;
  }
  // What the model counted: a dot that ends the sentence is no part of the word.
  [[nodiscard]] View type_in_model() const { return breaks ? type_without_dot() : View(type); }
  [[nodiscard]] bool is_initial() const {
    return text.size() == 2 && text[1] == '.' && text[0] != '_' && python_is_word(text[0]) &&
           !python_is_digit(text[0]);
  }
};

Token make_token(const PunktModel& model, View text) {
  Token token{.text = text, .type = python_lower(text)};
  if (is_number(token.type)) token.type = kNumber;
  if (text.size() == 1 && is_mark(text[0])) {
    token.breaks = true;
  } else if (text.size() >= 2 && text.find_first_not_of(U'.') == View::npos) {
    token.ellipsis = true;
  } else if (text.ends_with(U'.') && !text.ends_with(U"..")) {
    const std::u32string word = python_lower(text.substr(0, text.size() - 1));
    const std::size_t dash = word.rfind(U'-');
    token.abbreviation =
        model.abbreviations.contains(word) ||
        (dash != std::u32string::npos && model.abbreviations.contains(word.substr(dash + 1)));
    token.breaks = !token.abbreviation;
  }
  return token;
}

std::vector<Token> tokens_of(const PunktModel& model, View context) {
  std::vector<Token> out;
  for (const View line : python_split(context, U"\n")) {
    for (std::size_t at = 0; at < line.size();) {
      if (python_is_space(line[at])) {
        ++at;
        continue;
      }
      const std::size_t length = token_length(line, at);
      out.push_back(make_token(model, line.substr(at, length)));
      at += length;
    }
  }
  return out;
}

int orthography(const PunktModel& model, View type) {
  const auto found = model.orthography.find(std::u32string(type));
  return found == model.orthography.end() ? 0 : found->second;
}

// Whether the way `next` is written says that a sentence starts there; nothing when it does not
// say.
std::optional<bool> starts_sentence(const PunktModel& model, const Token& next) {
  if (next.text.size() == 1 && one_of(next.text[0], U";:,.!?")) return false;
  const int seen = orthography(model, next.type_in_model());
  const bool upper = python_is_upper(next.text[0]);
  const bool lower = python_is_lower(next.text[0]);
  if (upper && (seen & kLower) != 0 && (seen & kUpperInside) == 0) return true;
  if (lower && ((seen & kUpper) != 0 || (seen & kLowerAtStart) == 0)) return false;
  return std::nullopt;
}

// Corrects the first decision on a token with a final dot by what follows it.
void reconsider(const PunktModel& model, Token& token, const Token& next) {
  if (!token.final_dot()) return;
  const View type = token.type_without_dot();
  const View next_type = next.type_in_model();
  const auto no_break = [&] {
    token.breaks = false;
    token.abbreviation = true;
  };
  std::u32string pair(type);
  pair += kJoin;
  pair += next_type;
  if (model.collocations.contains(pair)) return no_break();
  const bool initial = token.is_initial();
  const bool next_upper = python_is_upper(next.text[0]);
  if ((token.abbreviation || token.ellipsis) && !initial) {
    if (starts_sentence(model, next) == true ||
        (next_upper && model.sentence_starters.contains(std::u32string(next_type)))) {
      token.breaks = true;
      return;
    }
  }
  if (!initial && type != kNumber) return;
  const std::optional<bool> starts = starts_sentence(model, next);
  if (starts == false) return no_break();
  if (!starts && initial && next_upper && (orthography(model, next_type) & kLower) == 0) {
    no_break();
  }
}

// Whether a sentence ends inside the context, that is before its last token.
bool contains_break(const PunktModel& model, View context) {
  std::vector<Token> tokens = tokens_of(model, context);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    reconsider(model, tokens[i], tokens[i + 1]);
    if (tokens[i].breaks) return true;
  }
  return false;
}

// A mark that may end a sentence, with the words around it that decide.
struct Candidate {
  std::size_t mark = 0;        // position of the mark
  std::size_t word_start = 0;  // of the word before it
  std::size_t end = 0;         // of the context: behind the punctuation or the next token
  std::size_t next_start = 0;  // of the next sentence, if this one ends
};

std::optional<Candidate> candidate_at(View text, std::size_t mark) {
  Candidate out{.mark = mark};
  std::size_t at = mark + 1;
  if (!is_mark(text[mark]) || at >= text.size()) return std::nullopt;
  if (ends_word(text[at])) {
    out.end = at + 1;
    out.next_start = at;
    return out;
  }
  while (at < text.size() && python_is_space(text[at])) ++at;
  if (at == mark + 1 || at == text.size()) return std::nullopt;
  out.next_start = at;
  while (at < text.size() && !python_is_space(text[at])) ++at;
  out.end = at;
  return out;
}

std::vector<Candidate> candidates(View text) {
  constexpr View kBlanks = U" \t\n\r\v\f";
  std::vector<Candidate> out;
  Candidate before;
  bool any = false;
  for (std::size_t mark = text.find_first_of(U".?!"); mark != View::npos;
       mark = text.find_first_of(U".?!", mark + 1)) {
    std::optional<Candidate> found = candidate_at(text, mark);
    if (!found) continue;
    const View between = text.substr(before.mark, mark - before.mark);
    const std::size_t blank = between.find_last_of(kBlanks);
    // A blank right at the previous mark's place does not count, as in the original.
    const bool apart = blank != View::npos && blank > 0;
    found->word_start = apart ? before.mark + blank + 1 : before.word_start;
    if (any && before.mark <= found->word_start) out.push_back(before);
    before = *found;
    any = true;
  }
  if (any) out.push_back(before);
  return out;
}

// Length of the closing quotes and brackets at the start of `text` that belong to the sentence
// before, with the white space behind them; 0 for none. `kept` is the length without that space.
std::size_t closing_run(View text, std::size_t& kept) {
  std::size_t at = 0;
  while (at < text.size() && one_of(text[at], U"\"')]}")) {
    ++at;
    if (at < text.size() && !python_is_space(text[at]) && text.substr(at, 2) != U"--") continue;
    kept = at;
    while (at < text.size() && python_is_space(text[at])) ++at;
    return at;
  }
  return 0;
}

}  // namespace

PunktModel parse_punkt_model(std::string_view json, std::string_view source) {
  const Json root = parse_json(json, source);
  PunktModel model;
  for (const Json& word : root.at("abbrev_types").as_array()) {
    model.abbreviations.insert(to_code_points(word.as_string()));
  }
  const Json* starters = root.find("sentence_starters");
  if (starters == nullptr) starters = &root.at("sent_starters");
  for (const Json& word : starters->as_array()) {
    model.sentence_starters.insert(to_code_points(word.as_string()));
  }
  for (const Json& pair : root.at("collocations").as_array()) {
    const Json::Array& words = pair.as_array();
    if (words.size() != 2) {
      throw_input("{}: collocations: expected pairs of words, found {} words", source,
                  words.size());
    }
    std::u32string joined = to_code_points(words[0].as_string());
    joined += kJoin;
    joined += to_code_points(words[1].as_string());
    model.collocations.insert(std::move(joined));
  }
  const Json::Object& contexts = root.at("ortho_context").as_object();
  model.orthography.reserve(contexts.size());
  for (const auto& [word, flags] : contexts) {
    model.orthography.emplace(to_code_points(word), static_cast<int>(flags.as_int()));
  }
  return model;
}

std::vector<View> punkt_sentences(const PunktModel& model, View text) {
  struct Span {
    std::size_t start;
    std::size_t end;
  };
  std::vector<Span> spans;
  std::size_t start = 0;
  for (const Candidate& candidate : candidates(text)) {
    const View context = text.substr(candidate.word_start, candidate.end - candidate.word_start);
    if (!contains_break(model, context)) continue;
    spans.push_back({start, candidate.mark + 1});
    start = candidate.next_start;
  }
  spans.push_back({start, text.size()});
  while (spans.back().end > start && python_is_space(text[spans.back().end - 1])) {
    --spans.back().end;
  }
  std::vector<View> out;
  std::size_t moved = 0;  // characters at the start of a span that went to the sentence before
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const std::size_t from = spans[i].start + moved;
    std::size_t to = spans[i].end;
    moved = 0;
    if (i + 1 < spans.size()) {
      const Span& next = spans[i + 1];
      std::size_t kept = 0;
      if (next.end > next.start) {
        moved = closing_run(text.substr(next.start, next.end - next.start), kept);
      }
      if (moved > 0) to = next.start + kept;
    }
    if (to > from) out.push_back(text.substr(from, to - from));
  }
  return out;
}

}  // namespace assay::evals
