// Every file of every manifest against the published data: each record parses, counts and digests
// are those of the manifest.
#include <gtest/gtest.h>

#include <set>

#include "datasets/load.h"
#include "evals/gpqa/manifest.h"
#include "evals/gsm8k/manifest.h"
#include "evals/humaneval/manifest.h"
#include "evals/ifeval/manifest.h"
#include "evals/language_data/manifest.h"
#include "evals/math/manifest.h"
#include "evals/math500/manifest.h"
#include "evals/mgsm/manifest.h"
#include "evals/mmlu/manifest.h"
#include "tests/support/shared_data.h"

namespace assay::datasets {
namespace {

std::vector<const Manifest*> all_manifests() {
  return {&evals::gpqa_manifest(),   &evals::gsm8k_manifest(), &evals::humaneval_manifest(),
          &evals::ifeval_manifest(), &evals::math_manifest(),  &evals::math500_manifest(),
          &evals::mgsm_manifest(),   &evals::mmlu_manifest()};
}

TEST(PublishedData, EveryFileParsesWithTheCountAndDigestOfItsManifest) {
  ASSAY_SHARED_OR_SKIP(folder, "datasets");
  for (const Manifest* manifest : all_manifests()) {
    for (const DataFile& file : manifest->files) {
      const auto path = find_file(file, folder);
      if (!path && (file.alternative || file.split == "prompts")) continue;
      ASSERT_TRUE(path) << file.path;
      const LoadedFile loaded = load_file(*manifest, file, *path);
      EXPECT_EQ(static_cast<std::int64_t>(loaded.records.size()), file.records) << file.path;
      EXPECT_EQ(loaded.sha256, file.sha256) << file.path;
    }
  }
}

// The distribution's package holds the same files, below a folder of its own.
TEST(PublishedData, LanguageProfilesAreThoseOfThePackage) {
  const std::filesystem::path package = "/usr/lib/python3/dist-packages/langdetect";
  if (!std::filesystem::exists(package / "profiles")) {
    GTEST_SKIP() << "python3-langdetect is not installed";
  }
  int compared = 0;
  for (const DataFile& file : evals::language_data_manifest().files) {
    if (file.url_member.empty()) continue;
    const std::filesystem::path path =
        package / std::filesystem::path(file.path).lexically_relative("language_data");
    const LoadedFile loaded = load_file(evals::language_data_manifest(), file, path);
    EXPECT_EQ(difference(file, loaded), "") << path;
    ++compared;
  }
  EXPECT_EQ(compared, 56);
}

}  // namespace
}  // namespace assay::datasets
