#include "base/secret.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "base/text.h"

namespace assay {
namespace {

constexpr std::size_t kShortestSecret = 4;

struct Known {
  std::mutex lock;  // guards `secrets`
  std::vector<std::string> secrets;
  std::atomic<bool> any{false};
};

Known& known() {
  static Known instance;
  return instance;
}

}  // namespace

void keep_secret(std::string_view secret) {
  if (secret.size() < kShortestSecret) return;
  const std::lock_guard guard(known().lock);
  auto& secrets = known().secrets;
  if (std::find(secrets.begin(), secrets.end(), secret) != secrets.end()) return;
  secrets.emplace_back(secret);
  // The longest first, so that a secret within a secret leaves nothing of it.
  std::sort(secrets.begin(), secrets.end(),
            [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  known().any = true;
}

std::string without_secrets(std::string text) {
  if (!known().any) return text;
  const std::lock_guard guard(known().lock);
  for (const std::string& secret : known().secrets) {
    if (text.find(secret) != std::string::npos) text = replace_all(text, secret, "[secret]");
  }
  return text;
}

}  // namespace assay
