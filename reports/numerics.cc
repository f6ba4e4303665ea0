#include "reports/numerics.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "reports/page_facts.h"

namespace assay::reports {
namespace {

double change(const store::NumericsRecord& n) { return n.perplexity / n.perplexity_reference - 1; }

/// The layer where the error is largest, and that error.
double worst_layer(const store::NumericsRecord& n) {
  double worst = 0;
  for (const auto& layer : n.layers) worst = std::max(worst, layer.relative_error);
  return worst;
}

}  // namespace

std::vector<NumericsRow> load_numerics_rows(const store::Store& store,
                                            const std::vector<store::RunRecord>& runs) {
  std::vector<NumericsRow> out;
  for (const store::RunRecord& run : runs) {
    for (store::NumericsRecord& record : store.load_numerics(run.row)) {
      out.push_back({run.name, run.model.name, setting_text(run), std::move(record)});
    }
  }
  return out;
}

std::string numerics_text(const std::vector<NumericsRow>& rows) {
  if (rows.empty()) return "no numeric comparisons are stored for these runs\n";
  std::string out = fmt::format("{:<28} {:>7} {:>10} {:>10} {:>10} {:>10} {:>8} {:>10} {:>9}\n",
                                "setting", "tokens", "KL mean", "KL p99", "KL p99.9", "KL max",
                                "top-1", "ppl change", "error");
  for (const NumericsRow& row : rows) {
    const store::NumericsRecord& n = row.numerics;
    out += fmt::format(
        "{:<28} {:>7} {:>10.3g} {:>10.3g} {:>10.3g} {:>10.3g} {:>7.2f}% {:>+9.2f}% {:>8.2f}%\n",
        escaped(row.setting, 60), n.tokens, n.kl_mean, n.kl_p99, n.kl_p999, n.kl_max, 100 * n.top1,
        100 * change(n), 100 * worst_layer(n));
  }
  const store::NumericsRecord& first = rows.front().numerics;
  return out +
         fmt::format(
             "KL in nats from {}, whose perplexity is {:.4f}; error: largest relative error of "
             "the residual stream after a layer; text {}\n",
             escaped(first.reference), first.perplexity_reference, escaped(first.text_name, 80));
}

std::string numerics_markdown(const std::vector<NumericsRow>& rows) {
  std::string out =
      "| Setting | Tokens | KL mean | KL p99 | KL p99.9 | KL max | Top-1 | Perplexity | Error |\n"
      "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const NumericsRow& row : rows) {
    const store::NumericsRecord& n = row.numerics;
    std::string name = escaped(row.setting, 80);
    std::replace(name.begin(), name.end(), '|', '/');
    out += fmt::format(
        "| `{}` | {} | {:.3g} | {:.3g} | {:.3g} | {:.3g} | {:.2f} % | {:+.2f} % | "
        "{:.2f} % |\n",
        name, n.tokens, n.kl_mean, n.kl_p99, n.kl_p999, n.kl_max, 100 * n.top1, 100 * change(n),
        100 * worst_layer(n));
  }
  return out;
}

std::string numerics_csv(const std::vector<NumericsRow>& rows) {
  std::string out =
      "run,setting,reference,text_sha256,tokens,kl_mean,kl_p50,kl_p90,kl_p99,kl_p999,kl_max,top1,"
      "perplexity,perplexity_reference\r\n";
  for (const NumericsRow& row : rows) {
    const store::NumericsRecord& n = row.numerics;
    std::string setting = row.setting;
    std::replace(setting.begin(), setting.end(), '"', '\'');
    out += fmt::format("{},\"{}\",{},{},{},{},{},{},{},{},{},{},{},{}\r\n", row.run, setting,
                       n.reference, n.text_sha256, n.tokens, n.kl_mean, n.kl_p50, n.kl_p90,
                       n.kl_p99, n.kl_p999, n.kl_max, n.top1, n.perplexity, n.perplexity_reference);
  }
  return out;
}

Json numerics_json(const std::vector<NumericsRow>& rows) {
  Json::Array out;
  for (const NumericsRow& row : rows) {
    const store::NumericsRecord& n = row.numerics;
    Json::Array layers;
    for (const auto& layer : n.layers) {
      layers.push_back(
          Json::Object{{"relative_error", layer.relative_error}, {"snr_db", layer.snr_db}});
    }
    out.push_back(Json::Object{{"run", row.run},
                               {"model", row.model},
                               {"setting", row.setting},
                               {"reference", n.reference},
                               {"text", n.text_name},
                               {"text_sha256", n.text_sha256},
                               {"window", n.window_tokens},
                               {"tokens", n.tokens},
                               {"kl_mean", n.kl_mean},
                               {"kl_p50", n.kl_p50},
                               {"kl_p90", n.kl_p90},
                               {"kl_p99", n.kl_p99},
                               {"kl_p999", n.kl_p999},
                               {"kl_max", n.kl_max},
                               {"top1", n.top1},
                               {"perplexity", n.perplexity},
                               {"perplexity_reference", n.perplexity_reference},
                               {"layers", std::move(layers)}});
  }
  return Json(std::move(out));
}

}  // namespace assay::reports
