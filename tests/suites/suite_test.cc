#include "suites/suite.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "evals/benchmark.h"
#include "tests/support/shared_data.h"

namespace assay::suites {
namespace {

std::string task_name() { return std::string(evals::all_benchmarks().front()->name()); }

class SuiteFile : public ::testing::Test {
 protected:
  void SetUp() override {
    if (evals::all_benchmarks().empty()) GTEST_SKIP() << "no benchmark is built in";
  }
  std::filesystem::path write(const std::string& name, const std::string& text) {
    write_file_atomic(folder_.path() / name, text);
    return folder_.path() / name;
  }
  std::string error_of(const std::string& text) {
    const auto path = write("s.jsonc", text);
    std::string message = test::error_message([&] { (void)load_suite(path); });
    const std::size_t at = message.find("s.jsonc");
    return at == std::string::npos ? message : message.substr(at);
  }
  test::TemporaryFolder folder_;
};

TEST_F(SuiteFile, FullFormIsRead) {
  const auto path = write("s.jsonc", R"({
    "assay_suite": 1, "name": "n", // comment
    "models": [ { "path": "m", "settings": ["bf16", { "precision": "fp8", "kv": "fp8" }] },
                "dummy:x" ],
    "settings": ["fp8-tensor+kv-fp8"],
    "engine": { "threads": 2, "prefix_cache": false },
    "tasks": [ { "task": ")" + task_name() +
                                         R"(", "limit": 3, "sampling": { "temperature": 0.5 } } ],
  })");
  const Suite suite = load_suite(path);
  ASSERT_EQ(suite.models.size(), 2U);
  EXPECT_EQ(suite.models[0].path, (folder_.path() / "m").string());
  EXPECT_EQ(setting_name(suite.models[0].settings[1]), "fp8+kv-fp8");
  EXPECT_EQ(suite.models[1].path, "dummy:x");
  EXPECT_EQ(setting_name(suite.models[1].settings[0]), "fp8-tensor+kv-fp8");
  EXPECT_EQ(suite.tasks[0].limit, 3);
  EXPECT_FALSE(suite.tasks[0].protocol.empty());
  EXPECT_EQ(suite.tasks[0].sampling.temperature, 0.5);
  EXPECT_FALSE(suite.engine.prefix_cache);
}

TEST_F(SuiteFile, MisspeltKeysNameLineColumnAndSuggestion) {
  EXPECT_EQ(
      error_of(
          "{ \"assay_suite\": 1, \"name\": \"n\", \"model\": \"m\",\n \"tasks\": [ { \"task\": \"" +
          task_name() + "\",\n  \"limt\": 3 } ] }"),
      "s.jsonc:3:11: tasks[0]: unknown key \"limt\" (did you mean \"limit\"?)");
  EXPECT_NE(
      error_of("{ \"assay_suite\": 1, \"name\": \"n\", \"model\": \"m\", \"tasks\": [\"nope\"] }")
          .find("unknown task \"nope\""),
      std::string::npos);
  EXPECT_NE(error_of("{ \"assay_suite\": 2 }").find("from 1 to 1"), std::string::npos);
  EXPECT_NE(error_of("{ \"name\": \"n\" }").find("assay_suite"), std::string::npos);
}

TEST_F(SuiteFile, TheSameTaskTwiceIsRefused) {
  const std::string task = '"' + task_name() + '"';
  EXPECT_NE(error_of("{ \"assay_suite\": 1, \"name\": \"n\", \"model\": \"m\", \"tasks\": [" +
                     task + "," + task + "] }")
                .find("twice"),
            std::string::npos);
}

TEST_F(SuiteFile, ParentsMergeObjectsAndReplaceLists) {
  write("base.jsonc",
        R"({ "assay_suite": 1, "name": "base", "model": "m",
    "engine": { "tp": 2, "threads": 3 }, "tasks": [")" +
            task_name() + R"("] })");
  const auto child =
      write("s.jsonc", R"({ "extends": "base.jsonc", "name": "child", "engine": { "tp": 4 } })");
  const Suite suite = load_suite(child);
  EXPECT_EQ(suite.name, "child");
  EXPECT_EQ(suite.engine.tp, 4);
  EXPECT_EQ(suite.engine.threads, 3);
  EXPECT_NE(suite.sha256, load_suite(folder_.path() / "base.jsonc").sha256);
  write("base.jsonc", R"({ "extends": "s.jsonc" })");
  EXPECT_NE(test::error_message([&] { (void)load_suite(child); }).find("extends"),
            std::string::npos);
}

TEST_F(SuiteFile, DigestIgnoresCommentsAndOrderOfKeys) {
  const std::string task = task_name();
  const auto a =
      write("a.jsonc", "{ \"assay_suite\": 1, \"name\": \"n\", \"model\": \"m\", \"tasks\": [\"" +
                           task + "\"] }");
  const auto b = write("b.jsonc", "{ \"name\": \"n\", // x\n \"tasks\": [\"" + task +
                                      "\",], \"model\": \"m\", \"assay_suite\": 1 }");
  EXPECT_EQ(load_suite(a).sha256, load_suite(b).sha256);
}

TEST_F(SuiteFile, OverridesAndNumericsAreReadAndMisspeltOnesAreNamed) {
  const std::string tasks = R"("tasks": [ ")" + task_name() + R"(" ] })";
  const auto path = write("s.jsonc", R"({ "assay_suite": 1, "name": "n", "model": "m",
    "settings": [ { "precision": "fp8", "overrides": { "lm_head": "bf16", "*.down_proj":
    "w8a16-fp8" } } ], "engine": { "calibrate": "t.txt" },
    "numerics": { "text": "t.txt", "tokens": 64 }, )" +
                                         tasks);
  const Suite suite = load_suite(path);
  EXPECT_EQ(setting_name(suite.models[0].settings[0]), "fp8[lm_head=bf16,*.down_proj=w8a16-fp8]");
  ASSERT_TRUE(suite.numerics.has_value());
  EXPECT_EQ(suite.numerics->tokens, 64);
  EXPECT_EQ(suite.numerics->text, folder_.path() / "t.txt");
  EXPECT_EQ(suite.engine.calibrate, (folder_.path() / "t.txt").string());
  const std::string begin = R"({ "assay_suite": 1, "name": "n", "model": "m", )";
  EXPECT_NE(error_of(begin + R"("settings": [ { "precision": "fp8", "overrides": { "lm_head":
      "bf17" } } ], )" +
                     tasks)
                .find("bf17"),
            std::string::npos);
  EXPECT_NE(error_of(begin + R"("numerics": { "texts": "t.txt" }, )" + tasks).find("text"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::suites
