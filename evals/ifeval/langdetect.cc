#include "evals/ifeval/langdetect.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/python_random.h"
#include "evals/extract/python_text.h"

namespace assay::evals {

namespace {

using Text = std::u32string;
using View = std::u32string_view;

constexpr std::size_t kMaxCharacters = 10'000;
constexpr int kTrials = 7;
constexpr int kMaxDraws = 1000;
constexpr double kConverged = 0.99999;
constexpr double kReported = 0.1;

bool ascii_word(char32_t c, View more) {
  return c < 0x80 && ((c != '_' && python_is_word(c)) || more.find(c) != View::npos);
}

std::size_t run(View text, std::size_t at, std::size_t most, View more) {
  std::size_t end = at;
  while (end < text.size() && end - at < most && ascii_word(text[end], more)) ++end;
  return end - at;
}

Text without_urls(View text) {
  Text out;
  for (std::size_t at = 0; at < text.size();) {
    const View rest = text.substr(at);
    const std::size_t scheme = rest.starts_with(U"http://")    ? 7
                               : rest.starts_with(U"https://") ? 8
                                                               : 0;
    const std::size_t body = scheme == 0 ? 0 : run(text, at + scheme, 2076, U"-_.?&~;+=/#");
    if (body > 0) {
      out += U' ';
      at += scheme + body;
    } else {
      out += text[at++];
    }
  }
  return out;
}

Text without_mail(View text) {
  Text out;
  std::size_t local = 0;  // length of the run of address characters before `at`, as copied to out
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == U'@' && local > 0) {
      const std::size_t first = run(text, at + 1, 255, U"-_");
      const std::size_t more = run(text, at + 1 + first, 255, U"-_.");
      if (first + more >= 2 && first >= 1) {
        out.resize(out.size() - std::min<std::size_t>(local, 64));
        out += U' ';
        at += 1 + first + more;
        local = 0;
        continue;
      }
    }
    local = ascii_word(text[at], U"-_.") ? local + 1 : 0;
    out += text[at++];
  }
  return out;
}

Text composed_vietnamese(const LanguageTables& tables, View text) {
  Text out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at + 1 < text.size() && text[at + 1] >= 0x300 && text[at + 1] < 0x370) {
      const auto found = tables.vietnamese.find((std::uint64_t{text[at]} << 32) | text[at + 1]);
      if (found != tables.vietnamese.end()) {
        out += found->second;
        ++at;
        continue;
      }
    }
    out += text[at];
  }
  return out;
}

Text cleaned(const LanguageTables& tables, View text) {
  const Text whole = composed_vietnamese(tables, without_mail(without_urls(text)));
  Text out;
  char32_t before = 0;
  for (const char32_t c : View(whole).substr(0, kMaxCharacters)) {
    if (c != U' ' || before != U' ') out += c;
    before = c;
  }
  const auto latin = [](char32_t c) { return c >= 'A' && c <= 'z'; };
  const auto foreign = [](char32_t c) { return c >= 0x300 && !(c >= 0x1E00 && c <= 0x1EFF); };
  if (2 * std::count_if(out.begin(), out.end(), latin) <
      std::count_if(out.begin(), out.end(), foreign)) {
    std::erase_if(out, latin);
  }
  return out;
}

char32_t normalised(const LanguageTables& tables, char32_t c) {
  const auto within = [c](char32_t low, char32_t high) { return c >= low && c <= high; };
  if (c < 0x80) return ascii_word(c, U"") && !(c >= '0' && c <= '9') ? c : U' ';
  if (c < 0x100) return tables.latin1_excluded.find(c) != Text::npos ? U' ' : c;
  if (c == 0x219) return 0x15F;
  if (c == 0x21B) return 0x163;
  if (c == 0x6CC) return 0x64A;
  if (within(0x1EA0, 0x1EFF)) return 0x1EC3;
  if (within(0x2000, 0x206F)) return U' ';
  if (within(0x3040, 0x309F)) return 0x3042;
  if (within(0x30A0, 0x30FF)) return 0x30A2;
  if (within(0x3100, 0x312F) || within(0x31A0, 0x31BF)) return 0x3105;
  if (within(0xAC00, 0xD7AF)) return 0xAC00;
  const auto found = tables.cjk_first.find(c);
  return found == tables.cjk_first.end() ? c : found->second;
}

