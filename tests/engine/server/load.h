// Many streaming clients at once, on one thread: what each token took from the engine to its
// client.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace assay::test {

struct LoadPlan {
  std::uint16_t port = 0;
  std::size_t clients = 1;
  std::int64_t tokens = 1;             // of each stream
  std::chrono::nanoseconds spread{0};  // the clients begin evenly over this time
};

struct LoadResult {
  std::vector<double>
      added_ms;              // of each token; the text of a token is the time it was made, in ns
  std::size_t complete = 0;  // streams with all their tokens and their end
  std::vector<std::string> errors;
};

/// Blocks until all streams have ended.
LoadResult run_load(const LoadPlan& plan);

}  // namespace assay::test
