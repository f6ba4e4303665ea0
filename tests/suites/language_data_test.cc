// Language data from every form and place it can stand in; bad files named in one line; the
// published verdicts of IFEval by way of files.
#include "suites/language_data.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "base/file.h"
#include "base/text.h"
#include "suites/score_file.h"
#include "tests/support/shared_data.h"

namespace assay::suites {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPunkt =
    R"({"abbrev_types": ["mr"], "sent_starters": [], "collocations": [], "ortho_context": {}})";
constexpr const char* kProfiles = R"({
  "en": {"n_words": [9, 9, 9], "freq": {"t": 3, "th": 3, "the": 3}},
  "de": {"n_words": [9, 9, 9], "freq": {"d": 3, "de": 3, "der": 3}}})";
constexpr const char* kTables = R"({"latin1_excluded": "\u00a0", "cjk_groups": ["\u4e00\u4e01"],
  "vi_base_characters": "AE", "vi_marks": "\u0300", "vi_composed_by_mark": ["\u00c0\u00c8"]})";
constexpr const char* kProperties =
    "NGram.LATIN1_EXCLUDE=\\u00A0\n"
    "NGram.KANJI_1_0=\\u4E00\\u4E01\n"
    "TO_NORMALIZE_VI_CHARS=AE\n"
    "NORMALIZED_VI_CHARS_0300=\\u00C0\\u00C8\n";

class LanguageDataTest : public ::testing::Test {
 protected:
  fs::path write(const std::string& path, std::string_view content) {
    fs::create_directories((folder_.path() / path).parent_path());
    write_file_atomic(folder_.path() / path, content);
    return folder_.path() / path;
  }
  void write_packed(const std::string& folder) {
    write(folder + "/langdetect_profiles.json.gz", kProfiles);
    write(folder + "/langdetect_tables.json", kTables);
  }
  void write_package(const std::string& folder) {
    for (const auto& [name, profile] : parse_json(kProfiles, "profiles").as_object()) {
      write(fmt::format("{}/profiles/{}", folder, name), profile.dump());
    }
    write(folder + "/utils/messages.properties", kProperties);
  }
  [[nodiscard]] fs::path at(const std::string& path) const { return folder_.path() / path; }
  static std::string guess(const evals::LanguageData& data, std::u32string_view text) {
    const auto found = evals::detect_language(*data.profiles, text);
    return found.guesses.empty() ? "" : found.guesses[0].language;
  }
  test::TemporaryFolder folder_;
};

TEST_F(LanguageDataTest, EachPartIsTakenFromTheFirstFolderThatHasIt) {
  write("first/punkt_english.json", kPunkt);
  write("second/punkt_english.json", "never read");
  write_package("second");
  const auto data = load_language_data({.named = at("first"), .others = {at("no"), at("second")}});
  EXPECT_TRUE(data->punkt.has_value());
  ASSERT_TRUE(data->profiles.has_value());
  EXPECT_EQ(data->profiles->languages(), (std::vector<std::string>{"de", "en"}));
  EXPECT_NE(data->status.find(at("first/punkt_english.json").string()), std::string::npos);
  EXPECT_NE(data->status.find("2 langdetect profiles of " + at("second/profiles").string()),
            std::string::npos)
      << data->status;
}

TEST_F(LanguageDataTest, PackedAndPackageFormsAreTheSameData) {
  write_packed("packed");
  write_package("package");
  const auto packed = load_language_data({.named = at("packed"), .others = {}});
  const auto package = load_language_data({.named = at("package"), .others = {}});
  for (const std::u32string_view text : {U"the the the", U"der der", U"\u4e01", U"de th"}) {
    EXPECT_EQ(guess(*packed, text), guess(*package, text));
  }
  EXPECT_EQ(guess(*packed, U"the the the"), "en");
  const auto& a = packed->profiles->tables();
  const auto& b = package->profiles->tables();
  EXPECT_EQ(a.latin1_excluded, b.latin1_excluded);
  EXPECT_EQ(a.cjk_first, b.cjk_first);
  EXPECT_EQ(a.vietnamese, b.vietnamese);
}

