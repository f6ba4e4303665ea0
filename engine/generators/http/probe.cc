#include "engine/generators/http/probe.h"

#include <algorithm>
#include <thread>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "engine/generators/http/dialogue.h"
#include "engine/generators/http/fault.h"
#include "engine/generators/http/reply.h"
#include "engine/generators/http/scoring.h"

namespace assay::engine {
namespace {

constexpr std::size_t kMaxModels = 1000;
constexpr int kProbeAttempts = 4;
// Numbers of alternatives a token that servers are known to allow, the most first.
constexpr int kTops[] = {1024, 100, 20, 5};

class Probe {
 public:
  Probe(HttpClient& client, const EngineOptions& options)
      : client_(client), options_(options), servers_(parse_addresses(options.model)) {}

  ProbeResult run(bool scoring) {
    std::string last_fault;
    for (std::size_t server = 0; server < servers_.size(); ++server) {
      try {
        ask_models(server);
      } catch (const Fault& fault) {
        last_fault = servers_[server].shown() + ": " + fault.text;
        if (fault.kind == FaultKind::kFatal) throw_input("{}", last_fault);
        log_warning("{}", last_fault);
      }
    }
    if (!first_) throw_environment("{}; is the server running?", last_fault);
    describe();
    if (scoring) find_scoring();
    return std::move(result_);
  }

 private:
  /// With a few repeats, for a server that is busy or just starting.
  PlainReply ask(std::size_t server, const HttpCall& call) {
    for (int attempt = 1;; ++attempt) {
      if (options_.stop_requested && options_.stop_requested()) {
        throw Error(ErrorKind::kInterrupted, "interrupted before anything was asked");
      }
      try {
        PlainReply reply = client_.ask(server, call);
        if (reply.status == 200 || attempt >= kProbeAttempts) return reply;
        if (reply.status != 429 && reply.status < 500) return reply;
      } catch (const Fault& fault) {
        if (!fault.may_pass() || attempt >= kProbeAttempts) throw;
      }
      std::this_thread::sleep_for(options_.http.first_wait * attempt);
    }
  }

  void ask_models(std::size_t server) {
    const PlainReply reply = ask(server, {.path = "/models", .body = "", .stream = false});
    if (reply.status == 404 || reply.status == 405) {
      if (!first_) first_ = server;  // a gateway without a list
      return;
    }
    if (reply.status != 200) throw status_fault({.status = reply.status}, reply.body);
    Json models;
    try {
      models = parse_json(reply.body, "models");
      (void)models.at("data").as_array();
    } catch (const Error& error) {
      throw Fault(FaultKind::kFatal, std::string("the list of models is malformed: ") +
                                         escaped(without_secrets(error.what())));
    }
    const Json entry = find_model(models.at("data").as_array(), server);
    if (first_ && !entry_.is_null() && entry != entry_) {
      log_warning("{} and {} describe the model differently", servers_[*first_].shown(),
                  servers_[server].shown());
    }
    if (!first_ || entry_.is_null()) entry_ = entry;
    if (!first_) first_ = server;
  }

  /// The entry of the wanted model, without what changes from day to day.
  Json find_model(const Json::Array& models, std::size_t server) {
    std::vector<std::string> names;
    for (const Json& model : models) {
      const Json* id = model.find("id");
      if (id == nullptr || !id->is_string() || names.size() >= kMaxModels) continue;
      names.push_back(id->as_string());
    }
    if (name_.empty()) name_ = options_.model_name;
    if (name_.empty() && names.size() == 1) name_ = names.front();
    const auto found = std::find(names.begin(), names.end(), name_);
    if (name_.empty() || found == names.end()) {
      std::vector<std::string> shown;
      for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 10); ++i) {
        shown.push_back(escaped(names[i], 80));
      }
      const std::string list = join(shown, ", ") + (names.size() > 10 ? ", ..." : "");
      if (name_.empty()) {
        throw_input("{}: serves {} models; choose with --model-name: {}", servers_[server].shown(),
                    names.size(), list);
      }
      throw_input("{}: has no model \"{}\"{}; there are: {}", servers_[server].shown(),
                  escaped(name_), suggestion(name_, names), list);
    }
    Json entry;
    for (const Json& model : models) {
      const Json* id = model.find("id");
      if (id == nullptr || !id->is_string() || id->as_string() != name_) continue;
      // It is stored as it is: a server that repeats the key here must not get it there.
      entry = parse_json(without_secrets(model.dump()), "models");
    }
    std::erase_if(entry.as_object(), [](const Json::Member& member) {
      return member.first == "created" || member.first == "permission";
    });
    return entry;
  }

  static std::string text_of(const Json& object, std::string_view key) {
    const Json* found = object.find(key);
    return found != nullptr && found->is_string() ? without_secrets(found->as_string()) : "";
  }
  static std::int64_t count_of(const Json& object, std::string_view key) {
    const Json* found = object.find(key);
    return found != nullptr && found->is_int() ? std::max<std::int64_t>(0, found->as_int()) : 0;
  }

