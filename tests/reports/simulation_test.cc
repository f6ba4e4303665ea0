// Error rates of the tests and coverage of the intervals, by simulation: 10,000 comparisons each
// (ASSAY_SIMULATIONS for another number), fixed seeds. docs/measurements/statistics.md has the
// table, which is what this program prints.
#include "tests/reports/simulation.h"

#include <cmath>

#include "reports/hypothesis.h"

namespace assay::reports {

TEST_P(Simulation, IsWithinItsBounds) {
  const Case& c = GetParam();
  int yes = 0;
  for (int run = 0; run < simulations(); ++run) {
    SplitMix64 random = nth_stream(run);
    yes += c.trial(random) ? 1 : 0;
  }
  const double share = static_cast<double>(yes) / simulations();
  std::printf("| %s | %.2f %% | %.0f to %.0f %% |\n", c.name.c_str(), 100 * share, 100 * c.low,
              100 * c.high);
  EXPECT_GE(share, c.low) << c.name;
  EXPECT_LE(share, c.high) << c.name;
}

namespace {

double normal(SplitMix64& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(2 * M_PI * random.uniform());
}

// Pairs of runs on the same items ---------------------------------------------------------------

Case mcnemar_level(int n, double flips) {
  return {"exact McNemar, " + std::to_string(n) + " items", 0, kAlpha + 0.01, [=](SplitMix64& r) {
            const Pairs p = draw_pairs(r, {n, 1, 0, flips / 2, flips / 2});
            return mcnemar(p.up, p.down).exact_p <= kAlpha;
          }};
}

Case t_level(const std::string& name, const PairDesign& design) {
  return {"paired t, " + name, 0, kAlpha + 0.01, [=](SplitMix64& r) {
            const PairedChange change = change_of(draw_pairs(r, design));
            return t_test_p(change.value, change.error) <= kAlpha;
          }};
}

Case sign_flip_level(const std::string& name, const PairDesign& design) {
  return {"sign flips, " + name, 0, kAlpha + 0.01, [=](SplitMix64& r) {
            return sign_flip_p(draw_pairs(r, design).changes, 999, r()) <= kAlpha;
          }};
}

/// Speeds with a common level; `digits` rounds so that there are ties.
Case rank_level(int n, bool ties) {
  return {"rank test, " + std::to_string(n) + " + " + std::to_string(n) + (ties ? ", ties" : ""), 0,
          kAlpha + 0.01, [=](SplitMix64& r) {
            std::vector<double> both[2];
            for (std::vector<double>& side : both) {
              for (int i = 0; i < n; ++i) {
                const double value = 100 + normal(r);
                side.push_back(ties ? std::round(value) : value);
              }
            }
            return mann_whitney_p(both[0], both[1]) <= kAlpha;
          }};
}

Case holm_level() {
  return {"Holm over 7 tasks, any rejection", 0, kAlpha + 0.01, [](SplitMix64& r) {
            std::vector<double> p;
            for (const int n : {1319, 541, 164, 198, 500, 1000, 250}) {
              const Pairs pairs = draw_pairs(r, {n, 1, 0, 0.04, 0.04});
              p.push_back(mcnemar(pairs.up, pairs.down).exact_p);
            }
            const std::vector<double> adjusted = holm(p);
            return *std::min_element(adjusted.begin(), adjusted.end()) <= kAlpha;
          }};
}

Case difference_coverage(const std::string& name, const PairDesign& design) {
  return {"t interval of a difference, " + name, 0.93, 0.97, [=](SplitMix64& r) {
            const PairedChange change = change_of(draw_pairs(r, design));
            const Interval i = t_interval(change.value, change.error, 0.95);
            return i.low <= design.up - design.down && i.high >= design.up - design.down;
          }};
}

/// Seven tasks, one of them in clusters as MGSM; `flips` of the items change, half each way but for
/// the share `loss`.
std::vector<TaskChange> draw_tasks(SplitMix64& random, double flips, double loss) {
  const double up = (flips - loss) / 2;
  const double down = (flips + loss) / 2;
  std::vector<TaskChange> out;
  for (const int n : {1319, 541, 164, 198, 500, 1000, 250}) {
    const Pairs pairs = draw_pairs(
        random, n == 250 ? PairDesign{n, 11, 0.5, up, down} : PairDesign{n, 1, 0, up, down});
    MetricFrame frame;
    for (const std::uint32_t cluster : pairs.clusters) {
      const auto item = static_cast<std::int64_t>(frame.items.size());
      frame.items.push_back({1'000'000 * std::ssize(out) + item, 0, cluster});
    }
    out.push_back(task_change({mean_estimate(pairs.before)}, {mean_estimate(pairs.after)}, frame,
                              std::to_string(n)));
  }
  return out;
}

Case mean_level(const std::string& name, double flips) {
  return {"mean of 7 tasks, " + name, 0, kAlpha + 0.01, [=](SplitMix64& r) {
            return mean_change(draw_tasks(r, flips, 0), {.draws = 999})->p <= kAlpha;
          }};
}

Case mean_coverage(const std::string& name, double flips, double loss) {
  return {"mean of 7 tasks, " + name, 0.93, 0.97, [=](SplitMix64& r) {
            return holds(mean_change(draw_tasks(r, flips, loss), {.draws = 1})->interval, -loss);
          }};
}

std::vector<Case> comparisons() {
  const PairDesign few{50, 1, 0, 0.1, 0.1};
  const PairDesign many{1319, 1, 0, 0.025, 0.025};
  const PairDesign few_clusters{30, 11, 0.5, 0.08, 0.08};
  const PairDesign many_clusters{250, 11, 0.8, 0.03, 0.03};
  return {mcnemar_level(50, 0.2),
          mcnemar_level(164, 0.1),
          mcnemar_level(1319, 0.05),
          t_level("50 items", few),
          t_level("1319 items", many),
          t_level("30 clusters of 11", few_clusters),
          t_level("250 clusters of 11", many_clusters),
          sign_flip_level("12 items, exact", {12, 1, 0, 0.3, 0.3}),
          sign_flip_level("164 items", {164, 1, 0, 0.1, 0.1}),
          sign_flip_level("30 clusters of 11", few_clusters),
          rank_level(5, false),
          rank_level(6, false),
          rank_level(30, false),
          rank_level(10, true),
          holm_level(),
          mean_level("a change in 400 items", 0.0025),
          mean_level("a change in 25 items", 0.04),
          difference_coverage("50 items", few),
          difference_coverage("1319 items, 2 points worse", {1319, 1, 0, 0.01, 0.03}),
          difference_coverage("30 clusters of 11", few_clusters),
          difference_coverage("250 clusters of 11", many_clusters),
          mean_coverage("a change in 25 items, a point worse", 0.04, 0.01)};
}
INSTANTIATE_TEST_SUITE_P(Comparison, Simulation, ::testing::ValuesIn(comparisons()));

// Intervals of one run --------------------------------------------------------------------------

Interval interval_of(const Estimate& estimate, const std::vector<ItemValue>& items) {
  std::vector<std::uint32_t> clusters;
  for (const ItemValue& item : items) clusters.push_back(item.cluster);
  return t_interval(estimate.value, standard_error(estimate, clusters), 0.95);
}

/// A share's coverage swings with the share; over shares drawn from a range it is what it claims.
Case wilson_coverage(int n, double least, double most) {
  return {"Wilson, " + std::to_string(n) + " items, shares " + std::to_string(int(100 * least)) +
              " to " + std::to_string(int(100 * most)) + " %",
          0.93, 0.97, [=](SplitMix64& r) {
            const double p = least + (most - least) * r.uniform();
            int right = 0;
            for (int i = 0; i < n; ++i) right += r.uniform() < p ? 1 : 0;
            return holds(wilson_interval(right, n, 0.95), p);
          }};
}

/// Items of a cluster share its difficulty, which is uniform in [0.5, 1].
Case clustered_coverage(int clusters, int size) {
  return {"clustered t, " + std::to_string(clusters) + " clusters of " + std::to_string(size), 0.93,
          0.97, [=](SplitMix64& r) {
            std::vector<ItemValue> items;
            for (int c = 0; c < clusters; ++c) {
              const double p = 0.5 + 0.5 * r.uniform();
              for (int i = 0; i < size; ++i) {
                items.push_back({r.uniform() < p ? 1.0 : 0.0, 1, 0, static_cast<std::uint32_t>(c)});
              }
            }
            return holds(interval_of(mean_estimate(items), items), 0.75);
          }};
}

/// MMLU's kind: groups of different sizes and shares.
Case macro_coverage(int groups, int least, int most) {
  return {"macro mean, " + std::to_string(groups) + " groups of " + std::to_string(least) + " to " +
              std::to_string(most),
          0.93, 0.97, [=](SplitMix64& r) {
            std::vector<ItemValue> items;
            double truth = 0;
            for (int g = 0; g < groups; ++g) {
              const double p = 0.4 + 0.55 * g / groups;
              truth += p / groups;
              const int n = least + static_cast<int>(r.below(most - least + 1));
              for (int i = 0; i < n; ++i) {
                items.push_back({r.uniform() < p ? 1.0 : 0.0, 1, static_cast<std::uint32_t>(g),
                                 static_cast<std::uint32_t>(items.size())});
              }
            }
            return holds(interval_of(macro_estimate(items), items), truth);
          }};
}

struct IfevalItem {
  ItemValue prompt;
  ItemValue instructions;
};
/// One to three instructions, followed the more easily the fewer there are: shares 0.75 of prompts
/// and (0.9 + 2 * 0.8 + 3 * 0.7) / 6 of instructions in the mean.
IfevalItem draw_ifeval(SplitMix64& random, std::uint32_t item) {
  const int count = 1 + static_cast<int>(random.below(3));
  const double p = 1 - 0.1 * count;
  int followed = 0;
  const bool easy = random.uniform() < 0.5;  // then all are followed or none
  const bool all = random.uniform() < p;
  for (int i = 0; i < count; ++i) followed += (easy ? all : random.uniform() < p) ? 1 : 0;
  return {{followed == count ? 1.0 : 0.0, 1, 0, item},
          {static_cast<double>(followed), static_cast<double>(count), 0, item}};
}

Case ratio_coverage(int n) {
  return {"share of instructions, " + std::to_string(n) + " items", 0.93, 0.97, [=](SplitMix64& r) {
            std::vector<ItemValue> items;
            for (int i = 0; i < n; ++i) {
              items.push_back(draw_ifeval(r, static_cast<std::uint32_t>(i)).instructions);
            }
            return holds(interval_of(mean_estimate(items), items), 4.6 / 6);
          }};
}

Case mean_of_coverage(int n) {
  const double prompts = (0.5 * (0.9 + 0.8 + 0.7) + 0.5 * (0.9 + 0.8 * 0.8 + 0.7 * 0.7 * 0.7)) / 3;
  return {"mean of two metrics, " + std::to_string(n) + " items", 0.93, 0.97, [=](SplitMix64& r) {
            std::vector<ItemValue> first;
            std::vector<ItemValue> second;
            for (int i = 0; i < n; ++i) {
              const IfevalItem item = draw_ifeval(r, static_cast<std::uint32_t>(i));
              first.push_back(item.prompt);
              second.push_back(item.instructions);
            }
            const Estimate parts[] = {mean_estimate(first), mean_estimate(second)};
            return holds(interval_of(mean_of_estimates(parts), first), (prompts + 4.6 / 6) / 2);
          }};
}

/// Ten samples of each item; half of the items are solved by a fifth of them, half by four fifths.
Case pass_at_k_coverage(int n, int k) {
  const double truth = 1 - (std::pow(0.8, k) + std::pow(0.2, k)) / 2;
  return {"pass@" + std::to_string(k) + ", " + std::to_string(n) + " items of 10 samples", 0.93,
          0.97, [=](SplitMix64& r) {
            std::vector<ItemValue> items;
            for (int i = 0; i < n; ++i) {
              const double p = r.uniform() < 0.5 ? 0.2 : 0.8;
              int right = 0;
              for (int s = 0; s < 10; ++s) right += r.uniform() < p ? 1 : 0;
              items.push_back({pass_at_k(10, right, k), 1, 0, static_cast<std::uint32_t>(i)});
            }
            return holds(interval_of(mean_estimate(items), items), truth);
          }};
}

/// Majority of five answers: right with p, else one of three wrong ones; truth by many draws.
double draw_majority(SplitMix64& random) {
  int votes[4] = {};
  int first_seen[4] = {9, 9, 9, 9};
  for (int s = 0; s < 5; ++s) {
    const auto answer = random.uniform() < 0.5 ? 0 : 1 + static_cast<int>(random.below(3));
    ++votes[answer];
    first_seen[answer] = std::min(first_seen[answer], s);
  }
  int best = 0;
  for (int a = 1; a < 4; ++a) {
    const bool more = votes[a] > votes[best];
    const bool earlier = votes[a] == votes[best] && first_seen[a] < first_seen[best];
    if (more || earlier) best = a;
  }
  return best == 0 ? 1 : 0;
}

Case majority_coverage(int n) {
  SplitMix64 many(1);
  double truth = 0;
  for (int i = 0; i < 400000; ++i) truth += draw_majority(many) / 400000;
  return {"maj@5, " + std::to_string(n) + " items, Wilson", 0.93, 0.97, [=](SplitMix64& r) {
            double right = 0;
            for (int i = 0; i < n; ++i) right += draw_majority(r);
            return holds(wilson_interval(right, n, 0.95), truth);
          }};
}

Case bootstrap_coverage(int n) {
  return {"bootstrap of a mean, " + std::to_string(n) + " items", 0.93, 0.97, [=](SplitMix64& r) {
            std::vector<double> values;
            for (int i = 0; i < n; ++i) values.push_back(r.uniform() < 0.4 ? 1 : 0);
            const auto mean = [&](std::span<const std::uint32_t> weights) {
              double sum = 0;
              for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * values[i];
              return sum / n;
            };
            return holds(bootstrap_interval(values.size(), {.draws = 400, .seed = r()}, mean), 0.4);
          }};
}

std::vector<Case> intervals() {
  return {wilson_coverage(50, 0.3, 0.95),
          wilson_coverage(164, 0.3, 0.98),
          wilson_coverage(1319, 0.3, 0.99),
          clustered_coverage(30, 11),
          clustered_coverage(250, 11),
          macro_coverage(57, 5, 20),
          macro_coverage(6, 20, 60),
          ratio_coverage(100),
          ratio_coverage(541),
          mean_of_coverage(541),
          pass_at_k_coverage(164, 1),
          pass_at_k_coverage(164, 5),
          majority_coverage(250),
          bootstrap_coverage(100),
          bootstrap_coverage(300)};
}
INSTANTIATE_TEST_SUITE_P(Interval, Simulation, ::testing::ValuesIn(intervals()));

}  // namespace
}  // namespace assay::reports