TEST_F(LanguageDataTest, WhatIsNowhereHasAStandInAndTheStatusSaysSo) {
  const auto data = load_language_data({.named = "", .others = {at("no")}});
  EXPECT_FALSE(data->punkt.has_value());
  EXPECT_FALSE(data->profiles.has_value());
  EXPECT_EQ(data->status,
            "sentences: ICU rules, as no Punkt model was found; languages: CLD2, as no langdetect "
            "profiles were found");
}

TEST_F(LanguageDataTest, OnlySuitesWithIfevalReadIt) {
  write_packed("data/language_data");
  EXPECT_EQ(language_data_for({.tasks = {{.task = "gsm8k"}}}, at("data")), nullptr);
  const Suite suite{.tasks = {{.task = "gsm8k"}, {.task = "ifeval"}}};
  ::unsetenv("ASSAY_LANGUAGE_DATA");
  const auto found = language_data_for(suite, at("data"));
  ASSERT_NE(found, nullptr);
  EXPECT_NE(found->status.find(at("data/language_data").string()), std::string::npos);
  write("named/punkt_english.json", kPunkt);
  ::setenv("ASSAY_LANGUAGE_DATA", at("named").c_str(), 1);
  EXPECT_TRUE(language_data_for(suite, at("data"))->punkt.has_value());
  ::unsetenv("ASSAY_LANGUAGE_DATA");
}

TEST_F(LanguageDataTest, ANamedFolderWithoutAnyPartIsAnError) {
  for (const char* folder : {"missing", "empty"}) {
    fs::create_directories(at("empty"));
    const std::string error =
        test::error_message([&] { (void)load_language_data({.named = at(folder), .others = {}}); });
    EXPECT_TRUE(error.starts_with("ASSAY_LANGUAGE_DATA: " + at(folder).string())) << error;
  }
}

TEST_F(LanguageDataTest, EveryMalformedFileIsNamedInOneLine) {
  struct Case {
    const char* file;
    const char* content;
  };
  const Case cases[] = {
      {"punkt_english.json", "{"},
      {"punkt_english.json", "{}"},
      {"punkt_english.json", R"({"abbrev_types": [1]})"},
      {"langdetect_profiles.json.gz", "{}"},
      {"langdetect_profiles.json.gz", "\x1f\x8b\x08zzzz"},
      {"langdetect_profiles.json.gz", R"({"en": 1})"},
      {"langdetect_profiles.json.gz", R"({"en": {"n_words": [1, 1], "freq": {}}})"},
      {"langdetect_profiles.json.gz", R"({"en": {"n_words": [0, 1, 1], "freq": {}}})"},
      {"langdetect_profiles.json.gz", R"({"en": {"n_words": [2, 1, 1], "freq": {"a": 3}}})"},
      {"langdetect_profiles.json.gz", R"({"en": {"n_words": [2, 1, 1], "freq": {"a": -1}}})"},
      {"langdetect_tables.json", "{}"},
      {"langdetect_tables.json", R"({"latin1_excluded": "", "cjk_groups": "", })"},
      {"profiles/en", "[]"},
      {"utils/messages.properties", ""},
  };
  int number = 0;
  for (const Case& bad : cases) {
    const std::string folder = fmt::format("case{}", number++);
    write(folder + "/punkt_english.json", kPunkt);
    if (std::string_view(bad.file).find('/') == std::string_view::npos) {
      write_packed(folder);
    } else {
      write_package(folder);
    }
    const fs::path path = write(folder + "/" + bad.file, bad.content);
    const std::string error =
        test::error_message([&] { (void)load_language_data({.named = at(folder), .others = {}}); });
    EXPECT_TRUE(error.starts_with(path.string()))
        << bad.file << ' ' << bad.content << ": " << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
  }
}

