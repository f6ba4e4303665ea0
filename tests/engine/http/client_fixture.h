// What tests of the HTTP client share.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/generators/http/http.h"
#include "tests/support/scripted_model.h"

namespace assay::engine {

/// Short waits where a test waits for their end; long ones where it must not.
inline EngineOptions quick(const std::string& model) {
  EngineOptions options;
  options.model = model;
  options.http.first_wait = std::chrono::milliseconds{2};
  options.http.longest_wait = std::chrono::milliseconds{10};
  options.http.health_interval = std::chrono::milliseconds{10};
  options.http.budget_floor = 100'000;
  return options;
}

inline std::vector<Request> some_requests(std::size_t count) {
  std::vector<Request> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i].id = fmt::format("r{}", i);
    out[i].prompt.text = fmt::format("prompt {}", i);
  }
  return out;
}

/// Runs requests; checks that each ended once, and that every answer is its own.
inline std::vector<Completion> run_all(Generator& model, const std::vector<Request>& requests) {
  std::vector<Completion> out(requests.size());
  std::multiset<std::size_t> ended;
  model.run(requests, [&](std::size_t index, Completion completion) {
    ended.insert(index);
    out[index] = std::move(completion);
    return true;
  });
  EXPECT_EQ(ended.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(ended.count(i), 1U) << i;
    if (out[i].finish_reason != FinishReason::kError) {
      EXPECT_EQ(out[i].text, test::scripted_answer(requests[i].prompt.text));
    }
  }
  return out;
}

/// A server that answers well but for `fault`, which takes the requests it returns true for.
inline test::ScriptedServer::Handler with_fault(
    std::function<bool(test::ScriptedExchange&, int number)> fault) {
  auto number = std::make_shared<std::atomic<int>>(0);
  return [fault = std::move(fault), number](test::ScriptedExchange& exchange) {
    const bool asked = exchange.request().method == "POST" &&
                       exchange.request().body.find("\"logprobs\"") == std::string::npos;
    if (asked && fault(exchange, ++*number)) return;
    test::serve_scripted_model(exchange);
  };
}

}  // namespace assay::engine
