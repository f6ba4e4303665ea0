#include "evals/shots.h"

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "evals/extract/python_random.h"

namespace assay::evals {
namespace {

/// The pool of one group, and the generator that serves the group's documents in order.
struct GroupPool {
  std::vector<const Sample*> samples;
  PythonRandom random;
};

std::vector<const Sample*> draw(const ShotRule& rule, GroupPool& pool, const Sample& document,
                                bool same_split) {
  const auto count = static_cast<std::size_t>(rule.count);
  const std::size_t wanted = same_split ? count + 1 : count;
  if (pool.samples.size() < wanted) {
    throw_input("{}: its group has {} worked examples in split \"{}\", the protocol shows {}",
                document.id, pool.samples.size(), rule.split, count);
  }
  std::vector<const Sample*> drawn;
  if (rule.kind == ShotRule::Kind::kPythonSample) {
    for (const std::size_t index : pool.random.sample(pool.samples.size(), wanted)) {
      drawn.push_back(pool.samples[index]);
    }
  } else {
    drawn.assign(pool.samples.begin(), pool.samples.begin() + static_cast<std::ptrdiff_t>(wanted));
  }
  std::erase_if(drawn, [&](const Sample* shot) { return same_split && shot->id == document.id; });
  drawn.resize(count);
  return drawn;
}

}  // namespace

std::vector<std::vector<Sample>> draw_shots(const Protocol& protocol, std::span<const Sample> all,
                                            std::span<const Sample> pool) {
  const ShotRule& rule = protocol.shots;
  if (rule.kind == ShotRule::Kind::kNone || rule.kind == ShotRule::Kind::kFixed) return {};
  const bool same_split = all.data() == pool.data();
  std::map<std::string_view, GroupPool> groups;
  for (const Sample& sample : pool) {
    groups.try_emplace(sample.group, GroupPool{.samples = {}, .random = PythonRandom(rule.seed)})
        .first->second.samples.push_back(&sample);
  }
  std::vector<std::vector<Sample>> shots;
  shots.reserve(all.size());
  for (const Sample& document : all) {
    const auto group = groups.find(document.group);
    if (group == groups.end()) {
      throw_input("{}: no worked examples of its group \"{}\" in split \"{}\"", document.id,
                  document.group, rule.split);
    }
    std::vector<Sample>& own = shots.emplace_back();
    for (const Sample* shot : draw(rule, group->second, document, same_split)) own.push_back(*shot);
  }
  return shots;
}

}  // namespace assay::evals
