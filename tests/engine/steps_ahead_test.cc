// Steps that are started before the tokens in front of them are known give what steps that wait
// give: for every mixture of prompts, ends, cancels and shared prefixes.
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "base/random.h"
#include "engine/generators/request_loop.h"
#include "engine/scheduler.h"
#include "tests/support/hashing_executor.h"
#include "tests/support/scripted_executor.h"

namespace assay::engine {
namespace {

using test::HashingExecutor;
using test::next_token;

constexpr TokenId kVocab = 12;  // token 0 ends a sequence: about one in twelve
constexpr TokenId kEnd = 0;

struct Plan {
  std::vector<TokenId> prompt;
  std::int64_t max_tokens = 0;
  std::int64_t first_logit = 0;
  int comes = 0;   // before this step
  int leaves = 0;  // likewise, by a cancel; 0: never
};

/// What a sequence hears: the token chosen after each position from `first_logit` on.
std::vector<TokenId> expected(const Plan& plan) {
  std::vector<TokenId> out;
  std::vector<TokenId> ids = plan.prompt;
  for (std::int64_t p = plan.first_logit; p + 1 < static_cast<std::int64_t>(ids.size()); ++p) {
    out.push_back(next_token(std::span(ids).first(static_cast<std::size_t>(p) + 1), kVocab));
  }
  for (std::int64_t made = 0; made < std::max<std::int64_t>(1, plan.max_tokens); ++made) {
    out.push_back(next_token(ids, kVocab));
    if (out.back() == kEnd) break;
    ids.push_back(out.back());
  }
  return out;
}

std::vector<Plan> random_plans(SplitMix64& random) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n)));
  };
  std::vector<TokenId> prefix;
  for (int i = 0; i < 150; ++i) prefix.push_back(static_cast<TokenId>(1 + below(kVocab - 1)));
  std::vector<Plan> plans;
  for (int i = 0; i < 25; ++i) {
    Plan plan;
    if (below(2) == 0) {
      plan.prompt.assign(prefix.begin(), prefix.begin() + 20 + below(130));
    }
    const std::int64_t own = 1 + below(40);
    for (std::int64_t t = 0; t < own; ++t) {
      plan.prompt.push_back(static_cast<TokenId>(below(kVocab)));
    }
    const auto size = static_cast<std::int64_t>(plan.prompt.size());
    plan.max_tokens = below(4) == 0 ? below(2) : below(30);
    plan.first_logit = below(3) == 0 ? below(size) : size - 1;
    plan.comes = below(2) == 0 ? 0 : static_cast<int>(below(30));
    plan.leaves = below(4) == 0 ? static_cast<int>(below(40)) : 0;
    plans.push_back(std::move(plan));
  }
  return plans;
}

struct Outcome {
  std::vector<std::vector<TokenId>> heard;
  std::vector<bool> done;
  std::int64_t cached = 0;
  int steps = 0;
  int waited = 0;
  std::int64_t pages_left = 0;
};

Outcome run(const std::vector<Plan>& plans, const HashingExecutor::Limits& limits,
            std::int64_t batch) {
  HashingExecutor executor(limits);
  PagePool pool(limits.pages);
  Outcome out{.heard = std::vector<std::vector<TokenId>>(plans.size()),
              .done = std::vector<bool>(plans.size())};
  std::vector<std::int64_t> made(plans.size());
  Scheduler scheduler(
      executor, pool, batch, true,
      {.query = [](const Sequence&,
                   std::int64_t position) { return LogitQuery{.position = position}; },
       .on_result = [&](Sequence& sequence, std::int64_t position,
                        const LogitResult& result) -> std::optional<TokenId> {
         out.heard[sequence.owner].push_back(result.chosen);
         if (position + 1 < sequence.prompt_tokens) return std::nullopt;
         const std::int64_t most = plans[sequence.owner].max_tokens;
         if (result.chosen == kEnd || ++made[sequence.owner] >= most) return std::nullopt;
         return result.chosen;
       },
       .on_done =
           [&](Sequence& sequence) {
             out.done[sequence.owner] = true;
             out.cached += sequence.cached;
           }});
  bool busy = true;
  for (int step = 0; busy || step <= 40; ++step) {
    std::vector<std::unique_ptr<Sequence>> coming;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (plans[i].comes == step) {
        auto sequence = std::make_unique<Sequence>();
        sequence->ids = plans[i].prompt;
        sequence->prompt_tokens = static_cast<std::int64_t>(plans[i].prompt.size());
        sequence->max_tokens = plans[i].max_tokens;
        sequence->first_logit = plans[i].first_logit;
        sequence->owner = i;
        coming.push_back(std::move(sequence));
      }
      if (step > 0 && plans[i].leaves == step) scheduler.drop(i);
    }
    scheduler.add(std::move(coming));
    busy = scheduler.step();
  }
  out.steps = executor.steps;
  out.waited = executor.waited;
  out.pages_left = pool.available();
  return out;
}

/// Small caches make sequences wait for pages of others, small steps cut prompts.
TEST(StepsAhead, GiveEverySequenceWhatItHasAlone) {
  int fewest = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SplitMix64 random(seed);
    const std::vector<Plan> plans = random_plans(random);
    HashingExecutor::Limits limits{.pages = 5 + static_cast<std::int64_t>(random.below(20)),
                                   .vocab = kVocab,
                                   .max_rows = 8 + static_cast<std::int64_t>(random.below(90))};
    const auto batch = static_cast<std::int64_t>(1 + random.below(12));
    for (const bool ahead : {false, true}) {
      limits.ahead = ahead;
      const Outcome got = run(plans, limits, batch);
      for (std::size_t i = 0; i < plans.size(); ++i) {
        std::vector<TokenId> wanted = expected(plans[i]);
        if (!got.done[i]) {
          ASSERT_GT(plans[i].leaves, 0) << seed;
          ASSERT_LE(got.heard[i].size(), wanted.size()) << seed;
          wanted.resize(got.heard[i].size());
        }
        ASSERT_EQ(got.heard[i], wanted) << "seed " << seed << ", sequence " << i << ", " << ahead;
      }
      ASSERT_EQ(got.pages_left, limits.pages) << seed;
      if (ahead) fewest += got.waited < got.steps ? 1 : 0;
    }
  }
  EXPECT_GT(fewest, 250);  // it did run ahead
}

