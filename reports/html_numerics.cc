// The section on numeric distance: divergence from the reference, and where in the model it grows.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/page_format.h"
#include "reports/page_html.h"
#include "reports/svg.h"

namespace assay::reports {
namespace {

constexpr std::size_t kMostPictures = 12;
constexpr double kLeastKl = 1e-9;  // what counts as none on a logarithmic axis

double log_kl(double kl) { return std::log10(std::max(kl, kLeastKl)); }

Html divergence_plot(const std::vector<NumericsRow>& rows) {
  std::vector<ForestRow> forest;
  ForestRange range{0, 1, false};
  bool first = true;
  for (const NumericsRow& row : rows) {
    const store::NumericsRecord& n = row.numerics;
    if (n.kl_max <= 0) continue;  // the reference itself
    const double low = log_kl(n.kl_p50);
    const double high = log_kl(n.kl_p99);
    const double mean = std::clamp(log_kl(n.kl_mean), low, high);
    forest.push_back(
        {.label = row.setting,
         .value = mean,
         .low = low,
         .high = high,
         .note = fmt::format("{:.2g}", n.kl_mean),
         .tip = fmt::format("{}: mean {:.3g}, median {:.3g}, 99 % {:.3g}, largest {:.3g}",
                            row.setting, n.kl_mean, n.kl_p50, n.kl_p99, n.kl_max),
         .css = {}});
    range.low = first ? low : std::min(range.low, low);
    range.high = first ? high : std::max(range.high, high);
    first = false;
  }
  if (forest.empty()) return {};
  range.low = std::floor(range.low);
  range.high = std::ceil(range.high);
  return forest_plot(forest, range,
                     {"Divergence from the reference",
                      "One row a setting: dot at the mean, line from the median to 99 % of the "
                      "tokens, as powers of ten",
                      "log10 of KL divergence, nats a token", ""});
}

Html layer_plot(const NumericsRow& row) {
  std::vector<TrendMark> points;
  for (std::size_t i = 0; i < row.numerics.layers.size(); ++i) {
    const double value = 100 * row.numerics.layers[i].relative_error;
    points.push_back(
        {std::to_string(i), value, value, value,
         fmt::format("layer {}: {:.2f} %, {:.1f} dB", i, value, row.numerics.layers[i].snr_db)});
  }
  if (points.size() < 2 || row.numerics.kl_max <= 0) return {};
  return element("h3", "", name_of(row.setting)) +
         trend_plot(points, {"Error after each layer of " + row.setting,
                             "Relative error of the residual stream after each layer, percent",
                             "layer", "relative error, percent"});
}

Html numbers(const std::vector<NumericsRow>& rows) {
  Html head = column("Run");
  for (const char* name : {"KL mean", "KL 50 %", "KL 90 %", "KL 99 %", "KL 99.9 %", "KL max",
                           "Top-1", "Perplexity", "Change", "Last layer SNR"}) {
    head += column(name);
  }
  Html body;
  for (const NumericsRow& row : rows) {
    const store::NumericsRecord& n = row.numerics;
    Html cells = element("th", "", name_of(row.setting));
    for (const double kl : {n.kl_mean, n.kl_p50, n.kl_p90, n.kl_p99, n.kl_p999, n.kl_max}) {
      cells += number_cell(fmt::format("{:.3g}", kl));
    }
    cells += number_cell(fmt::format("{:.2f} %", 100 * n.top1));
    cells += number_cell(fmt::format("{:.4f}", n.perplexity));
    cells +=
        number_cell(fmt::format("{:+.2f} %", 100 * (n.perplexity / n.perplexity_reference - 1)));
    const double snr = n.layers.empty() ? 0 : n.layers.back().snr_db;
    cells += number_cell(n.kl_max > 0 ? fmt::format("{:.1f} dB", snr) : "\u2013");
    body += element("tr", "", cells);
  }
  return table("numbers", text("Numeric distance from the reference"), head, body);
}

}  // namespace

Html numerics_section(const Page& page) {
  if (page.numerics.empty()) return {};
  const store::NumericsRecord& first = page.numerics.front().numerics;
  Html out = paragraph(
      "lead",
      fmt::format("The next-token distributions of each setting against those of {} on the "
                  "same {} tokens of {}, apart from any task: KL divergence in nats a token, "
                  "share of tokens with the same most likely continuation, perplexity.",
                  first.reference, first.tokens, first.text_name));
  out += divergence_plot(page.numerics);
  out += numbers(page.numerics);
  std::size_t pictures = 0;
  for (const NumericsRow& row : page.numerics) {
    if (pictures++ >= kMostPictures) break;
    out += layer_plot(row);
  }
  return section("numerics", "Numerics", out);
}

}  // namespace assay::reports