// The n-grams that end at each character, in order; words of capitals yield none.
std::vector<LanguageProfiles::Range> features(const LanguageProfiles& profiles, View text) {
  std::vector<LanguageProfiles::Range> out;
  Text grams = U" ";
  bool capitals = false;
  for (const char32_t raw : text) {
    const char32_t c = normalised(profiles.tables(), raw);
    const char32_t before = grams.back();
    if (before == U' ') {
      grams.assign(1, U' ');  // not U" ": GCC 12 warns of overlap in its own header at -O2
      capitals = false;
      if (c == U' ') continue;
    } else if (grams.size() >= 3) {
      grams.erase(0, 1);
    }
    grams += c;
    capitals = python_is_upper(c) && (capitals || python_is_upper(before));
    if (capitals) continue;
    for (std::size_t n = 1; n <= grams.size(); ++n) {
      if (n == 1 && c == U' ') continue;
      const LanguageProfiles::Range range = profiles.find(View(grams).substr(grams.size() - n));
      if (range.count > 0) out.push_back(range);
    }
  }
  return out;
}

double normalise(std::vector<double>& probabilities) {
  double sum = 0;
  for (const double p : probabilities) sum += p;
  double largest = 0;
  for (double& p : probabilities) {
    p /= sum;
    largest = std::max(largest, p);
  }
  return largest;
}

std::vector<double> mean_of_trials(const LanguageProfiles& profiles,
                                   const std::vector<LanguageProfiles::Range>& grams,
                                   std::uint64_t seed) {
  const std::size_t count = profiles.languages().size();
  std::vector<double> mean(count, 0.0);
  PythonRandom random(seed);
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> current(count, 1.0 / static_cast<double>(count));
    const double weight = (0.5 + random.gauss(0.0, 1.0) * 0.05) / 10000.0;
    for (int draw = 0;; ++draw) {
      const LanguageProfiles::Range range = grams[random.choice(grams.size())];
      std::vector<double> factor(count, weight);
      for (std::uint32_t i = 0; i < range.count; ++i) {
        const LanguageProfiles::Share& share = profiles.shares()[range.first + i];
        factor[share.language] = weight + share.probability;
      }
      for (std::size_t i = 0; i < count; ++i) current[i] *= factor[i];
      if (draw % 5 == 0 && (normalise(current) > kConverged || draw >= kMaxDraws)) break;
    }
    for (std::size_t i = 0; i < count; ++i) mean[i] += current[i] / kTrials;
  }
  return mean;
}

std::uint64_t pack(View gram) {
  std::uint64_t out = 0;
  for (const char32_t c : gram) out = (out << 21) | c;
  return out;
}

std::uint64_t mark_key(char32_t base, char32_t mark) { return (std::uint64_t{base} << 32) | mark; }

void add_vietnamese(LanguageTables& tables, View bases, char32_t mark, View composed,
                    std::string_view source) {
  if (bases.size() != composed.size()) {
    throw_input("{}: Vietnamese table: {} bases but {} composed characters", source, bases.size(),
                composed.size());
  }
  for (std::size_t i = 0; i < bases.size(); ++i) {
    tables.vietnamese[mark_key(bases[i], mark)] = composed[i];
  }
}

void add_group(LanguageTables& tables, View group) {
  for (const char32_t c : group) tables.cjk_first[c] = group.front();
}

Text unescape(std::string_view value) {
  Text out;
  for (std::size_t at = 0; at < value.size();) {
    if (value.substr(at).starts_with("\\u") && at + 6 <= value.size()) {
      out += static_cast<char32_t>(
          std::strtoul(std::string(value.substr(at + 2, 4)).c_str(), nullptr, 16));
      at += 6;
    } else {
      out += static_cast<unsigned char>(value[at++]);
    }
  }
  return out;
}

}  // namespace