TEST_F(LanguageDataTest, ProfilesWithoutTheirTablesAreAnError) {
  write_packed("packed");
  fs::remove(at("packed/langdetect_tables.json"));
  write_package("package");
  fs::remove(at("package/utils/messages.properties"));
  for (const auto& [folder, file] : {std::pair("packed", "packed/langdetect_tables.json"),
                                     std::pair("package", "package/utils/messages.properties")}) {
    const fs::path named = at(folder);
    const std::string error =
        test::error_message([&] { (void)load_language_data({.named = named, .others = {}}); });
    EXPECT_TRUE(error.starts_with(at(file).string())) << error;
  }
}

TEST_F(LanguageDataTest, TheSharedFilesDetectTheSameInBothForms) {
  ASSAY_SHARED_OR_SKIP(shared, "language_data");
  ASSAY_SHARED_OR_SKIP(vectors, "vectors/langdetect.jsonl");
  const std::string profiles = read_file_gunzip(shared / "langdetect_profiles.json.gz");
  for (const auto& [name, profile] : parse_json(profiles, "profiles").as_object()) {
    write("package/profiles/" + name, profile.dump());
  }
  // The package's own table file is not in the shared data; an equal one is made from the JSON.
  const Json tables = parse_json(read_file(shared / "langdetect_tables.json"), "tables");
  const auto escapes = [](const std::string& text) {
    std::string out;
    for (const char32_t c : to_code_points(text)) {
      out += fmt::format("\\u{:04X}", static_cast<std::uint32_t>(c));
    }
    return out;
  };
  std::string lines = "NGram.LATIN1_EXCLUDE=" + escapes(tables.at("latin1_excluded").as_string());
  int number = 0;
  for (const Json& group : tables.at("cjk_groups").as_array()) {
    lines += fmt::format("\nNGram.KANJI_1_{}={}", number++, escapes(group.as_string()));
  }
  lines += "\nTO_NORMALIZE_VI_CHARS=" + escapes(tables.at("vi_base_characters").as_string()) + "\n";
  std::u32string marks = to_code_points(tables.at("vi_marks").as_string());
  std::sort(marks.begin(), marks.end());
  for (std::size_t i = 0; i < marks.size(); ++i) {
    lines += fmt::format("NORMALIZED_VI_CHARS_{:04X}={}\n", static_cast<std::uint32_t>(marks[i]),
                         escapes(tables.at("vi_composed_by_mark").as_array()[i].as_string()));
  }
  write("package/utils/messages.properties", lines);
  const auto packed = load_language_data({.named = shared, .others = {}});
  const auto package = load_language_data({.named = at("package"), .others = {}});
  for (const Json& vector : test::read_jsonl(vectors)) {
    const std::u32string text = to_code_points(vector.at("text").as_string());
    EXPECT_EQ(guess(*packed, text), guess(*package, text)) << vector.dump();
  }
}

