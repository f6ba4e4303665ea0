// Uses the benchmark of this folder through the registry alone, as the program does.
#include <cstdio>

#include "datasets/load.h"
#include "evals/aggregate.h"
#include "evals/benchmark.h"

int main(int argc, char** argv) {
  using namespace assay;  // NOLINT(google-build-using-namespace): a test program of one function
  if (argc != 2) return 2;
  const evals::Benchmark& sums = evals::find_benchmark("sums");
  const evals::Protocol& protocol = evals::find_protocol(sums, "");
  std::vector<evals::Observation> observations;
  for (const datasets::Record& record :
       datasets::load_split(sums.manifest(), protocol.split, argv[1], {.custom = true}).records) {
    const evals::Sample sample = sums.to_sample(record);
    const evals::Response response{.text = "It is 5.", .choices = {}};
    observations.push_back(
        evals::observe(sums, protocol, sample, 0, sums.score(sample, response, {})));
  }
  const evals::Aggregate result = evals::aggregate(protocol.metrics, observations);
  std::printf("sums@%s accuracy %g of %g, %zu benchmarks\n", protocol.name.c_str(),
              result.metrics.front().count, result.metrics.front().of,
              evals::all_benchmarks().size());
  return result.metrics.front().value == 0.5 ? 0 : 1;
}
