// Text to ids and back: the tokenizer of the demonstration model, on English prose and code.
#include <benchmark/benchmark.h>

#include <string>

#include "base/error.h"
#include "engine/tokenizer_load.h"

namespace assay::engine {
namespace {

std::string sample_text(std::int64_t bytes) {
  const std::string sentence =
      "A shop sells 12 pens for 3 dollars each; how much do 7 boxes of them cost?\n"
      "def total(n):\n    return sum(x * x for x in range(n)) % 97\n";
  std::string out;
  while (static_cast<std::int64_t>(out.size()) < bytes) out += sentence;
  out.resize(static_cast<std::size_t>(bytes));
  return out;
}

const Tokenizer* tokenizer(benchmark::State& state) {
  static LoadedTokenizer loaded;
  if (loaded.tokenizer) return loaded.tokenizer.get();
  try {
    loaded = load_tokenizer(ASSAY_DEMO_MODEL);
    return loaded.tokenizer.get();
  } catch (const Error& error) {
    state.SkipWithError(error.what());
    return nullptr;
  }
}

void encode(benchmark::State& state) {
  const Tokenizer* t = tokenizer(state);
  if (t == nullptr) return;
  const std::string text = sample_text(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(t->encode(text, false));
  state.SetBytesProcessed(state.iterations() * state.range(0));
  state.SetItemsProcessed(state.iterations() * std::ssize(t->encode(text, false)));
}
BENCHMARK(encode)->Name("BM_tokenizer/encode")->Arg(256)->Arg(16384);

void decode(benchmark::State& state) {
  const Tokenizer* t = tokenizer(state);
  if (t == nullptr) return;
  const std::vector<TokenId> ids = t->encode(sample_text(state.range(0)), false);
  for (auto _ : state) benchmark::DoNotOptimize(t->decode(ids));
  state.SetItemsProcessed(state.iterations() * std::ssize(ids));
}
BENCHMARK(decode)->Name("BM_tokenizer/decode")->Arg(16384);

}  // namespace
}  // namespace assay::engine

BENCHMARK_MAIN();