void LanguageProfiles::add(std::size_t index, const Json& profile, std::string_view source) {
  const Json::Array& totals = profile.at("n_words").as_array();
  if (totals.size() != 3) throw_input("{}: n_words: expected 3 totals", source);
  for (const Json& total : totals) {
    if (total.as_int() < 1) throw_input("{}: n_words: totals must be 1 or more", source);
  }
  for (const auto& [word, count] : profile.at("freq").as_object()) {
    const Text gram = to_code_points(word);
    if (gram.empty() || gram.size() > 3) continue;
    const std::int64_t total = totals[gram.size() - 1].as_int();
    if (count.as_int() < 1 || count.as_int() > total) {
      throw_input("{}: freq of \"{}\": expected 1 to {}", source, escaped(word, 40), total);
    }
    entries_.push_back(
        {pack(gram),
         {static_cast<std::uint32_t>(index), count.as_double() / static_cast<double>(total)}});
  }
}

void LanguageProfiles::finish() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.gram < b.gram; });
  index_.reserve(entries_.size() / 2);
  for (const Entry& entry : entries_) {
    const auto at = static_cast<std::uint32_t>(shares_.size());
    index_.try_emplace(entry.gram, Range{at, 0}).first->second.count += 1;
    shares_.push_back(entry.share);
  }
  entries_ = {};
}

LanguageProfiles::Range LanguageProfiles::find(View gram) const {
  const auto found = index_.find(pack(gram));
  return found == index_.end() ? Range{0, 0} : found->second;
}

LanguageGuesses detect_language(const LanguageProfiles& profiles, View text, std::uint64_t seed) {
  LanguageGuesses out;
  const auto grams = features(profiles, cleaned(profiles.tables(), text));
  out.no_features = grams.empty();
  if (out.no_features) return out;
  const std::vector<double> mean = mean_of_trials(profiles, grams, seed);
  for (std::size_t i = 0; i < mean.size(); ++i) {
    if (mean[i] > kReported) out.guesses.push_back({profiles.languages()[i], mean[i]});
  }
  std::stable_sort(
      out.guesses.begin(), out.guesses.end(),
      [](const LanguageGuess& a, const LanguageGuess& b) { return a.probability > b.probability; });
  return out;
}

LanguageTables parse_language_tables(const Json& tables, std::string_view source) {
  LanguageTables out;
  out.latin1_excluded = to_code_points(tables.at("latin1_excluded").as_string());
  for (const Json& group : tables.at("cjk_groups").as_array()) {
    add_group(out, to_code_points(group.as_string()));
  }
  const Text bases = to_code_points(tables.at("vi_base_characters").as_string());
  const Text marks = to_code_points(tables.at("vi_marks").as_string());
  const Json::Array& rows = tables.at("vi_composed_by_mark").as_array();
  if (rows.size() != marks.size()) throw_input("{}: vi_composed_by_mark: wrong length", source);
  // The rows stand in the order of the marks' code points, whatever order `vi_marks` has.
  Text sorted = marks;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    add_vietnamese(out, bases, sorted[i], to_code_points(rows[i].as_string()), source);
  }
  return out;
}

LanguageTables parse_language_properties(std::string_view text, std::string_view source) {
  constexpr std::string_view kComposed = "NORMALIZED_VI_CHARS_";
  LanguageTables out;
  Text bases;
  std::vector<std::pair<char32_t, Text>> rows;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = trim_ascii(line.substr(0, equals));
    const Text value = unescape(trim_ascii(line.substr(equals + 1)));
    if (name == "NGram.LATIN1_EXCLUDE") out.latin1_excluded = value;
    if (name == "TO_NORMALIZE_VI_CHARS") bases = value;
    if (name.starts_with("NGram.KANJI_")) add_group(out, value);
    if (name.starts_with(kComposed)) {
      const std::string mark(name.substr(kComposed.size()));
      rows.emplace_back(static_cast<char32_t>(std::strtoul(mark.c_str(), nullptr, 16)), value);
    }
  }
  for (const auto& [mark, composed] : rows) add_vietnamese(out, bases, mark, composed, source);
  if (out.latin1_excluded.empty() || out.cjk_first.empty() || out.vietnamese.empty()) {
    throw_input("{}: character tables of the normalisation are missing", source);
  }
  return out;
}

}  // namespace assay::evals
