// The oddities of the published files, one test each: what a careless reader would lose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "datasets/load.h"
#include "evals/gpqa/manifest.h"
#include "evals/gsm8k/manifest.h"
#include "evals/humaneval/manifest.h"
#include "evals/ifeval/manifest.h"
#include "evals/math/manifest.h"
#include "evals/math500/manifest.h"
#include "evals/mgsm/manifest.h"
#include "evals/mmlu/manifest.h"
#include "tests/support/shared_data.h"

namespace assay::datasets {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string& text(const Record& record, std::string_view field) {
  return record.fields.at(field).as_string();
}

std::vector<std::string> choices(const Record& record) {
  return {text(record, "A"), text(record, "B"), text(record, "C"), text(record, "D")};
}

bool differs_when_trimmed(const std::string& cell) { return trim_ascii(cell) != cell; }

/// Rows, from 1, of MMLU's `split` for which `holds` is true, as "subject:row".
std::set<std::string> mmlu_rows(const fs::path& folder, const std::string& split,
                                bool (*holds)(const Record&)) {
  std::set<std::string> rows;
  for (const Record& record : load_split(evals::mmlu_manifest(), split, folder).records) {
    if (holds(record)) rows.insert(record.group + ":" + std::to_string(record.row + 1));
  }
  return rows;
}

bool has_none(const Record& record) {
  const auto cells = choices(record);
  return std::count(cells.begin(), cells.end(), "None") > 0;
}

bool has_equal_choices(const Record& record) {
  const auto cells = choices(record);
  return std::set<std::string>(cells.begin(), cells.end()).size() < cells.size();
}

bool has_break(const Record& record) {
  for (const auto& [name, value] : record.fields.as_object()) {
    if (value.as_string().find('\n') != std::string::npos) return true;
  }
  return false;
}

TEST(MmluFiles, TheChoiceNoneIsText) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  EXPECT_EQ(mmlu_rows(folder, "test", has_none),
            (std::set<std::string>{"college_computer_science:11", "college_computer_science:95",
                                   "college_mathematics:9", "college_mathematics:22",
                                   "college_mathematics:61", "college_physics:61",
                                   "electrical_engineering:42", "electrical_engineering:69",
                                   "electrical_engineering:108", "electrical_engineering:118"}));
  EXPECT_EQ(mmlu_rows(folder, "val", has_none).size(), 2U);
}

TEST(MmluFiles, ThirteenRowsHaveEqualChoices) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  std::size_t count = 0;
  for (const char* split : {"dev", "val", "test"}) {
    count += mmlu_rows(folder, split, has_equal_choices).size();
  }
  EXPECT_EQ(count, 13U);
}

TEST(MmluFiles, LineBreaksInsideCellsSurvive) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  EXPECT_EQ(mmlu_rows(folder, "test", has_break).size(), 1127U);
  EXPECT_EQ(mmlu_rows(folder, "val", has_break).size(), 126U);
  EXPECT_EQ(mmlu_rows(folder, "dev", has_break).size(), 32U);
  const auto crlf = [](const Record& record) {
    return text(record, "question").find("\r\n") != std::string::npos;
  };
  EXPECT_FALSE(mmlu_rows(folder, "dev", crlf).empty());
}

TEST(MmluFiles, BlanksAtTheEndsOfQuestionsSurvive) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  const auto blank = [](const Record& record) {
    return differs_when_trimmed(text(record, "question"));
  };
  EXPECT_EQ(mmlu_rows(folder, "test", blank).size(), 962U);  // one more ends in a no-break space
}

TEST(MmluFiles, EveryAnswerIsALetter) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  const auto no_letter = [](const Record& record) {
    const std::string& answer = text(record, "answer");
    return answer.size() != 1 || answer[0] < 'A' || answer[0] > 'D';
  };
  for (const char* split : {"dev", "val", "test"}) {
    EXPECT_TRUE(mmlu_rows(folder, split, no_letter).empty()) << split;
  }
}

TEST(MmluFiles, OneSubjectCanBeReadAlone) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  const auto loaded =
      load_split(evals::mmlu_manifest(), "test", folder, {.group = "professional_law"});
  EXPECT_EQ(loaded.records.size(), 1534U);  // the one file that lies there gzipped
  EXPECT_EQ(loaded.records.back().row, 1533);
}

TEST(GpqaFiles, StrayBlanksSurviveAndDiamondIsPartOfMainOfExtended) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  const auto ids = [&](const char* split, std::size_t blank_questions) {
    std::set<std::string> out;
    std::size_t blank = 0;
    for (const Record& record : load_split(evals::gpqa_manifest(), split, folder).records) {
      out.insert(text(record, "Record ID"));
      blank += differs_when_trimmed(text(record, "Question")) ? 1U : 0U;
    }
    if (blank_questions > 0) {
      EXPECT_EQ(blank, blank_questions) << split;
    }
    return out;
  };
  const auto diamond = ids("diamond", 26);
  const auto main = ids("main", 68);
  const auto extended = ids("extended", 0);
  EXPECT_EQ(diamond.size(), 198U);
  EXPECT_EQ(main.size(), 448U);
  EXPECT_EQ(extended.size(), 546U);
  EXPECT_TRUE(std::includes(main.begin(), main.end(), diamond.begin(), diamond.end()));
  EXPECT_TRUE(std::includes(extended.begin(), extended.end(), main.begin(), main.end()));
}

