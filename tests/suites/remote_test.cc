// Whole runs against servers that fail: what is stored, what a resume does, what leaks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>

#include "base/file.h"
#include "suites/interrupt.h"
#include "suites/runner.h"
#include "tests/support/environment_variable.h"
#include "tests/support/scripted_model.h"
#include "tests/support/shared_data.h"

namespace assay::suites {
namespace {

using std::chrono::milliseconds;
using test::ScriptedExchange;
using test::ScriptedServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kKey = "sk-marker-9876543210";
constexpr int kQuestions = 40;

/// The line "number <n>" of a prompt.
int question_of(const ScriptedExchange& exchange) {
  const std::string prompt = test::prompt_of(exchange.request());
  const std::size_t at = prompt.find("\nnumber ");
  return at == std::string::npos ? -1 : std::atoi(prompt.c_str() + at + 8);
}

class Remote : public ::testing::Test {
 protected:
  void SetUp() override {
    set_interrupt_for_test(0);
    std::filesystem::create_directories(folder_.path() / "gsm8k");
    std::string rows;
    for (int i = 0; i < kQuestions; ++i) {
      rows += fmt::format(R"({{"question": "number {} ", "answer": "#### 14"}})", i) + "\n";
    }
    write_file_atomic(folder_.path() / "gsm8k/test.jsonl", rows);
  }

  /// Counts the answers that were sent whole; `fault` takes what it returns true for.
  ScriptedServer::Handler handler(std::function<bool(ScriptedExchange&, int question)> fault) {
    return [this, fault = std::move(fault)](ScriptedExchange& exchange) {
      const bool asked = exchange.request().method == "POST" &&
                         exchange.request().body.find("\"logprobs\"") == std::string::npos;
      const int question = asked ? question_of(exchange) : -1;
      if (question >= 0 && fault(exchange, question)) return;
      if (question >= 0) {
        const std::lock_guard guard(lock_);
        ++answered_[question];
      }
      test::serve_scripted_model(exchange);
    };
  }

  RunReport run(const std::string& url, std::function<void(engine::HttpOptions&)> adjust = {}) {
    write_file_atomic(folder_.path() / "s.jsonc",
                      R"({"assay_suite": 1, "name": "s", "model": ")" + url +
                          R"(", "tasks": [{"task": "gsm8k@assay-0shot", "custom_data": true}]})");
    RunnerOptions options;
    options.plan.data = folder_.path();
    options.build.version = "1";
    options.make_generator = [&](engine::EngineOptions engine) {
      engine.http.first_wait = milliseconds{1};
      engine.http.longest_wait = milliseconds{5};
      engine.http.health_interval = milliseconds{10};
      engine.http.budget_floor = 100'000;
      engine.http.attempts = 2;
      if (adjust) adjust(engine.http);
      return engine::make_generator(engine);
    };
    store::Store store = store::Store::open(folder_.path() / "r.db", store::OpenMode::kCreate);
    return run_suite(load_suite(folder_.path() / "s.jsonc"), store, options).front();
  }

  /// Stored samples of the only run by position, each exactly once.
  std::map<std::int64_t, store::SampleRecord> stored() {
    std::map<std::int64_t, store::SampleRecord> out;
    const store::Store store =
        store::Store::open(folder_.path() / "r.db", store::OpenMode::kReadOnly);
    const auto runs = store.list_runs();
    EXPECT_EQ(runs.size(), 1U);
    store.for_each_sample(store.load_tasks(runs.front().row).front().row, {.texts = true},
                          [&](const store::SampleRecord& sample) {
                            EXPECT_TRUE(out.emplace(sample.generation.position, sample).second);
                            return true;
                          });
    return out;
  }

