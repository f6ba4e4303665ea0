// Any bytes as a response to one of IFEval's 25 instructions, which the first byte picks: scoring
// is total and repeatable, and what is followed strictly is followed loosely. The first line of the
// response also serves as keyword and marker.
#include <array>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "base/text.h"
#include "evals/benchmark.h"
#include "evals/ifeval/language_data.h"
#include "tests/fuzz/fuzz.h"

namespace assay::fuzz {
namespace {

// $ stands for the first line of the input, as JSON text.
constexpr std::array<std::pair<const char*, const char*>, 25> kInstructions = {{
    {"keywords:existence", R"({"keywords": ["sea", $]})"},
    {"keywords:frequency", R"({"relation": "at least", "keyword": $, "frequency": 2})"},
    {"keywords:forbidden_words", R"({"forbidden_words": [$]})"},
    {"keywords:letter_frequency",
     R"({"let_relation": "less than", "letter": "e", "let_frequency": 4})"},
    {"language:response_language", R"({"language": "de"})"},
    {"length_constraints:number_sentences", R"({"relation": "less than", "num_sentences": 3})"},
    {"length_constraints:number_paragraphs", R"({"num_paragraphs": 2})"},
    {"length_constraints:number_words", R"({"relation": "at least", "num_words": 5})"},
    {"length_constraints:nth_paragraph_first_word",
     R"({"first_word": "the", "num_paragraphs": 2, "nth_paragraph": 1})"},
    {"detectable_content:number_placeholders", R"({"num_placeholders": 2})"},
    {"detectable_content:postscript", R"({"postscript_marker": $})"},
    {"detectable_format:number_bullet_lists", R"({"num_bullets": 2})"},
    {"detectable_format:constrained_response", "{}"},
    {"detectable_format:number_highlighted_sections", R"({"num_highlights": 2})"},
    {"detectable_format:multiple_sections", R"({"section_spliter": $, "num_sections": 2})"},
    {"detectable_format:json_format", "{}"},
    {"detectable_format:title", "{}"},
    {"combination:two_responses", "{}"},
    {"combination:repeat_prompt", R"({"prompt_to_repeat": $})"},
    {"startend:end_checker", R"({"end_phrase": $})"},
    {"startend:quotation", "{}"},
    {"change_case:capital_word_frequency",
     R"({"capital_relation": "at least", "capital_frequency": 2})"},
    {"change_case:english_capital", "{}"},
    {"change_case:english_lowercase", "{}"},
    {"punctuation:no_comma", "{}"},
}};

constexpr const char* kProfiles = R"({
  "de": {"n_words": [90, 90, 90], "freq": {"e": 9, "d": 3, "er": 2, "der": 3, " d": 4}},
  "en": {"n_words": [90, 90, 90], "freq": {"e": 8, "t": 3, "th": 3, "the": 3, " t": 4}}})";
constexpr const char* kPunkt = R"({"abbrev_types": ["mr", "e.g"], "sent_starters": ["the"],
  "collocations": [["##number##", "may"]], "ortho_context": {"the": 46, "sea": 64}})";

const evals::LanguageData& language() {
  static const evals::LanguageData kData = [] {
    evals::LanguageTables tables;
    tables.latin1_excluded = U"\u00a0";
    tables.cjk_first[U'\u4e01'] = U'\u4e00';
    evals::LanguageData data;
    data.punkt = evals::parse_punkt_model(kPunkt, "punkt");
    data.profiles = evals::parse_language_profiles(kProfiles, tables, "profiles");
    return data;
  }();
  return kData;
}

datasets::Sample sample(std::pair<const char*, const char*> instruction, std::string_view word) {
  Json fields;
  fields.set("key", 1);
  fields.set("prompt", "prompt");
  fields.set("instruction_id_list", Json(Json::Array{instruction.first}));
  const std::string arguments = replace_all(instruction.second, "$", json_quote(word));
  fields.set("kwargs", Json(Json::Array{parse_json(arguments, instruction.first)}));
  return evals::find_benchmark("ifeval").to_sample({.dataset = "ifeval", .fields = fields});
}

void check_score(const evals::Score& score, const std::string& what) {
  if (score.verdict == evals::Verdict::kUnscored) {
    ASSAY_CHECK(!score.reason.empty(), what);
    return;
  }
  const bool strict = score.detail.at("strict").as_array().at(0).as_bool();
  const bool loose = score.detail.at("loose").as_array().at(0).as_bool();
  ASSAY_CHECK(!strict || loose, what);
  ASSAY_CHECK(strict == (score.verdict == evals::Verdict::kCorrect), what);
  ASSAY_CHECK(score.value == (strict ? 1.0 : 0.0), what);
}

}  // namespace

std::vector<std::string> seeds() {
  const std::string responses[] = {
      "",
      "the sea\n\nThe sea, e.g. at 5 p.m. May be blue. Mr. Smith saw it! Der Mann?",
      "P.S.\n* one\n* two\n- three\nP.S. last [name] [place]",
      "<<title>>\n\n***\nfirst\n\n***\n\n\"quoted\" *light* **bold**",
      "SECTION 1\nyes\nSECTION 2\n******\nMy answer is yes.",
      "```json\n{\"a\": [1, 2.5e3, \"\\u00e9\", null, true], \"b\": NaN}\n```",
      "a+b*(c|d)?\nTHE SEA. all lower. \xc3\xa4\xc3\xb6\xc3\xbc \xe4\xb8\x81 \xd0\xb4\xd0\xb0",
      "(x+x+)+y\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
      "\xff\xfe\xed\xa0\x80\n\xf0\x9f\x98\x80 http://a.b/c d@e.org can't \xe2\x80\x99s ... --",
  };
  std::vector<std::string> out;
  for (std::size_t i = 0; i < kInstructions.size(); ++i) {
    for (const std::string& response : responses) {
      out.push_back(static_cast<char>('A' + i) + response);
    }
  }
  return out;
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  if (size == 0) return 0;
  const auto& instruction = fuzz::kInstructions[data[0] % fuzz::kInstructions.size()];
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string line =
      replace_invalid_utf8(text.substr(0, std::min<std::size_t>(40, text.find('\n'))));
  const std::string word = line.empty() ? "sea" : line;
  const evals::Benchmark& benchmark = evals::find_benchmark("ifeval");
  const datasets::Sample sample = fuzz::sample(instruction, word);
  for (const evals::LanguageData* language :
       {&fuzz::language(), static_cast<const evals::LanguageData*>(nullptr)}) {
    const evals::Score score = benchmark.score(sample, {.text = text}, {.language = language});
    fuzz::check_score(score, instruction.first);
    const evals::Score again = benchmark.score(sample, {.text = text}, {.language = language});
    ASSAY_CHECK(score == again, instruction.first);
  }
  return 0;
}
