// A request in a server's words: which calls answer it, and what their replies mean. No sockets:
// calls go out and bytes come in as values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/completion.h"
#include "engine/generators/http/call.h"
#include "engine/generators/http/event_stream.h"
#include "engine/generators/http/traits.h"
#include "engine/request.h"
#include "engine/session.h"

namespace assay::engine {

using DeltaSink = std::function<void(const Delta&)>;

/// One request on its way. Used by one thread.
class Dialogue {
 public:
  virtual ~Dialogue() = default;
  /// The call to make now. REQUIRES: not done. Forgets what an earlier try of it brought.
  virtual HttpCall call() = 0;
  /// Bytes of the body of a successful answer. Throws: Fault.
  virtual void take(const ReplyHead& head, std::string_view bytes, std::int64_t at_ns) = 0;
  /// The answer ended. Throws: Fault(kMalformed, kConnection) when it is not complete.
  virtual void end(std::int64_t at_ns) = 0;
  [[nodiscard]] virtual bool done() const = 0;
  /// Deltas were handed out, so that another try would hand them out twice.
  [[nodiscard]] virtual bool visible() const { return false; }
  /// All but times. REQUIRES: done.
  virtual Completion finish() = 0;
  /// When the answer's first and last token were known here; 0 before.
  [[nodiscard]] virtual std::int64_t first_ns() const = 0;
  [[nodiscard]] virtual std::int64_t last_ns() const = 0;
};

struct DialogueOptions {
  bool stream = true;
  DeltaSink deltas;  // empty: nobody looks at the parts of an answer
};

/// `request` and `traits` must outlive the dialogue. REQUIRES: `refusal` of them is "".
std::unique_ptr<Dialogue> make_dialogue(const Request& request, const ServerTraits& traits,
                                        DialogueOptions options);

/// Why such a server cannot answer such a request, or "".
std::string refusal(const Request& request, const ServerTraits& traits);

/// Text of `prompt` that its template owns or leaves alone, for the plain endpoint.
HttpCall completions_call(const Request& request, const ServerTraits& traits, bool stream);
/// The same for messages.
HttpCall chat_call(const Request& request, const ServerTraits& traits, bool stream);

}  // namespace assay::engine
