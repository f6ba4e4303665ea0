// The load generator with the HTTP client against a server on a thread of this process that keeps
// the times of its own writes. How close the two are depends on the machine's load and is measured
// by tests/bench/suites/load_accuracy.cc; here it is held that nothing is lost, nothing comes
// before it was written, and counts are exact.
#include <gtest/gtest.h>

#include <map>

#include "suites/bench/target.h"
#include "tests/support/stream_server.h"

namespace assay::suites {
namespace {

std::string key_of(const engine::Request& request) {
  std::string out;
  for (const engine::TokenId id : request.prompt.ids) {
    out += (out.empty() ? "" : ",") + std::to_string(id);
  }
  return out;
}

TEST(Stream, EveryTokenOfAThousandStreamsIsSeenAfterItWasWritten) {
  constexpr std::int64_t kStreams = 1000;
  constexpr std::int64_t kTokens = 8;
  test::StreamServer server({.first_ms = 5, .first_spread = 20, .gap_ms = 10, .gap_spread = 10});
  server.start();
  SteadyLoadClock clock;
  Workload workload;
  LoadResult load;
  {
    const auto session = engine::make_session({.model = server.url()});
    const BenchTarget target{.session = session.get(), .clock = &clock, .seed = 1};
    workload = workload_for(target, {{.input = 4, .output = kTokens}}, "streams", 0);
    load = run_workload(target, workload, {.arrivals = Arrivals::kBurst, .requests = kStreams});
  }
  server.stop();
  ASSERT_EQ(load.requests.size(), kStreams);
  for (std::size_t i = 0; i < load.requests.size(); ++i) {
    const RequestTiming& timing = load.requests[i];
    ASSERT_EQ(timing.outcome, RequestOutcome::kDone) << timing.error;
    EXPECT_EQ(timing.output_tokens, kTokens);
    EXPECT_EQ(timing.input_tokens, 4);
    const auto record =
        server.records().find(key_of(request_of(workload, static_cast<std::int64_t>(i))));
    ASSERT_NE(record, server.records().end());
    std::int64_t tokens = 0;
    for (const TokenChunk& chunk : timing.chunks) {
      // Written before it was seen: the first token of the chunk and, with it, all of them.
      tokens += chunk.tokens;
      ASSERT_LE(tokens, std::ssize(record->second.written_ns));
      EXPECT_GE(chunk.at_ns, record->second.written_ns[static_cast<std::size_t>(tokens - 1)]);
    }
    EXPECT_EQ(tokens, kTokens);
    EXPECT_EQ(timing.first_ns, timing.chunks.front().at_ns);
    EXPECT_EQ(timing.last_ns, timing.chunks.back().at_ns);
    EXPECT_LE(timing.scheduled_ns, timing.sent_ns);
  }
}

// Over HTTP the session's thread keeps the schedule: nothing is sent before it is due, in order,
// and every request has its answer.
TEST(Stream, AnOpenLoopOverHttpSendsNothingBeforeItIsDue) {
  test::StreamServer server({.first_ms = 2, .first_spread = 10, .gap_ms = 5, .gap_spread = 5});
  server.start();
  SteadyLoadClock clock;
  const auto session = engine::make_session({.model = server.url()});
  const BenchTarget target{.session = session.get(), .clock = &clock, .seed = 1};
  const Workload workload = workload_for(target, {{.input = 4, .output = 2}}, "open", 0);
  const LoadPlan plan{.arrivals = Arrivals::kPoisson, .rate_per_s = 500, .requests = 300};
  const LoadResult load = run_workload(target, workload, plan);
  const auto schedule = arrival_schedule(plan.arrivals, plan.rate_per_s, 1e9, 300, plan.seed);
  ASSERT_EQ(load.requests.size(), schedule.size());
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    const RequestTiming& timing = load.requests[i];
    ASSERT_EQ(timing.outcome, RequestOutcome::kDone) << timing.error;
    EXPECT_EQ(timing.scheduled_ns, load.begin_ns + schedule[i]);
    EXPECT_GE(timing.sent_ns, timing.scheduled_ns);
    EXPECT_GE(timing.first_ns, timing.sent_ns + 2'000'000);
    if (i > 0) {
      EXPECT_GE(timing.sent_ns, load.requests[i - 1].sent_ns);
    }
  }
  server.stop();
}

}  // namespace
}  // namespace assay::suites
