#include "engine/server/metrics.h"

#include <fmt/format.h>

namespace assay::engine {
namespace {

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void single(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            std::int64_t value) {
  head(out, name, type, help);
  out += fmt::format("{} {}\n", name, value);
}

/// A label's value: backslash, quote and line end are escaped.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void Histogram::add(double seconds) {
  ++count_;
  sum_ += seconds;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (seconds <= kBounds[i]) ++counts_[i];
  }
}

void Histogram::print(std::string& out, std::string_view name) const {
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, kBounds[i], counts_[i]);
  }
  out += fmt::format("{}_bucket{{le=\"+Inf\"}} {}\n{}_sum {}\n{}_count {}\n", name, count_, name,
                     sum_, name, count_);
}

std::string Metrics::print(std::string_view model) const {
  std::string out;
  head(out, "assay_info", "gauge", "The model that is served.");
  out += fmt::format("assay_info{{model=\"{}\"}} 1\n", label(model));
  head(out, "assay_requests_total", "counter", "Requests answered, by path and status.");
  for (const auto& [key, count] : requests) {
    out += fmt::format("assay_requests_total{{path=\"{}\",status=\"{}\"}} {}\n", label(key.first),
                       key.second, count);
  }
  single(out, "assay_requests_cancelled_total", "counter",
         "Clients that went away before their answer was complete.", cancelled);
  single(out, "assay_answers_in_flight", "gauge", "Answers being made or waiting.", in_flight);
  single(out, "assay_connections", "gauge", "Open connections.", connections);
  single(out, "assay_connections_refused_total", "counter",
         "Connections beyond the limit, closed at once.", refused_connections);
  single(out, "assay_prompt_tokens_total", "counter", "Tokens of prompts.", prompt_tokens);
  single(out, "assay_cached_prompt_tokens_total", "counter",
         "Prompt tokens taken from the prefix cache.", cached_prompt_tokens);
  single(out, "assay_generated_tokens_total", "counter", "Tokens generated.", generated_tokens);
  const auto histogram = [&](std::string_view name, std::string_view help, const Histogram& h) {
    head(out, name, "histogram", help);
    h.print(out, name);
  };
  histogram("assay_first_token_seconds", "From a request to its first token.", first_token_seconds);
  histogram("assay_between_tokens_seconds", "Between the tokens of a stream.",
            between_tokens_seconds);
  histogram("assay_request_seconds", "From a request to the end of its answer.", request_seconds);
  return out;
}

}  // namespace assay::engine
