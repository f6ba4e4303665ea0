// Published values and reference vectors. Error rates: simulation_test.cc.
#include "reports/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/special_functions.h"
#include "reports/hypothesis.h"
#include "tests/support/shared_data.h"

namespace assay::reports {
namespace {

constexpr double kClose = 1e-9;

std::vector<double> numbers(const Json& json) {
  std::vector<double> out;
  for (const Json& value : json.as_array()) out.push_back(value.as_double());
  return out;
}

std::vector<ItemValue> items_of(const std::vector<double>& values) {
  std::vector<ItemValue> out;
  for (const double value : values) {
    out.push_back({value, 1, 0, static_cast<std::uint32_t>(out.size())});
  }
  return out;
}

std::vector<std::uint32_t> clusters_of(const std::vector<ItemValue>& items) {
  std::vector<std::uint32_t> out;
  for (const ItemValue& item : items) out.push_back(item.cluster);
  return out;
}

StandardError error_of(const std::vector<ItemValue>& items) {
  return standard_error(mean_estimate(items), clusters_of(items));
}

void check_mean(const Json& v) {
  const std::vector<double> values = numbers(v.at("values"));
  const std::vector<ItemValue> items = items_of(values);
  const Estimate mean = mean_estimate(items);
  EXPECT_NEAR(mean.value, v.at("mean").as_double(), kClose);
  EXPECT_NEAR(plain_standard_error(values), v.at("stderr").as_double(), kClose);
  EXPECT_NEAR(error_of(items).value, v.at("stderr").as_double(), kClose);
  const Interval interval = t_interval(mean.value, error_of(items), 0.95);
  EXPECT_NEAR(interval.low, v.at("ci95_t").as_array()[0].as_double(), kClose);
  EXPECT_NEAR(interval.high, v.at("ci95_t").as_array()[1].as_double(), kClose);
  EXPECT_NEAR(t_quantile(0.975, static_cast<double>(values.size() - 1)), v.at("t_crit").as_double(),
              kClose);
}

/// Items with the mean and standard error that a group states.
void add_group(std::vector<ItemValue>& items, std::uint32_t group, std::int64_t n, double mean,
               double error) {
  const auto spread = error * std::sqrt(static_cast<double>(n % 2 == 0 ? n - 1 : n));
  for (std::int64_t i = 0; i < n; ++i) {
    const double sign = i == n - 1 && n % 2 == 1 ? 0 : (i % 2 == 0 ? 1 : -1);
    items.push_back({mean + sign * spread, 1, group, static_cast<std::uint32_t>(items.size())});
  }
}

void check_group(const Json& v) {
  std::vector<ItemValue> items;
  const std::vector<double> means = numbers(v.at("metrics"));
  for (std::size_t g = 0; g < means.size(); ++g) {
    add_group(items, static_cast<std::uint32_t>(g), v.at("sizes").as_array()[g].as_int(), means[g],
              v.at("stderrs").as_array()[g].as_double());
  }
  EXPECT_NEAR(mean_estimate(items).value, v.at("micro").as_double(), kClose);
  const Estimate macro = macro_estimate(items);
  EXPECT_NEAR(macro.value, v.at("macro").as_double(), kClose);
  EXPECT_NEAR(standard_error(macro, clusters_of(items)).value,
              v.at("independent_macro_stderr").as_double(), kClose);
}

TEST(MacroEstimate, GroupsOfOneClusterEachGiveTheSpreadOfTheirMeans) {
  const std::vector<ItemValue> items = {{1, 1, 0, 0}, {1, 1, 0, 0}, {0, 1, 1, 1},
                                        {1, 1, 1, 1}, {0, 1, 2, 2}, {0, 1, 2, 2}};
  const Estimate macro = macro_estimate(items);
  EXPECT_DOUBLE_EQ(macro.value, 0.5);
  const std::vector<double> means = {1, 0.5, 0};
  EXPECT_NEAR(standard_error(macro, clusters_of(items)).value, plain_standard_error(means), 1e-15);
}

void check_clusters(const Json& v) {
  std::vector<ItemValue> items;
  std::uint32_t cluster = 0;
  for (const Json& values : v.at("clusters").as_array()) {
    for (const double value : numbers(values)) items.push_back({value, 1, 0, cluster});
    ++cluster;
  }
  EXPECT_NEAR(mean_estimate(items).value, v.at("mean").as_double(), kClose);
  EXPECT_NEAR(error_of(items).value, v.at("stderr_corrected").as_double(), kClose);
}

void check_paired(const Json& v) {
  const std::string& a = v.at("a").as_string();
  const std::string& b = v.at("b").as_string();
  std::vector<double> first;
  std::vector<double> second;
  for (std::size_t i = 0; i < a.size(); ++i) {
    first.push_back(a[i] - '0');
    second.push_back(b[i] - '0');
  }
  const std::vector<ItemValue> items = items_of(first);
  const Estimate d = difference(mean_estimate(items_of(second)), mean_estimate(items));
  const StandardError error = standard_error(d, clusters_of(items));
  EXPECT_NEAR(d.value, v.at("mean_diff").as_double(), kClose);
  EXPECT_NEAR(error.value, v.at("paired_stderr").as_double(), kClose);
  EXPECT_NEAR(t_test_p(d.value, error), v.at("p_paired_t").as_double(), kClose);
  const McNemar test = mcnemar(v.at("n01").as_int(), v.at("n10").as_int());
  EXPECT_NEAR(test.exact_p, v.at("mcnemar_exact_p").as_double(), kClose);
  EXPECT_NEAR(test.mid_p, v.at("mcnemar_midp").as_double(), kClose);
}

void check_paired_clusters(const Json& v) {
  std::vector<ItemValue> a;
  std::vector<ItemValue> b;
  for (std::size_t cluster = 0; cluster < v.at("a").as_array().size(); ++cluster) {
    const std::string& first = v.at("a").as_array()[cluster].as_string();
    const std::string& second = v.at("b").as_array()[cluster].as_string();
    for (std::size_t i = 0; i < first.size(); ++i) {
      a.push_back({static_cast<double>(first[i] - '0'), 1, 0, static_cast<std::uint32_t>(cluster)});
      b.push_back(
          {static_cast<double>(second[i] - '0'), 1, 0, static_cast<std::uint32_t>(cluster)});
    }
  }
  const Estimate d = difference(mean_estimate(b), mean_estimate(a));
  EXPECT_NEAR(d.value, v.at("mean_diff").as_double(), kClose);
  EXPECT_NEAR(standard_error(d, clusters_of(a)).value, v.at("clustered_stderr").as_double(),
              kClose);
}

TEST(Statistics, EveryReferenceVectorAgrees) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/statistics.jsonl");
  for (const Json& v : test::read_jsonl(path)) {
    SCOPED_TRACE(v.at("id").as_string());
    const std::string& kind = v.at("kind").as_string();
    if (kind == "pass_at_k") {
      EXPECT_NEAR(pass_at_k(v.at("n").as_int(), v.at("c").as_int(), v.at("k").as_int()),
                  v.at("value").as_double(), kClose);
    } else if (kind == "mean_stderr") {
      check_mean(v);
    } else if (kind == "group") {
      check_group(v);
    } else if (kind == "clustered_stderr") {
      check_clusters(v);
    } else if (kind == "paired_binary") {
      check_paired(v);
    } else if (kind == "paired_clustered") {
      check_paired_clusters(v);
    } else if (kind == "mcnemar") {
      const McNemar test = mcnemar(v.at("n01").as_int(), v.at("n10").as_int());
      EXPECT_NEAR(test.exact_p, v.at("exact_p").as_double(), kClose);
      EXPECT_NEAR(test.mid_p, v.at("mid_p").as_double(), kClose);
    } else if (kind == "binomial_ci95") {
      const Interval wilson = wilson_interval(v.at("k").as_double(), v.at("n").as_double(), 0.95);
      EXPECT_NEAR(wilson.low, v.at("wilson").as_array()[0].as_double(), kClose);
      EXPECT_NEAR(wilson.high, v.at("wilson").as_array()[1].as_double(), kClose);
    } else if (kind == "holm") {
      const std::vector<double> adjusted = holm(numbers(v.at("p")));
      const std::vector<double> expected = numbers(v.at("adjusted"));
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(adjusted[i], expected[i], kClose);
      }
    } else {
      ADD_FAILURE() << "unknown kind " << kind;
    }
  }
}

