#include "engine/cuda/algorithm_cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

namespace assay::engine {
namespace {

constexpr std::size_t kMostBytes = 1024;  // of one algorithm

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::optional<std::vector<unsigned char>> from_hex(const std::string& text) {
  if (text.size() % 2 != 0 || text.size() > 2 * kMostBytes) return std::nullopt;
  std::vector<unsigned char> out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<unsigned char>(high * 16 + low));
  }
  return out;
}

}  // namespace

AlgorithmCache::AlgorithmCache(std::filesystem::path path) : path_(std::move(path)) {
  std::ifstream in(path_);
  std::string key;
  std::string hex;
  while (in >> key >> hex) {
    if (from_hex(hex)) entries_[key] = hex;
  }
}

std::optional<std::vector<unsigned char>> AlgorithmCache::find(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? std::nullopt : from_hex(found->second);
}

void AlgorithmCache::add(const std::string& key, const std::vector<unsigned char>& algorithm) {
  std::string& hex = entries_[key];
  hex.clear();
  for (const unsigned char byte : algorithm) hex += fmt::format("{:02x}", byte);
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(path_.parent_path(), ignored);
  const std::filesystem::path fresh = fmt::format("{}.{}", path_.string(), getpid());
  std::ofstream out(fresh);
  for (const auto& [name, value] : entries_) out << name << ' ' << value << '\n';
  out.close();
  if (out) {
    std::filesystem::rename(fresh, path_, ignored);
  } else {
    std::filesystem::remove(fresh, ignored);
  }
}

std::filesystem::path cache_file(const std::string& name) {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::filesystem::path(cache) / "assay" / name;
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::filesystem::path(home) / ".cache" / "assay" / name;
  }
  return {};
}

}  // namespace assay::engine
