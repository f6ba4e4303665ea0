// Damaged files of every format: each is read or refused with an Error, and never anything else.
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "datasets/load.h"
#include "tests/support/shared_data.h"

namespace assay::datasets {
namespace {

/// Some bytes changed, removed, repeated or cut off.
std::string mutated(std::string bytes, SplitMix64& random) {
  for (std::size_t n = 1 + random() % 4; n > 0 && !bytes.empty(); --n) {
    const std::size_t at = random() % bytes.size();
    switch (random() % 5) {
      case 0:
        bytes[at] = static_cast<char>(random() & 0xff);
        break;
      case 1:
        bytes[at] = "\"\n\r\t,{}[]\\\0"[random() % 11];
        break;
      case 2:
        bytes.erase(at, 1 + random() % 8);
        break;
      case 3:
        bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 64));
        break;
      default:
        if (random() % 4 == 0) bytes.resize(at);
        break;
    }
  }
  return bytes;
}

struct Seed {
  std::string name;
  std::string bytes;
  DataFile file;
};

std::vector<Seed> small_seeds() {
  return {
      {"jsonl",
       "{\"a\":\"\\u00e9\\n\",\"b\":[1,2.5,null]}\n{\"a\":\"x\",\"b\":{}}\n",
       {.format = FileFormat::kJsonl, .required = {"a"}}},
      {"csv",
       "q,a\r\n\"one\r\ntwo\",None\r\n\"say \"\"hi\"\"\", x \r\n",
       {.format = FileFormat::kCsv, .required = {"q"}}},
      {"tsv",
       "question \"x\"\t12\nother\t-3\n",
       {.format = FileFormat::kTsv, .columns = {"q", "a"}}},
      {"json", "{\"a\":{\"b\":[true,false,\"x\"]}}", {.format = FileFormat::kJson}},
  };
}

void replay(const Seed& seed, int rounds) {
  const test::TemporaryFolder folder;
  Manifest manifest{.name = "fuzz"};
  manifest.files.push_back(seed.file);
  manifest.files[0].path = seed.name;
  manifest.files[0].split = "test";
  SplitMix64 random(20231121);
  for (int round = 0; round < rounds; ++round) {
    std::ofstream(folder.path() / seed.name, std::ios::binary | std::ios::trunc)
        << mutated(seed.bytes, random);
    for (const bool skip_bad : {false, true}) {
      try {
        (void)load_split(manifest, "test", folder.path(), {.custom = true, .skip_bad = skip_bad});
      } catch (const Error& error) {
        ASSERT_EQ(error.kind(), ErrorKind::kInput) << seed.name << " round " << round;
        ASSERT_STRNE(error.what(), "");
      }
    }
  }
}

TEST(DamagedFiles, TextFormatsAreReadOrRefused) {
  for (const Seed& seed : small_seeds()) replay(seed, 300);
}

TEST(DamagedFiles, ArchivesAreReadOrRefused) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  replay({"prompts.zip",
          read_file(folder / "gpqa/prompts.zip"),
          {.format = FileFormat::kZipJson,
           .member = "prompts/chain_of_thought_examples.json",
           .password = "deserted-untie-orchid"}},
         200);
  replay({"HumanEval.jsonl.gz", read_file(folder / "humaneval/HumanEval.jsonl.gz"), {}}, 100);
  // The head of a real tar: whole members, then an end that is missing.
  const std::string tar = read_file_gunzip(folder / "math/MATH_test.tar.gz");
  replay({"MATH.tar", tar.substr(0, 40'960), {.format = FileFormat::kJsonTar, .member = "MATH/"}},
         200);
}

}  // namespace
}  // namespace assay::datasets
