#include "evals/benchmark.h"

#include "base/error.h"
#include "base/text.h"

namespace assay::evals {

Response Benchmark::gold_response(const Sample& sample, const ScoreContext& /*context*/) const {
  return {.text = sample.target, .choices = {}, .truncated = false};
}

std::vector<Sample> Benchmark::to_samples(const Record& record) const {
  return {to_sample(record)};
}

std::string Benchmark::category(const Sample& sample, const Protocol& /*protocol*/) const {
  return sample.category;
}

const Benchmark& find_benchmark(std::string_view name) {
  std::vector<std::string> names;
  for (const Benchmark* benchmark : all_benchmarks()) {
    if (benchmark->name() == name) return *benchmark;
    names.emplace_back(benchmark->name());
  }
  throw_input("unknown task \"{}\"{}; known: {}", escaped(name), suggestion(name, names),
              join(names, ", "));
}

TaskName parse_task_name(std::string_view text) {
  const std::size_t at = text.find('@');
  return {.task = std::string(text.substr(0, at)),
          .protocol = at == std::string_view::npos ? "" : std::string(text.substr(at + 1))};
}

const Protocol& find_protocol(const Benchmark& benchmark, std::string_view name) {
  std::vector<std::string> names;
  for (const Protocol& protocol : benchmark.protocols()) {
    if (name.empty() || protocol.name == name) return protocol;
    names.push_back(protocol.name);
  }
  throw_input("{}: unknown protocol \"{}\"{}; known: {}", benchmark.name(), escaped(name),
              suggestion(name, names), join(names, ", "));
}

}  // namespace assay::evals
