// What an executor answers to a few sequences, to compare executors bit for bit.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/scheduler.h"

namespace assay::engine::test {

/// What is asked of one sequence.
struct Ask {
  std::vector<TokenId> prompt;
  std::int64_t generate = 0;
  std::int64_t first_logit = 0;
  SamplingParams sampling;
  std::vector<TokenId> targets;
  int top = -1;
};

inline std::vector<Ask> asks(std::int64_t vocab, std::int64_t longest) {
  SplitMix64 random(77);
  std::vector<Ask> out;
  for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{5}, longest, std::int64_t{67}}) {
    Ask ask;
    for (std::int64_t i = 0; i < tokens; ++i) {
      ask.prompt.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(vocab))));
    }
    ask.generate = 3;
    ask.first_logit = tokens > 60 ? tokens - 3 : tokens - 1;
    ask.targets = {3, 7, ask.prompt.front()};
    ask.top = tokens == 5 ? 4 : -1;
    out.push_back(std::move(ask));
  }
  out[1].sampling.temperature = 0.7;
  out[3].sampling.temperature = 1.3;
  out[3].sampling.top_p = 0.8;
  return out;
}

struct Answers {
  std::vector<std::vector<LogitResult>> of;  // per sequence, in order of positions
};

inline Answers answer(Executor& executor, std::int64_t pages, const std::vector<Ask>& all,
                      std::int64_t batch, bool prefix) {
  PagePool pool(pages);
  std::vector<std::unique_ptr<Sequence>> sequences;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto sequence = std::make_unique<Sequence>();
    sequence->ids = all[i].prompt;
    sequence->prompt_tokens = static_cast<std::int64_t>(all[i].prompt.size());
    sequence->max_tokens = all[i].generate;
    sequence->first_logit = all[i].first_logit;
    sequence->owner = i;
    sequences.push_back(std::move(sequence));
  }
  Answers out;
  out.of.resize(all.size());
  std::vector<std::int64_t> left(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) left[i] = all[i].generate;
  Scheduler scheduler(executor, pool, batch, prefix,
                      {.query =
                           [&](const Sequence& sequence, std::int64_t position) {
                             const Ask& ask = all[sequence.owner];
                             return LogitQuery{.sampling = &ask.sampling,
                                               .key = {.seed = 5, .request = sequence.owner},
                                               .position = position,
                                               .targets = ask.targets,
                                               .top = ask.top};
                           },
                       .on_result = [&](Sequence& sequence, std::int64_t position,
                                        const LogitResult& result) -> std::optional<TokenId> {
                         out.of[sequence.owner].push_back(result);
                         if (position + 1 < sequence.prompt_tokens) return std::nullopt;
                         if (--left[sequence.owner] == 0) return std::nullopt;
                         return result.chosen;
                       },
                       .on_done = [](Sequence&) {}});
  scheduler.add(std::move(sequences));
  while (scheduler.step()) {
  }
  return out;
}

inline void expect_same(const Answers& a, const Answers& b, const std::string& what) {
  ASSERT_EQ(a.of.size(), b.of.size());
  for (std::size_t s = 0; s < a.of.size(); ++s) {
    ASSERT_EQ(a.of[s].size(), b.of[s].size()) << what << ", sequence " << s;
    for (std::size_t i = 0; i < a.of[s].size(); ++i) {
      const LogitResult& x = a.of[s][i];
      const LogitResult& y = b.of[s][i];
      const std::string where = fmt::format("{}, sequence {}, row {}", what, s, i);
      EXPECT_TRUE(x.finite && y.finite) << where;
      EXPECT_EQ(x.argmax, y.argmax) << where;
      EXPECT_EQ(x.chosen, y.chosen) << where;
      EXPECT_EQ(x.target_logprobs, y.target_logprobs) << where;
      EXPECT_EQ(x.logprob.id, y.logprob.id) << where;
      EXPECT_EQ(x.logprob.logprob, y.logprob.logprob) << where;
      EXPECT_EQ(x.logprob.top, y.logprob.top) << where;
    }
  }
}

/// Largest difference of wanted log-probabilities at the prompts' positions, where both read the
/// same tokens.
inline double largest_difference(const Answers& a, const Answers& b, const std::vector<Ask>& all) {
  double largest = 0;
  for (std::size_t s = 0; s < a.of.size(); ++s) {
    const auto rows = static_cast<std::size_t>(static_cast<std::int64_t>(all[s].prompt.size()) -
                                               all[s].first_logit);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t t = 0; t < all[s].targets.size(); ++t) {
        largest = std::max(largest,
                           std::abs(a.of[s][i].target_logprobs[t] - b.of[s][i].target_logprobs[t]));
      }
    }
  }
  return largest;
}

}  // namespace assay::engine::test