/// A sequence that ends by its length is in no step too many.
TEST(StepsAhead, ALengthThatIsKnownWastesNoStep) {
  const Plan plan{.prompt = {3, 4, 5}, .max_tokens = 6, .first_logit = 2};
  const auto whole = static_cast<int>(expected(plan).size());
  ASSERT_EQ(whole, 6);
  const HashingExecutor::Limits ahead{.pages = 4, .vocab = kVocab, .ahead = true};
  const Outcome got = run({plan}, ahead, 4);
  EXPECT_EQ(got.steps, 6);
  EXPECT_EQ(got.waited, 1);
}

/// A request through the loop: stop strings, ends and lengths, cancels between steps.
std::unique_ptr<LocalModel> hashing_model(bool ahead) {
  auto model = test::scripted_model([](const LogitQuery&) { return LogitResult{}; },
                                    {.context = 300, .batch = 3, .pages = 12});
  model->executor = std::make_unique<HashingExecutor>(
      HashingExecutor::Limits{.pages = 12, .vocab = 7, .max_rows = 20, .ahead = ahead});
  return model;
}

struct Kept : Listener {
  void on_delta(const Delta& delta) override { text += delta.text; }
  void on_done(Completion completion) override { done = std::move(completion); }
  std::string text;
  std::optional<Completion> done;
};

TEST(StepsAhead, RequestsEndWhereTheyEndAlone) {
  std::vector<std::vector<std::string>> answers;
  std::map<FinishReason, int> reasons;
  for (const bool ahead : {false, true}) {
    const auto model = hashing_model(ahead);
    RequestLoop loop(*model);
    std::vector<std::shared_ptr<Kept>> kept;
    std::vector<IncomingRequest> incoming;
    for (RequestHandle i = 0; i < 150; ++i) {
      Request request;
      request.prompt.text = std::string(1 + i % 70, static_cast<char>(1 + i % 6));
      request.sampling.max_tokens = static_cast<std::int64_t>(1 + i % 9);
      if (i % 3 == 0) request.sampling.stop = {"\x03\x01", "\x05"};
      if (i % 5 == 0) request.logprobs = 0;
      kept.push_back(std::make_shared<Kept>());
      incoming.push_back({.handle = i, .request = request, .listener = kept.back()});
    }
    loop.submit(std::move(incoming));
    int step = 0;
    while (loop.step()) {
      if (++step % 4 == 0) loop.cancel(static_cast<RequestHandle>(7 * step / 4));
    }
    std::vector<std::string> texts;
    for (const auto& one : kept) {
      if (one->done) {
        EXPECT_EQ(one->text, one->done->text);
        EXPECT_EQ(one->done->error, "");
        if (ahead) ++reasons[one->done->finish_reason];
      }
      texts.push_back(one->done ? one->text : "cancelled");
    }
    answers.push_back(std::move(texts));
  }
  EXPECT_GT(reasons[FinishReason::kEos], 2);
  EXPECT_GT(reasons[FinishReason::kStop], 2);
  EXPECT_GT(reasons[FinishReason::kLength], 2);
  for (std::size_t i = 0; i < answers[0].size(); ++i) {
    if (answers[0][i] == "cancelled" || answers[1][i] == "cancelled") continue;
    EXPECT_EQ(answers[1][i], answers[0][i]) << i;
  }
}

/// What a call leaves behind in flight must not answer the next one.
TEST(StepsAhead, AClearedLoopStartsAfresh) {
  const auto model = hashing_model(true);
  RequestLoop loop(*model);
  const auto ask = [&](RequestHandle handle, std::int64_t tokens) {
    Request request;
    request.prompt.text = "\x02\x03";
    request.sampling.max_tokens = tokens;
    request.sampling.ignore_eos = true;
    auto kept = std::make_shared<Kept>();
    std::vector<IncomingRequest> one;
    one.push_back({.handle = handle, .request = request, .listener = kept});
    loop.submit(std::move(one));
    return kept;
  };
  const auto first = ask(1, 9);
  while (loop.step()) {
  }
  const auto cut = ask(2, 9);
  EXPECT_TRUE(loop.step());
  EXPECT_TRUE(loop.step());
  loop.clear();
  EXPECT_FALSE(cut->done);
  const auto again = ask(3, 9);
  while (loop.step()) {
  }
  ASSERT_TRUE(again->done);
  EXPECT_EQ(again->done->ids, first->done->ids);
}

/// A step that only cancelled requests were in is nobody's.
TEST(StepsAhead, NothingIsLeftToDoWhenAllAreCancelled) {
  const auto model = hashing_model(true);
  RequestLoop loop(*model);
  Request request;
  request.prompt.text = "\x02";
  request.sampling.max_tokens = 50;
  request.sampling.ignore_eos = true;
  std::vector<IncomingRequest> one;
  one.push_back({.handle = 1, .request = request, .listener = std::make_shared<Kept>()});
  loop.submit(std::move(one));
  EXPECT_TRUE(loop.step());
  loop.cancel(1);
  EXPECT_FALSE(loop.step());
}

}  // namespace
}  // namespace assay::engine
