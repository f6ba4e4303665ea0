// Measures what the server adds to each token of many streams, with an engine that takes no time.
// usage: server_load [clients] [tokens] [ms between tokens] [burst]
//   With "burst" the clients begin together, so that all tokens come at the same moments; else the
//   beginnings, and so the tokens, are spread evenly. Server, engine and clients are one process of
//   three threads; the memory is of all.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "tests/engine/server/load.h"
#include "tests/engine/server/running_server.h"
#include "tests/support/scripted_session.h"

namespace {

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  using namespace assay;
  const auto argument = [&](int index, std::int64_t fallback) {
    return argc > index ? std::atoll(argv[index]) : fallback;
  };
  const std::int64_t clients = argument(1, 1000);
  const std::int64_t tokens = argument(2, 200);
  const std::chrono::milliseconds each(argument(3, 100));
  const bool burst = argc > 4 && std::string_view(argv[4]) == "burst";
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, static_cast<rlim_t>(2 * clients + 100));
  ::setrlimit(RLIMIT_NOFILE, &files);
  test::ScriptedSession session(
      {.first = std::chrono::milliseconds(500), .each = each, .text = [](std::int64_t) {
         return fmt::format("{}", monotonic_ns());
       }});
  engine::ServerOptions options;
  options.max_connections = static_cast<std::size_t>(clients) + 16;
  options.max_queue = static_cast<std::size_t>(clients) + 16;
  test::RunningServer server(session, options);
  const std::int64_t begun = monotonic_ns();
  test::LoadResult result = test::run_load({.port = server.port(),
                                            .clients = static_cast<std::size_t>(clients),
                                            .tokens = tokens,
                                            .spread = burst ? std::chrono::milliseconds(0) : each});
  const double seconds = static_cast<double>(monotonic_ns() - begun) * 1e-9;
  server.stop();
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  std::sort(result.added_ms.begin(), result.added_ms.end());
  const double cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
  fmt::print(
      "{{\"clients\": {}, \"tokens\": {}, \"ms_between_tokens\": {}, \"burst\": {}, "
      "\"complete\": {}, \"errors\": {}, \"seconds\": {:.2f}, \"cpu_seconds\": {:.2f}, "
      "\"tokens_per_s\": {:.0f}, \"added_ms_p50\": {:.3f}, \"added_ms_p99\": {:.3f}, "
      "\"added_ms_max\": {:.3f}, \"memory_bytes_max\": {}}}\n",
      clients, tokens, each.count(), burst, result.complete, result.errors.size(), seconds, cpu,
      static_cast<double>(result.added_ms.size()) / seconds, quantile(result.added_ms, 0.5),
      quantile(result.added_ms, 0.99), result.added_ms.back(), used.ru_maxrss * 1024);
  return result.errors.empty() ? 0 : 1;
}