  test::TemporaryFolder folder_;
  std::mutex lock_;
  std::map<int, int> answered_;  // by question
};

TEST_F(Remote, EverySampleIsAnsweredOnceOrStoredAsFailedAndAResumeDoesTheRest) {
  std::atomic<bool> well{false};
  ScriptedServer server(handler([&](ScriptedExchange& exchange, int question) {
    if (well || question % 4 != 1) return false;
    if (question % 8 == 1) {
      exchange.reply(500, R"({"error": {"message": "out of luck"}})");
    } else {
      exchange.begin_stream();
      exchange.event(test::chunk_json("half an ans"));
      exchange.close(true);
    }
    return true;
  }));
  const RunReport first = run(server.url());
  EXPECT_EQ(first.unscored, kQuestions / 4);
  const auto failed = stored();
  ASSERT_EQ(failed.size(), static_cast<std::size_t>(kQuestions));
  for (const auto& [position, sample] : failed) {
    const store::GenerationRecord& g = sample.generation;
    EXPECT_EQ(g.served.endpoint, server.url());
    if (position % 4 != 1) {
      EXPECT_EQ(g.error, "");
      EXPECT_EQ(g.served.fingerprint, "fp_1");
      EXPECT_EQ(g.attempts, 1);
      continue;
    }
    EXPECT_EQ(g.text, "");
    EXPECT_THAT(g.error, HasSubstr(position % 8 == 1 ? "500: out of luck" : "reset"));
    EXPECT_EQ(g.attempts, 2);
    EXPECT_EQ(g.served.faults.size(), 2U);
    EXPECT_FALSE(sample.score.has_value());
  }
  well = true;
  const RunReport second = run(server.url());
  EXPECT_EQ(second.run, first.run);
  EXPECT_EQ(second.unscored, 0);
  const auto all = stored();
  ASSERT_EQ(all.size(), static_cast<std::size_t>(kQuestions));
  for (const auto& [position, sample] : all) {
    EXPECT_THAT(sample.generation.text, HasSubstr(fmt::format("number {} ", position)));
    EXPECT_EQ(sample.generation.attempts, position % 4 == 1 ? 3 : 1);
  }
  for (int i = 0; i < kQuestions; ++i) EXPECT_EQ(answered_[i], 1) << i;
}

TEST_F(Remote, AServerThatIsLostEndsTheRunAndTheSameCommandGoesOn) {
  constexpr int kAnswers = 15;
  std::atomic<int> number{0};
  std::atomic<bool> die{false};
  auto server = std::make_unique<ScriptedServer>(handler([&](ScriptedExchange& exchange, int) {
    if (++number <= kAnswers) return false;
    die = true;
    exchange.hang();
    return true;
  }));
  const std::uint16_t port = server->port();
  const std::string url = server->url();
  std::thread killer([&] {
    while (!die) std::this_thread::sleep_for(milliseconds{1});
    // What is still on its way is lost with the server, and rightly asked again.
    for (int tries = 0; tries < 3000 && stored().size() < kAnswers; ++tries) {
      std::this_thread::sleep_for(milliseconds{10});
    }
    server->die();
  });
  const std::string message = test::error_message(
      [&] { (void)run(url, [](engine::HttpOptions& http) { http.all_down = milliseconds{30}; }); });
  killer.join();
  EXPECT_THAT(message, HasSubstr("no server answered"));
  server.reset();
  ScriptedServer again(handler([](ScriptedExchange&, int) { return false; }), {.port = port});
  EXPECT_EQ(run(url).unscored, 0);
  EXPECT_EQ(stored().size(), static_cast<std::size_t>(kQuestions));
  for (int i = 0; i < kQuestions; ++i) EXPECT_EQ(answered_[i], 1) << i;
}

TEST_F(Remote, AnotherModelBehindTheAddressIsNotMixedIn) {
  std::atomic<bool> well{false};
  std::atomic<bool> other{false};
  const auto inner = handler([&](ScriptedExchange& exchange, int) {
    if (!well) exchange.reply(500, "");
    return !well.load();
  });
  ScriptedServer server([&](ScriptedExchange& exchange) {
    if (other && test::serve_models(exchange, "somebody else")) return;
    inner(exchange);
  });
  EXPECT_EQ(run(server.url()).unscored, kQuestions);
  well = other = true;
  EXPECT_THAT(test::error_message([&] { (void)run(server.url()); }),
              HasSubstr("was begun with another model"));
}

TEST_F(Remote, TheKeyIsInNoFileAndNoMessage) {
  const test::EnvironmentVariable key("ASSAY_API_KEY", kKey);
  ScriptedServer server([&](ScriptedExchange& exchange) {
    const std::string seen = exchange.request().headers.at("authorization");
    EXPECT_THAT(seen, HasSubstr(kKey));
    if (exchange.request().target == "/v1/models") {
      exchange.reply(200, R"({"data": [{"id": "m", "owned_by": "x", "note": ")" + seen + R"("}]})");
      return;
    }
    const bool fail = question_of(exchange) % 2 == 0;
    exchange.reply(fail ? 500 : 200, fail ? R"({"error": {"message": "no: )" + seen + R"("}})"
                                          : test::chunk_json("said " + seen, "stop"));
  });
  ::testing::internal::CaptureStderr();
  (void)run(server.url());
  EXPECT_EQ(::testing::internal::GetCapturedStderr().find(kKey), std::string::npos);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_EQ(read_file(entry.path()).find(kKey), std::string::npos) << entry.path();
  }
  EXPECT_GE(files, 3U);
  EXPECT_THAT(stored().at(1).generation.text, HasSubstr("said Bearer [secret]"));
}

TEST_F(Remote, AServerHasOneSettingWhateverTheSuiteLists) {
  Suite suite;
  suite.models = {{.path = "http://localhost:1/v1", .settings = {{"bf16"}, {"fp8"}}}};
  EXPECT_EQ(run_points(suite).size(), 1U);
}

TEST_F(Remote, TasksThatTheServerCannotDoAreLeftOutByName) {
  ScriptedServer server(handler([](ScriptedExchange&, int) { return false; }));
  write_file_atomic(folder_.path() / "s.jsonc", R"({"assay_suite": 1, "name": "s", "model": ")" +
                                                    server.url() + R"(", "tasks": [
      {"task": "mmlu@assay", "custom_data": true, "limit": 2},
      {"task": "mmlu@assay-cot", "custom_data": true, "limit": 2}]})");
  RunnerOptions options;
  options.plan.data = ASSAY_MINI_DATA;
  options.make_generator = engine::make_generator;
  store::Store store = store::Store::open(folder_.path() / "r.db", store::OpenMode::kCreate);
  const RunReport report =
      run_suite(load_suite(folder_.path() / "s.jsonc"), store, options).front();
  EXPECT_THAT(report.refused, ElementsAre("mmlu@assay"));
  EXPECT_EQ(store.load_tasks(store.list_runs().front().row).size(), 1U);
}

}  // namespace
}  // namespace assay::suites
