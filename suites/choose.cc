#include <algorithm>
#include <map>
#include <tuple>

#include "base/digest.h"
#include "suites/plan.h"

namespace assay::suites {
namespace {

using evals::Sample;

constexpr std::size_t kLeastBlock = 64;  // samples
constexpr std::size_t kBlockShare = 8;   // later blocks are an eighth of what came before

void shuffle(std::vector<std::size_t>& indices, const std::vector<Sample>& samples,
             std::uint64_t seed) {
  std::vector<std::pair<std::string, std::size_t>> keyed;
  keyed.reserve(indices.size());
  for (const std::size_t index : indices) {
    keyed.emplace_back(seeded_rank(seed, samples[index].id), index);
  }
  std::sort(keyed.begin(), keyed.end());
  std::transform(keyed.begin(), keyed.end(), indices.begin(),
                 [](const auto& entry) { return entry.second; });
}

void keep_first_of_each_group(std::vector<std::size_t>& indices, const std::vector<Sample>& samples,
                              std::int64_t limit) {
  std::map<std::string, std::int64_t> taken;
  std::erase_if(indices, [&](std::size_t index) { return ++taken[samples[index].group] > limit; });
}

}  // namespace

std::vector<std::size_t> choose_samples(const std::vector<Sample>& samples, const SuiteTask& task,
                                        std::int64_t limit) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const bool wanted = task.groups.empty() || std::find(task.groups.begin(), task.groups.end(),
                                                         samples[i].group) != task.groups.end();
    if (wanted) indices.push_back(i);
  }
  if (task.shuffle_seed >= 0) {
    shuffle(indices, samples, static_cast<std::uint64_t>(task.shuffle_seed));
  }
  if (task.limit_per_group > 0) {
    keep_first_of_each_group(indices, samples, task.limit_per_group);
  }
  for (const std::int64_t most : {task.limit, limit}) {
    if (most > 0 && static_cast<std::int64_t>(indices.size()) > most) {
      indices.resize(static_cast<std::size_t>(most));
    }
  }
  std::sort(indices.begin(), indices.end());
  return indices;
}

std::vector<std::vector<std::size_t>> seeded_blocks(const std::vector<Sample>& samples,
                                                    std::uint64_t seed) {
  std::map<std::string, std::vector<std::size_t>> clusters;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    clusters[seeded_rank(seed, sample.cluster.empty() ? sample.id : sample.cluster)].push_back(i);
  }
  std::vector<std::vector<std::size_t>> blocks(1);
  std::size_t before = 0;
  for (const auto& [rank, indices] : clusters) {
    if (blocks.back().size() >= std::max(kLeastBlock, before / kBlockShare)) {
      before += blocks.back().size();
      blocks.emplace_back();
    }
    blocks.back().insert(blocks.back().end(), indices.begin(), indices.end());
  }
  return blocks;
}

}  // namespace assay::suites
