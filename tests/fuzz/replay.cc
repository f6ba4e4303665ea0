// Runs a fuzz target without libFuzzer: the corpus, the seeds, and seeded mutations of the seeds.
// The corpus is a folder of findings, and beside it CORPUS.gz, what libFuzzer kept for its
// coverage: an input a line, in hexadecimal digits.
// usage: <target>_replay COUNT [CORPUS]      COUNT mutations; ASSAY_TEST_SEED: another seed
#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr std::size_t kMaxBytes = 16384;

void run(std::string_view what, const std::string& input) {
  try {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\ninput: {}\n", what, error.what(), assay::escaped(input, kMaxBytes));
    std::exit(1);
  }
}

/// A stretch of one of the seeds.
std::string piece(const std::vector<std::string>& seeds, assay::SplitMix64& random) {
  const std::string& seed = seeds[random.below(seeds.size())];
  const std::size_t at = random.below(seed.size() + 1);
  return seed.substr(at, random.below(32));
}

std::string mutated(const std::vector<std::string>& seeds, assay::SplitMix64& random) {
  std::string out = seeds[random.below(seeds.size())];
  for (std::uint64_t change = 1 + random.below(8); change > 0; --change) {
    const std::size_t at = random.below(out.size() + 1);
    const std::size_t length = random.below(16);
    switch (random.below(5)) {
      case 0:  // one byte, any value
        if (at < out.size()) out[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        out.erase(at, length);
        break;
      case 2:
        out.insert(at, piece(seeds, random));
        break;
      case 3:  // a stretch many times over
        for (std::string part = out.substr(at, length + 1); out.size() < kMaxBytes / 8;) {
          if (part.empty()) break;
          out.insert(at, part);
        }
        break;
      default:
        out.resize(at);
        out += piece(seeds, random);
    }
    if (out.size() > kMaxBytes) out.resize(kMaxBytes);
  }
  return out;
}

/// The bytes that pairs of hexadecimal digits stand for.
std::string from_hex(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    out += static_cast<char>(value(digits[i]) * 16 + value(digits[i + 1]));
  }
  return out;
}

std::vector<std::string> kept_inputs(const std::filesystem::path& file) {
  std::vector<std::string> out;
  if (!std::filesystem::exists(file)) return out;
  const std::string text = assay::read_file_gunzip(file);
  for (const std::string_view line : assay::split(text, '\n')) out.push_back(from_hex(line));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto count = argc > 1 ? assay::parse_int(argv[1]) : std::nullopt;
  if (!count) {
    fmt::print(stderr, "usage: {} COUNT [CORPUS]\n", argv[0]);
    return 2;
  }
  std::int64_t inputs = 0;
  const std::string corpus = argc > 2 ? argv[2] : "";
  if (std::filesystem::is_directory(corpus)) {
    for (const auto& file : std::filesystem::directory_iterator(corpus)) {
      run(file.path().string(), assay::read_file(file.path()));
      ++inputs;
    }
  }
  for (const std::string& input : kept_inputs(corpus + ".gz")) {
    run(fmt::format("input {} of {}.gz", inputs, corpus), input);
    ++inputs;
  }
  const std::vector<std::string> seeds = assay::fuzz::seeds();
  for (const std::string& seed : seeds) run("seed", seed);
  const char* chosen = std::getenv("ASSAY_TEST_SEED");
  const std::int64_t seed = chosen != nullptr ? assay::parse_int(chosen).value_or(1) : 1;
  assay::SplitMix64 random(static_cast<std::uint64_t>(seed));
  for (std::int64_t i = 0; i < *count; ++i) {
    run(fmt::format("mutation {} of seed {}", i, seed), mutated(seeds, random));
  }
  fmt::print("{} inputs of the corpus, {} seeds, {} mutations\n", inputs, seeds.size(), *count);
  return 0;
}
