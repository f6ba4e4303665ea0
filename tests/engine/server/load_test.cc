// A thousand streams at once: none fails or is mixed up with another. Times are not judged here;
// docs/measurements/serve.md has them, by the program server_load.
#include "tests/engine/server/load.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/engine/server/running_server.h"
#include "tests/support/scripted_session.h"

namespace assay::test {
namespace {

TEST(ServerLoad, AThousandStreamsEndComplete) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  ScriptedSession session({.first = std::chrono::milliseconds(300),
                           .each = std::chrono::milliseconds(20),
                           .text = [](std::int64_t) { return fmt::format("{}", monotonic_ns()); }});
  RunningServer server(session, {.max_connections = 1100});
  const LoadResult result = run_load({.port = server.port(), .clients = 1000, .tokens = 10});
  EXPECT_EQ(result.complete, 1000U);
  EXPECT_EQ(result.added_ms.size(), 10000U);
  EXPECT_TRUE(result.errors.empty()) << result.errors.size() << " " << result.errors.front();
  rusage used{};
  ASSERT_EQ(::getrusage(RUSAGE_SELF, &used), 0);
  EXPECT_LT(used.ru_maxrss, 500 << 10);  // KiB, of server and clients together
}

}  // namespace
}  // namespace assay::test
