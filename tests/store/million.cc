// Writes two runs of N samples each to FILE: for measuring compare and gate on large stores.
// Usage: store_million FILE N
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/random.h"
#include "tests/store/fixture.h"

namespace {

void write_run(assay::store::Store& store, std::int64_t samples, std::uint64_t seed) {
  using namespace assay;  // NOLINT(google-build-using-namespace): a small tool
  store::RunRecord record = test::example_run(seed == 1 ? "bf16" : "fp8");
  const store::RunRecord run =
      store.load_run(store.create_run(record, std::vector{test::example_task("gsm8k", samples)}));
  store.set_tag(run.row, seed == 1 ? "base" : "head", "measurement");
  store::RunWriter writer(store, run.row, run.machine);
  const std::int64_t task = store.load_tasks(run.row)[0].row;
  SplitMix64 common(7);
  SplitMix64 own(seed);
  std::vector<store::SampleRecord> batch;
  for (std::int64_t i = 0; i < samples; ++i) {
    const bool right = common.uniform() < 0.7;
    const bool flipped = own.uniform() < 0.02;
    batch.push_back(test::example_sample(i, right != flipped));
    batch.back().generation.text += std::string(800, 'x');
    if (batch.size() < 5000 && i + 1 < samples) continue;
    writer.add(task, batch);
    batch.clear();
  }
  writer.finish(store::RunStatus::kDone);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: store_million FILE N\n", stderr);
    return 2;
  }
  try {
    assay::store::Store store = assay::store::Store::open(argv[1], assay::store::OpenMode::kCreate);
    for (const std::uint64_t seed : {1, 2}) write_run(store, std::atoll(argv[2]), seed);
  } catch (const assay::Error& error) {
    std::fprintf(stderr, "store_million: %s\n", error.what());
    return 6;
  }
  return 0;
}
