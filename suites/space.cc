#include "suites/space.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "suites/translate.h"

namespace assay::suites {
namespace {

constexpr std::size_t kLookedAt = 20;            // prompts of a task whose length stands for all
constexpr std::int64_t kRowBytes = 1500;         // keys, digests, times, score and indices
constexpr std::int64_t kPromptBytesPerByte = 2;  // text, and four bytes for each token's id
constexpr std::int64_t kBytesPerToken = 9;       // of a response: text and id
constexpr std::int64_t kEmptyStoreBytes = 400 << 10;

std::int64_t task_bytes(const PlannedTask& task) {
  if (task.samples.empty()) return 0;
  const std::size_t stride = std::max<std::size_t>(1, task.samples.size() / kLookedAt);
  std::int64_t looked = 0;
  std::int64_t prompt = 0;
  for (std::size_t i = 0; i < task.samples.size(); i += stride) {
    prompt += static_cast<std::int64_t>(prompt_text(make_prompt(task, i, 0)).size());
    ++looked;
  }
  const engine::SamplingParams sampling = sampling_params(*task.protocol, task.options.sampling, 0);
  const std::int64_t row =
      kRowBytes + kPromptBytesPerByte * prompt / looked + kBytesPerToken * sampling.max_tokens;
  return row * static_cast<std::int64_t>(task.samples.size()) * task.options.repeats;
}

}  // namespace

std::int64_t estimated_store_bytes(std::span<const PlannedTask> tasks) {
  std::int64_t sum = 0;
  for (const PlannedTask& task : tasks) sum += task_bytes(task);
  return sum;
}

std::string space_warning(const std::filesystem::path& store, std::int64_t needed,
                          std::int64_t free) {
  if (needed <= free) return "";
  constexpr double kMebibyte = 1 << 20;
  return fmt::format(
      "{}: results may take up to {:.1f} MiB, {:.1f} MiB are free; a run that meets a full disk "
      "stops, and the same command continues it",
      store.string(), static_cast<double>(needed) / kMebibyte,
      static_cast<double>(free) / kMebibyte);
}

void warn_if_space_is_short(const std::filesystem::path& store, std::int64_t needed) {
  std::error_code code;
  const std::filesystem::path folder =
      store.has_parent_path() ? store.parent_path() : std::filesystem::path(".");
  const std::filesystem::space_info space = std::filesystem::space(folder, code);
  if (code) return;
  const auto free = static_cast<std::int64_t>(std::min<std::uintmax_t>(
      space.available, static_cast<std::uintmax_t>(std::int64_t{1} << 62)));
  const std::string warning = space_warning(store, needed + kEmptyStoreBytes, free);
  if (!warning.empty()) log_warning("{}", warning);
}

}  // namespace assay::suites
