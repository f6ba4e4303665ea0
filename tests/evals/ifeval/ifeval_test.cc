#include "base/file.h"
#include "base/text.h"
#include "evals/ifeval/instruction.h"
#include "evals/ifeval/language_data.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

LanguageData language_data(const std::filesystem::path& folder) {
  LanguageData out;
  out.punkt = parse_punkt_model(read_file(folder / "punkt_english.json"), "punkt_english.json");
  out.profiles = parse_language_profiles(read_file_gunzip(folder / "langdetect_profiles.json.gz"),
                                         read_file(folder / "langdetect_tables.json"), "profiles");
  return out;
}

TEST(Ifeval, DetectsTheLanguageThatThePublishedDetectorDoes) {
  ASSAY_SHARED_OR_SKIP(folder, "language_data");
  ASSAY_SHARED_OR_SKIP(path, "vectors/langdetect.jsonl");
  const LanguageData data = language_data(folder);
  for (const Json& vector : test::read_jsonl(path)) {
    const auto found =
        detect_language(*data.profiles, to_code_points(vector.at("text").as_string()));
    const std::string best = found.no_features       ? "<exception>"
                             : found.guesses.empty() ? "unknown"
                                                     : found.guesses[0].language;
    EXPECT_EQ(best, vector.at("seed0").as_string()) << vector.dump();
  }
}

TEST(Ifeval, SplitsSentencesAsPunktDoes) {
  ASSAY_SHARED_OR_SKIP(folder, "language_data");
  ASSAY_SHARED_OR_SKIP(path, "vectors/ifeval_tokenization.jsonl");
  const LanguageData data = language_data(folder);
  for (const Json& vector : test::read_jsonl(path)) {
    Json found{Json::Array{}};
    for (const auto& s : sentences(&data, to_code_points(vector.at("text").as_string()))) {
      found.push_back(to_utf8(s));
    }
    EXPECT_EQ(found, vector.at("sentences")) << vector.dump();
  }
}

TEST(Ifeval, ChecksAsThePublishedCheckersDo) {
  ASSAY_SHARED_OR_SKIP(folder, "language_data");
  ASSAY_SHARED_OR_SKIP(path, "vectors/ifeval.jsonl");
  const LanguageData data = language_data(folder);
  for (const Json& vector : test::read_jsonl(path)) {
    if (vector.at("strict").is_null()) continue;
    const Instruction in = parse_instruction(vector.at("instruction_id").as_string(),
                                             vector.at("kwargs"), "", vector.at("id").as_string());
    const std::u32string text = to_code_points(vector.at("response").as_string());
    EXPECT_EQ(follows_strict(in, text, &data) == Followed::kYes, vector.at("strict").as_bool())
        << vector.dump();
    EXPECT_EQ(follows_loose(in, text, &data) == Followed::kYes, vector.at("loose").as_bool())
        << vector.dump();
  }
}

}  // namespace
}  // namespace assay::evals
