#include "evals/extract/python_random.h"

#include <algorithm>

#include "base/digest.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

Json list(const std::vector<std::size_t>& items) {
  Json out{Json::Array{}};
  for (const std::size_t item : items) out.push_back(item);
  return out;
}

Json draws(int count, const auto& draw) {
  Json out{Json::Array{}};
  for (int i = 0; i < count; ++i) out.push_back(Json(draw()));
  return out;
}

Json shuffled(PythonRandom& random, std::size_t size) {
  std::vector<std::size_t> items(size);
  for (std::size_t i = 0; i < size; ++i) items[i] = i;
  random.shuffle(items);
  return list(items);
}

TEST(PythonRandom, DrawsWhatCPythonDraws) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/python_random.jsonl");
  for (const Json& vector : test::read_jsonl(path)) {
    const PythonRandom fresh(static_cast<std::uint64_t>(vector.at("seed").as_int()));
    PythonRandom r = fresh;
    EXPECT_EQ(draws(5, [&] { return r.uniform(); }), vector.at("random"));
    r = fresh;
    EXPECT_EQ(draws(5, [&] { return static_cast<std::int64_t>(r.getrandbits(32)); }),
              vector.at("getrandbits32"));
    r = fresh;
    EXPECT_EQ(draws(40, [&] { return r.randint(0, 3); }), vector.at("randint_0_3"));
    r = fresh;
    EXPECT_EQ(draws(20, [&] { return shuffled(r, 4); }), vector.at("shuffle4_x20"));
    r = fresh;
    EXPECT_EQ(shuffled(r, 52), vector.at("shuffle52"));
    r = fresh;
    EXPECT_EQ(list(r.sample(7473, 5)), vector.at("sample5_of_7473"));
    r = fresh;
    EXPECT_EQ(list(r.sample(20, 8)), vector.at("sample8_of_20"));
    r = fresh;
    EXPECT_EQ(list(r.choices(100, 10)), vector.at("choices10_of_100"));
    r = fresh;
    EXPECT_EQ(draws(6, [&] { return r.gauss(0.5, 0.05); }), vector.at("gauss"));
  }
}

// One generator consumed document after document, as the choice orders of a whole benchmark are.
TEST(PythonRandom, StaysInStepOverManySamples) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/python_random.jsonl");
  for (const Json& vector : test::read_jsonl(path)) {
    PythonRandom r(static_cast<std::uint64_t>(vector.at("seed").as_int()));
    const Json all = draws(792, [&] { return list(r.sample(4, 4)); });
    EXPECT_EQ(all.as_array().back(), vector.at("sample4of4_x792_last"));
    EXPECT_EQ(sha256_hex(all.dump()), vector.at("sample4of4_x792_sha256").as_string());
    const Json::Array first(all.as_array().begin(), all.as_array().begin() + 20);
    EXPECT_EQ(Json(first), vector.at("sample4of4_x20"));
  }
}

// Seeds and widths beyond 32 bits take two words; values from CPython 3.11.
TEST(PythonRandom, TakesTwoWordsBeyond32Bits) {
  PythonRandom wide(0x123456789abcdefULL);
  EXPECT_EQ(wide.getrandbits(64), 6428395620130440615ULL);
  EXPECT_EQ(wide.getrandbits(33), 1688815724ULL);
  EXPECT_EQ(wide.randrange(std::uint64_t{1} << 40), 157646260282ULL);
  EXPECT_EQ(wide.uniform(), 0.5250629259399625);
}

// The border between the two ways of sampling moves with the count; values from CPython 3.11.
TEST(PythonRandom, SamplesOnBothSidesOfThePoolBorder) {
  using Items = std::vector<std::size_t>;
  EXPECT_EQ(PythonRandom(7).sample(21, 3), Items({10, 4, 12}));
  EXPECT_EQ(PythonRandom(7).sample(22, 3), Items({10, 4, 12}));
  EXPECT_EQ(PythonRandom(7).sample(85, 6), Items({41, 19, 50, 6, 9, 68}));
  EXPECT_EQ(PythonRandom(7).sample(86, 6), Items({41, 19, 50, 83, 6, 9}));
}

TEST(PythonRandom, SamplesAreDistinctAndInRange) {
  PythonRandom r(1);
  for (std::size_t population = 0; population < 120; ++population) {
    const std::size_t count = r.randrange(population + 1);
    std::vector<std::size_t> drawn = r.sample(population, count);
    std::sort(drawn.begin(), drawn.end());
    EXPECT_EQ(std::adjacent_find(drawn.begin(), drawn.end()), drawn.end());
    EXPECT_EQ(drawn.size(), count);
    EXPECT_TRUE(drawn.empty() || drawn.back() < population);
  }
}

}  // namespace
}  // namespace assay::evals