  void describe() {
    if (name_.empty()) name_ = options_.model_name;
    if (name_.empty()) {
      throw_input("{}: has no list of models; name the model with --model-name",
                  servers_.front().shown());
    }
    const std::string owner = text_of(entry_, "owned_by");
    ServerTraits& traits = result_.traits;
    traits.model = name_;
    traits.token_ids = owner == "assay" || owner == "vllm";
    traits.request_keys = owner == "assay";
    traits.bare_chat = owner == "assay";
    traits.special_text = owner == "vllm";
    traits.prefix = owner == "assay" || owner == "vllm" || owner == "llamacpp";
    ModelInfo& info = result_.info;
    info.name = name_;
    info.setting = "served";
    info.kv = "served";
    info.device = "remote";
    info.arithmetic = "served";
    info.digest = digest();
    info.context = count_of(entry_, "max_model_len");
    if (const Json* meta = entry_.find("meta"); meta != nullptr) {
      info.parameters = count_of(*meta, "n_params");
      info.weight_bytes = count_of(*meta, "size");
      if (info.context == 0) info.context = count_of(*meta, "n_ctx_train");
    }
    if (const Json* own = entry_.find("assay"); own != nullptr && owner == "assay") take_own(*own);
    Json endpoints{Json::Array{}};
    for (const Url& server : servers_) endpoints.push_back(server.shown());
    info.detail.set("endpoints", std::move(endpoints));
    if (!entry_.is_null()) info.detail.set("server_model", entry_);
    info.detail.set("tls_verified", !options_.http.insecure);
  }

  /// assay tells what a run stores about its model: the same model then has the same identity,
  /// wherever it is served.
  void take_own(const Json& own) {
    ModelInfo& info = result_.info;
    for (const auto& [key, field] :
         {std::pair{"name", &info.name}, std::pair{"digest", &info.digest},
          std::pair{"tokenizer_digest", &info.tokenizer_digest},
          std::pair{"setting", &info.setting}, std::pair{"kv", &info.kv},
          std::pair{"device", &info.device}, std::pair{"arithmetic", &info.arithmetic}}) {
      if (std::string text = text_of(own, key); !text.empty()) *field = std::move(text);
    }
    info.parameters = count_of(own, "parameters");
    info.weight_bytes = count_of(own, "weight_bytes");
    if (const std::int64_t context = count_of(own, "context"); context > 0) info.context = context;
  }

  /// The servers' addresses, the model's name, and what its entry says.
  [[nodiscard]] std::string digest() const {
    std::vector<std::string> places;
    for (const Url& server : servers_) places.push_back(server.shown());
    std::sort(places.begin(), places.end());
    Sha256 digest;
    for (const std::string& place : places) digest.update_field(place);
    digest.update_field(name_);
    digest.update_field(entry_.dump_canonical());
    return digest.hex();
  }

  void find_scoring() {
    ServerTraits& traits = result_.traits;
    for (const std::int64_t tokens : {0, 1}) {
      if (!echoes(tokens)) continue;
      traits.scoring = Scoring::kEcho;
      traits.echo_tokens = tokens;
      break;
    }
    for (const int top : kTops) {
      if (!gives_top(top)) continue;
      traits.top = top;
      if (traits.scoring == Scoring::kNone) traits.scoring = Scoring::kTop;
      break;
    }
    static constexpr const char* kNames[] = {"none", "echo", "first token"};
    result_.info.detail.set("scoring", kNames[static_cast<int>(traits.scoring)]);
    result_.info.detail.set("top_logprobs", traits.top);
  }

  /// Whether the prompt's own tokens come back with log-probabilities.
  bool echoes(std::int64_t tokens) {
    Request request;
    request.prompt.text = "one two three";
    request.continuations = {" four five"};
    ServerTraits traits = result_.traits;
    traits.scoring = Scoring::kEcho;
    traits.echo_tokens = tokens;
    const auto dialogue = make_scoring_dialogue(request, traits);
    return answers(*dialogue);
  }

  bool gives_top(int top) {
    Request request;
    request.prompt.text = "one two three";
    request.logprobs = top;
    request.sampling.max_tokens = 1;
    const HttpCall call = completions_call(request, result_.traits, false);
    try {
      const PlainReply reply = ask(*first_, call);
      if (reply.status != 200) return false;
      const Reply read = read_reply(reply.body);
      return !read.tokens.empty() && !read.tokens.front().top.empty();
    } catch (const Fault& fault) {
      if (fault.kind == FaultKind::kMalformed || !fault.may_pass()) return false;
      throw_environment("{}: {}", servers_[*first_].shown(), fault.text);
    }
  }

  bool answers(Dialogue& dialogue) {
    try {
      while (!dialogue.done()) {
        const PlainReply reply = ask(*first_, dialogue.call());
        if (reply.status != 200) return false;
        dialogue.take({.status = 200, .content_type = "application/json"}, reply.body, 1);
        dialogue.end(1);
      }
      return true;
    } catch (const Fault& fault) {
      if (fault.kind == FaultKind::kMalformed || !fault.may_pass()) return false;
      throw_environment("{}: {}", servers_[*first_].shown(), fault.text);
    }
  }

  HttpClient& client_;
  const EngineOptions& options_;
  std::vector<Url> servers_;
  std::string name_;
  std::optional<std::size_t> first_;  // the first server that answered
  Json entry_;                        // of the model in its list
  ProbeResult result_;
};

}  // namespace

ProbeResult probe(HttpClient& client, const EngineOptions& options, bool scoring) {
  return Probe(client, options).run(scoring);
}

}  // namespace assay::engine