TEST(GpqaFiles, AWrongPasswordIsAnErrorThatNamesTheMember) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  Manifest manifest = evals::gpqa_manifest();
  for (const char* password : {"", "wrong", "deserted-untie-orchi"}) {
    for (DataFile& file : manifest.files) file.password = password;
    const std::string fault = test::error_message([&] { load_split(manifest, "diamond", folder); });
    EXPECT_THAT(fault, HasSubstr("dataset.zip:dataset/gpqa_diamond.csv")) << password;
    EXPECT_THAT(fault, HasSubstr("password")) << password;
  }
}

TEST(MgsmFiles, QuotesAreTextAndAnswersAgreeAcrossLanguages) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  std::map<std::string, std::vector<std::string>> answers;
  std::size_t spanish_quotes = 0;
  for (const Record& record : load_split(evals::mgsm_manifest(), "test", folder).records) {
    answers[record.group].push_back(text(record, "answer"));
    const bool quote = text(record, "question").find('"') != std::string::npos;
    spanish_quotes += record.group == "es" && quote ? 1U : 0U;
  }
  EXPECT_EQ(answers.size(), 11U);
  EXPECT_EQ(spanish_quotes, 1U);
  for (const auto& [language, list] : answers) EXPECT_EQ(list, answers["en"]) << language;
  EXPECT_EQ(answers["en"][146], "2,125");
}

TEST(MgsmFiles, EnglishIsTheBeginningOfGsm8k) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  const auto gsm8k = load_split(evals::gsm8k_manifest(), "test", folder).records;
  for (const Record& record :
       load_split(evals::mgsm_manifest(), "test", folder, {.group = "en"}).records) {
    const auto row = static_cast<std::size_t>(record.row);
    EXPECT_EQ(text(record, "question"), text(gsm8k[row], "question")) << row;
  }
}

TEST(IfevalFiles, RepeatedInstructionsSurviveAndKwargsHaveTheSameLength) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  std::size_t repeated = 0;
  std::size_t instructions = 0;
  std::set<std::string> ids;
  for (const Record& record : load_split(evals::ifeval_manifest(), "test", folder).records) {
    const auto& list = record.fields.at("instruction_id_list").as_array();
    EXPECT_EQ(list.size(), record.fields.at("kwargs").as_array().size()) << record.place();
    std::set<std::string> here;
    for (const Json& id : list) here.insert(id.as_string());
    ids.insert(here.begin(), here.end());
    instructions += list.size();
    repeated += here.size() < list.size() ? 1U : 0U;
  }
  EXPECT_EQ(repeated, 17U);
  EXPECT_EQ(instructions, 834U);
  EXPECT_EQ(ids.size(), 25U);
}

TEST(MathFiles, TheTarOfTheOriginalFilesGivesTheRowsOfTheJsonLines) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  const Manifest& manifest = evals::math_manifest();
  const auto lines = load_split(manifest, "test", folder).records;
  test::TemporaryFolder tar_only;
  fs::create_directories(tar_only.path() / "math");
  fs::copy_file(folder / "math/MATH_test.tar.gz", tar_only.path() / "math/MATH_test.tar.gz");
  const auto members = load_split(manifest, "test", tar_only.path()).records;
  ASSERT_EQ(members.size(), lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(members[i].row, lines[i].row);
    EXPECT_EQ(lines[i].fields.at("idx").as_int(), lines[i].row);
    for (const char* field : {"problem", "level", "type", "solution"}) {
      EXPECT_EQ(text(members[i], field), text(lines[i], field)) << members[i].file;
    }
  }
}

TEST(Math500Files, EveryProblemIsOneOfMath) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  std::set<std::string> problems;
  for (const Record& record : load_split(evals::math_manifest(), "test", folder).records) {
    problems.insert(text(record, "problem"));
  }
  for (const Record& record : load_split(evals::math500_manifest(), "test", folder).records) {
    EXPECT_EQ(problems.count(text(record, "problem")), 1U) << text(record, "unique_id");
  }
}

TEST(GzipFiles, TruncatedAnywhereTheyAreAnErrorThatNamesTheFile) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  const std::string whole = read_file(folder / "humaneval/HumanEval.jsonl.gz");
  test::TemporaryFolder copy;
  const fs::path path = copy.path() / "humaneval/HumanEval.jsonl.gz";
  fs::create_directories(path.parent_path());
  std::vector<std::size_t> lengths = {0, 1, 2, 5, 9, 10, 11, 100, 20'000};
  for (std::size_t cut = 1; cut <= 20; ++cut) lengths.push_back(whole.size() - cut);
  for (const std::size_t length : lengths) {
    write_file_atomic(path, whole.substr(0, length));
    const std::string fault = test::error_message(
        [&] { load_split(evals::humaneval_manifest(), "test", copy.path(), {.custom = true}); });
    EXPECT_THAT(fault, HasSubstr("HumanEval.jsonl.gz")) << length;
    EXPECT_THAT(fault, HasSubstr("gzip")) << length;
  }
}

TEST(GzipFiles, ABombIsRefused) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  Manifest manifest{.name = "bomb"};
  manifest.files.push_back({.path = "bomb.jsonl", .split = "test"});
  test::TemporaryFolder at;
  const std::string command =
      "head -c 30000000 /dev/zero | gzip -9 > '" + (at.path() / "bomb.jsonl.gz").string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_THAT(
      test::error_message([&] { load_split(manifest, "test", at.path(), {.custom = true}); }),
      HasSubstr("unpacks to more than is accepted"));
}

}  // namespace
}  // namespace assay::datasets
