#include "engine/generators/replay.h"

#include <map>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace assay::engine {
namespace {

constexpr std::string_view kReplay = "replay:";

class ReplayGenerator : public Generator {
 public:
  explicit ReplayGenerator(const std::string& file) {
    const std::string text = read_file_gunzip(file);
    std::int64_t number = 0;
    for (const std::string_view line : split(text, '\n')) {
      ++number;
      if (trim_ascii(line).empty()) continue;
      const std::string place = fmt::format("{}:{}", escaped(file, 400), number);
      const Json json = parse_json(line, place);
      const Json* id = json.find("id");
      const Json* response = json.find("response");
      if (id == nullptr || !id->is_string() || response == nullptr || !response->is_string()) {
        throw_input("{}: a line needs the texts \"id\" and \"response\"", place);
      }
      responses_[id->as_string()].push_back(response->as_string());
    }
    info_.name = file;
    info_.digest = sha256_hex(text);
    info_.setting = "replay";
    info_.kv = "none";
    info_.device = "none";
    info_.arithmetic = "replay-1";
  }

  const ModelInfo& info() const override { return info_; }

  void run(std::span<const Request> requests, const CompletionSink& sink) override {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (!sink(i, answer(requests[i]))) return;
    }
  }

 private:
  Completion answer(const Request& request) const {
    Completion out;
    const auto found = responses_.find(request.id);
    if (!request.continuations.empty()) {
      out.error = "recorded texts have no likelihoods";
    } else if (found == responses_.end()) {
      out.error = "no recorded response with this id";
    } else if (request.repeat >= static_cast<std::int64_t>(found->second.size())) {
      out.error = fmt::format("only {} recorded responses with this id", found->second.size());
    } else {
      out.text = found->second[static_cast<std::size_t>(request.repeat)];
      out.finish_reason = FinishReason::kEos;
    }
    return out;
  }

  std::map<std::string, std::vector<std::string>> responses_;
  ModelInfo info_;
};

}  // namespace

std::unique_ptr<Generator> make_replay_generator(const EngineOptions& options) {
  return std::make_unique<ReplayGenerator>(options.model.substr(kReplay.size()));
}

}  // namespace assay::engine