// As docs/measurements/ifeval.md: GPT-4's published responses, without the two prompts whose
// published checker draws a random letter; two scoring threads share the data.
TEST_F(LanguageDataTest, PublishedIfevalVerdictsAreReproducedFromFiles) {
  ASSAY_SHARED_OR_SKIP(shared, "language_data");
  ASSAY_SHARED_OR_SKIP(datasets, "datasets");
  ASSAY_SHARED_OR_SKIP(input, "datasets/ifeval/input_data.jsonl");
  ASSAY_SHARED_OR_SKIP(strict_path, "labelled/ifeval/eval_results_strict.jsonl.gz");
  ASSAY_SHARED_OR_SKIP(loose_path, "labelled/ifeval/eval_results_loose.jsonl.gz");
  std::map<std::string, std::string> ids;
  for (const Json& row : test::read_jsonl(input)) {
    ids[row.at("prompt").as_string()] = fmt::format("ifeval/{}", row.at("key").as_int());
  }
  struct Followed {
    Json strict, loose;
  };
  std::map<std::string, Followed> published;
  std::string lines;
  for (const Json& row : test::read_jsonl(strict_path)) {
    const std::string& id = ids.at(row.at("prompt").as_string());
    published[id].strict = row.at("follow_instruction_list");
    Json line;
    line.set("id", id);
    line.set("response", row.at("response"));
    lines += line.dump() + "\n";
  }
  for (const Json& row : test::read_jsonl(loose_path)) {
    published.at(ids.at(row.at("prompt").as_string())).loose = row.at("follow_instruction_list");
  }
  const auto language = load_language_data({.named = shared, .others = {}});
  const ScoredFile scored = score_file({.task = "ifeval",
                                        .data = datasets,
                                        .responses = write("responses.jsonl", lines),
                                        .threads = 2,
                                        .language = language.get()});
  int compared = 0;
  for (std::size_t i = 0; i < scored.scores.size(); ++i) {
    const Json verdict = scored.verdict(i);
    const std::string& id = verdict.at("id").as_string();
    if (id == "ifeval/1122" || id == "ifeval/1129") continue;
    const auto& [strict, loose] = published.at(id);
    EXPECT_EQ(verdict.at("detail").at("strict"), strict) << id;
    EXPECT_EQ(verdict.at("detail").at("loose"), loose) << id;
    ++compared;
  }
  EXPECT_EQ(compared, 538);
  const std::map<std::string, std::pair<double, double>> expected = {
      {"prompt_strict_without_random", {415, 538}},
      {"prompt_loose_without_random", {429, 538}},
      {"instruction_strict_without_random", {693, 828}},
      {"instruction_loose_without_random", {709, 828}}};
  for (const auto& [name, counts] : expected) {
    const evals::MetricValue* metric = scored.aggregate.find(name);
    ASSERT_NE(metric, nullptr) << name;
    EXPECT_DOUBLE_EQ(metric->count, counts.first) << name;
    EXPECT_DOUBLE_EQ(metric->of, counts.second) << name;
  }
  EXPECT_EQ(scored.aggregate.metrics.front().name, "mean_of_four");
  EXPECT_EQ(scored.summary().at("language_data").as_string(), language->status);
}

TEST_F(LanguageDataTest, WithoutProfilesAnotherDetectorJudgesAndTheRunSaysSo) {
  ASSAY_SHARED_OR_SKIP(datasets, "datasets");
  ASSAY_SHARED_OR_SKIP(input, "datasets/ifeval/input_data.jsonl");
  std::string id;
  for (const Json& row : test::read_jsonl(input)) {
    if (row.at("instruction_id_list").dump() == R"(["language:response_language"])" &&
        row.at("kwargs").dump() == R"([{"language":"de"}])") {
      id = fmt::format("ifeval/{}", row.at("key").as_int());
    }
  }
  ASSERT_FALSE(id.empty());
  const auto language = load_language_data({.named = "", .others = {}});
  const std::string lines = fmt::format(
      "{{\"id\": \"{0}\", \"response\": \"Der Hund schläft unter dem Tisch.\"}}\n"
      "{{\"id\": \"{0}\", \"response\": \"The dog sleeps below the table.\"}}\n",
      id);
  const ScoredFile scored = score_file({.task = "ifeval",
                                        .data = datasets,
                                        .responses = write("r.jsonl", lines),
                                        .language = language.get()});
  EXPECT_EQ(scored.aggregate.unscored, 0);
  EXPECT_EQ(scored.scores[0].verdict, evals::Verdict::kCorrect);
  EXPECT_EQ(scored.scores[1].verdict, evals::Verdict::kIncorrect);
  EXPECT_NE(scored.summary().at("language_data").as_string().find("CLD2"), std::string::npos);
}

}  // namespace
}  // namespace assay::suites
