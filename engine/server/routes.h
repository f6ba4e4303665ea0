// What each path of the server means: requests as values in, replies or engine requests out. No
// sockets and no state; any number of threads.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/prompt_encoder.h"
#include "engine/server/api_reply.h"
#include "engine/server/api_request.h"
#include "engine/server/server.h"

namespace assay::engine {

/// A request for completions, ready for the engine.
struct PreparedCall {
  ApiRequest api;
  std::vector<EncodedPrompt> prompts;
  std::vector<Request> requests;  // api.best_of for each prompt, in order
};

class Routes {
 public:
  /// `session` and `options` must outlive it.
  Routes(const Session& session, const ServerOptions& options, std::vector<PageRoute> pages);

  /// Decides by the header alone whether the body is worth reading. Throws: ApiError.
  void admit(const HttpRequest& head) const;
  /// A known path, or "other": what may be a metric's label.
  [[nodiscard]] std::string label(const std::string& path) const;
  /// Whether `prepare` answers this path; else `answer` does.
  [[nodiscard]] static bool generates(std::string_view path);

  /// Throws: ApiError.
  [[nodiscard]] PreparedCall prepare(const HttpRequest& request) const;
  [[nodiscard]] HttpReply answer(const HttpRequest& request) const;

  /// The choices to tell of those that were made: of each prompt's the likeliest.
  [[nodiscard]] static std::vector<Completion> best(const ApiRequest& api,
                                                    std::vector<Completion> made);
  [[nodiscard]] ReplyContext reply_context(const PreparedCall& call, std::string id) const;
  [[nodiscard]] const std::string& model_name() const { return limits_.models.front(); }

 private:
  void check_host(const std::string& host) const;
  void check_token(const HttpRequest& head) const;
  [[nodiscard]] bool is_page(const std::string& path) const;
  [[nodiscard]] EncodedPrompt encode(const PromptInput& prompt, const ApiRequest& api) const;
  /// What a run stores about its model: by it a client knows the model as its own.
  [[nodiscard]] Json identity() const;
  [[nodiscard]] HttpReply models(const std::string& path) const;
  [[nodiscard]] HttpReply tokenize(const HttpRequest& request) const;
  [[nodiscard]] HttpReply detokenize(const HttpRequest& request) const;

  const ModelInfo& info_;
  const ServerOptions& options_;
  std::vector<PageRoute> pages_;
  const PromptEncoder& encoder_;
  ApiLimits limits_;
  std::int64_t started_ = 0;  // seconds since 1970
};

/// Whether a Host field may stand for this server: "localhost", an IP address, or one of `names`;
/// so a foreign page cannot reach it through a name of its own that resolves here.
bool is_own_host(const std::string& host, const std::vector<std::string>& names);

}  // namespace assay::engine