TEST(Statistics, SpecialFunctionsHaveTheirTabulatedValues) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-13);
  EXPECT_NEAR(normal_quantile(1e-10), -6.361340902404056, 1e-10);
  EXPECT_NEAR(t_quantile(0.975, 1), 12.706204736174698, 1e-9);
  EXPECT_NEAR(t_quantile(0.975, 10), 2.228138851986273, 1e-12);
  EXPECT_NEAR(incomplete_beta(2, 3, 0.4), 0.5248, 1e-13);
  EXPECT_NEAR(fair_binomial_cdf(2, 10), 56.0 / 1024, 1e-15);
}

TEST(Statistics, RankTestHasTheSmallestPossibleValuesOfItsTables) {
  const std::vector<double> low{1, 2, 3, 4};
  const std::vector<double> high{5, 6, 7, 8};
  EXPECT_NEAR(mann_whitney_p(low, high), 2.0 / 70, 1e-12);
  EXPECT_NEAR(mann_whitney_p(std::span(low).first(3), std::span(high).first(3)), 0.1, 1e-12);
  EXPECT_EQ(mann_whitney_p(low, low), 1);
}

TEST(Statistics, SignFlipsAgreeWithMcNemarOnBinaryChanges) {
  std::vector<double> changes(9, -1.0);
  changes.push_back(1.0);
  EXPECT_NEAR(sign_flip_p(changes, 0, 1), mcnemar(1, 9).exact_p, 1e-12);
}

TEST(Statistics, BenjaminiHochbergKeepsTheirExample) {
  // Benjamini and Hochberg 1995, section 3.2: four of the fifteen are rejected at 0.05.
  const std::vector<double> p{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                              0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0};
  const std::vector<double> adjusted = benjamini_hochberg(p);
  EXPECT_EQ(std::count_if(adjusted.begin(), adjusted.end(), [](double q) { return q <= 0.05; }), 4);
  const std::vector<double> family = holm(p);
  EXPECT_EQ(std::count_if(family.begin(), family.end(), [](double q) { return q <= 0.05; }), 3);
}

TEST(Statistics, DetectableEffectAndNeededItemsAreInverse) {
  const double error = std::sqrt(0.03 / 1319);  // 3 % of items flipped
  EXPECT_NEAR(minimum_detectable(error, 0.05, 0.8), 0.0133, 0.0005);
  const std::int64_t needed = required_items(error, 1319, 0.01, 0.05, 0.8);
  EXPECT_NEAR(static_cast<double>(needed), 7.85 * 0.03 / 1e-4, 5);
}

}  // namespace
}  // namespace assay::reports
