// Error rates and savings of early stopping, by simulation; see simulation_test.cc.
#include <cstdio>

#include "reports/hypothesis.h"
#include "reports/sequential.h"
#include "tests/reports/simulation.h"

namespace assay::reports {
namespace {

enum class Ending { kOpen, kFail, kPass };
struct Stopped {
  Ending ending = Ending::kOpen;
  std::size_t asked = 0;  // clusters
};

/// The rule of `assay run --gate` on one task: at the ends of blocks, by the rule of gate.cc with
/// sequential.h; then, if it came to the end, with the test of all items. `every` looks after each
/// cluster instead.
Stopped run_gate(const Pairs& pairs, double margin, bool every, bool final_test) {
  Wager against_no_loss(Wager::Against::kAtLeast, 0);
  Wager against_margin(Wager::Against::kAtMost, -margin);
  std::size_t next = 64;
  double sum = 0;
  const std::size_t n = pairs.changes.size();
  for (std::size_t i = 0; i < n; ++i) {
    against_no_loss.add(pairs.changes[i]);
    against_margin.add(pairs.changes[i]);
    sum += pairs.changes[i];
    if (!every && (i + 1 < next || i + 1 == n)) continue;
    next = i + 1 + std::max<std::size_t>(64, (i + 1) / 8);
    const bool lost = sum / static_cast<double>(i + 1) <= -margin;
    if (lost && 2 * against_no_loss.p() <= kAlpha) return {Ending::kFail, i + 1};
    if (2 * against_margin.p() <= kAlpha) return {Ending::kPass, i + 1};
  }
  if (!final_test) return {Ending::kOpen, n};
  const PairedChange change = change_of(pairs);
  const Interval interval = t_interval(change.value, change.error, 0.95);
  if (interval.high < 0 && change.value <= -margin) return {Ending::kFail, n};
  return {interval.low > -margin ? Ending::kPass : Ending::kOpen, n};
}

Case stopping(const std::string& name, const PairDesign& design, double margin, Ending wrong,
              bool every, bool final_test) {
  return {name, 0, kAlpha, [=](SplitMix64& r) {
            return run_gate(draw_pairs(r, design), margin, every, final_test).ending == wrong;
          }};
}

Case anytime_coverage(const std::string& name, const PairDesign& design) {
  // Conservative by construction: it holds at all moments together, here at a random one.
  return {"any-time interval, " + name, 0.95, 1, [=](SplitMix64& r) {
            const Pairs p = draw_pairs(r, design);
            const std::size_t n = 30 + r.below(p.changes.size() - 30);
            return holds(anytime_interval(std::span(p.changes).first(n), 0.95),
                         design.up - design.down);
          }};
}

std::vector<Case> stopping_cases() {
  const PairDesign equal{1319, 1, 0, 0.03, 0.03};
  const PairDesign at_margin{1319, 1, 0, 0.02, 0.035};
  const PairDesign small_at_margin{164, 1, 0, 0.04, 0.07};
  const PairDesign equal_clusters{250, 11, 0.8, 0.03, 0.03};
  const PairDesign margin_clusters{250, 11, 0.8, 0.02, 0.04};
  return {stopping("equal runs failed, looked at after every item", equal, 0.015, Ending::kFail,
                   true, false),
          stopping("run at the margin passed, looked at after every item", at_margin, 0.015,
                   Ending::kPass, true, false),
          stopping("run at the margin passed, 164 items", small_at_margin, 0.03, Ending::kPass,
                   true, false),
          stopping("equal runs failed, clusters of 11", equal_clusters, 0.01, Ending::kFail, true,
                   false),
          stopping("run at the margin passed, clusters of 11", margin_clusters, 0.02, Ending::kPass,
                   true, false),
          stopping("whole gate: equal runs failed, early or at the end", equal, 0.015,
                   Ending::kFail, false, true),
          stopping("whole gate: run at the margin passed, early or at the end", at_margin, 0.015,
                   Ending::kPass, false, true),
          stopping("whole gate: equal runs failed, clusters of 11", equal_clusters, 0.01,
                   Ending::kFail, false, true),
          stopping("whole gate: run at the margin passed, clusters of 11", margin_clusters, 0.02,
                   Ending::kPass, false, true),
          anytime_coverage("up to 1319 items", at_margin),
          anytime_coverage("up to 250 clusters of 11", margin_clusters)};
}
INSTANTIATE_TEST_SUITE_P(EarlyStopping, Simulation, ::testing::ValuesIn(stopping_cases()));

/// Finite population: one fixed task whose full difference is 0, asked in a new order each time.
TEST(EarlyStopping, ReorderingAFixedTaskOfNoDifferenceRarelyFailsIt) {
  std::vector<double> changes(1319, 0.0);
  for (std::size_t i = 0; i < 40; ++i) {
    changes[2 * i] = 1;
    changes[2 * i + 1] = -1;
  }
  int failed = 0;
  for (int run = 0; run < simulations(); ++run) {
    SplitMix64 random = nth_stream(run);
    std::shuffle(changes.begin(), changes.end(), random);
    Wager wager(Wager::Against::kAtLeast, 0);
    for (const double change : changes) wager.add(change);
    failed += 2 * wager.p() <= kAlpha ? 1 : 0;
  }
  std::printf("| fixed task of no difference in random orders failed | %.2f %% | 0 to 5 %% |\n",
              100.0 * failed / simulations());
  EXPECT_LE(failed, simulations() * kAlpha);
}

struct Saving {
  const char* name;
  PairDesign design;
  double margin;
  Ending ending;
  double least_right;
  double least_saved;
};

TEST(EarlyStopping, SavesMostOfAClearRegression) {
  const Saving cases[] = {
      {"5 points worse, margin 1.5, 1319 items",
       {1319, 1, 0, 0.01, 0.06},
       0.015,
       Ending::kFail,
       0.98,
       0.6},
      {"10 points worse, margin 1.5, 1319 items",
       {1319, 1, 0, 0.02, 0.12},
       0.015,
       Ending::kFail,
       0.99,
       0.8},
      {"5 points worse, margin 1, 14042 items",
       {14042, 1, 0, 0.03, 0.08},
       0.01,
       Ending::kFail,
       0.99,
       0.9},
      {"20 points worse, margin 5, 164 items",
       {164, 1, 0, 0.05, 0.25},
       0.05,
       Ending::kFail,
       0.9,
       0.25},
      {"all equal, margin 1, 1319 items", {1319, 1, 0, 0, 0}, 0.01, Ending::kPass, 1, 0.4},
      {"equal but for 2 % each way, margin 2, 1319 items",
       {1319, 1, 0, 0.01, 0.01},
       0.02,
       Ending::kPass,
       0.9,
       0.2},
  };
  const int runs = std::max(100, simulations() / 10);
  for (const Saving& c : cases) {
    double asked = 0;
    int right = 0;
    for (int run = 0; run < runs; ++run) {
      SplitMix64 random = nth_stream(run);
      const Stopped stopped = run_gate(draw_pairs(random, c.design), c.margin, false, true);
      asked += static_cast<double>(stopped.asked) / c.design.clusters / runs;
      right += stopped.ending == c.ending ? 1 : 0;
    }
    std::printf("| %s | %.1f %% saved, %.1f %% right |\n", c.name, 100 * (1 - asked),
                100.0 * right / runs);
    EXPECT_GE(1 - asked, c.least_saved) << c.name;
    EXPECT_GE(right, c.least_right * runs) << c.name;
  }
}

TEST(EarlyStopping, ClusteredItemsNeedClusteredTests) {
  // Why McNemar is not used on clustered items: it takes 11 copies for 11 findings.
  int mistaken = 0;
  for (int run = 0; run < 1000; ++run) {
    SplitMix64 random = nth_stream(run);
    const Pairs pairs = draw_pairs(random, {100, 11, 1, 0.1, 0.1});
    mistaken += mcnemar(pairs.up, pairs.down).exact_p <= kAlpha ? 1 : 0;
  }
  EXPECT_GT(mistaken, 300);
}

}  // namespace
}  // namespace assay::reports
