// A request on its way through the client. Private to client.cc.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/generators/http/client.h"
#include "engine/generators/http/connection.h"
#include "engine/generators/http/dialogue.h"
#include "engine/generators/http/endpoint.h"
#include "engine/generators/http/fault.h"
#include "engine/generators/http/reply.h"
#include "engine/session.h"

namespace assay::engine {

struct Running;

struct Job {
  RequestHandle handle = 0;
  Request request;
  std::shared_ptr<Listener> listener;
  std::unique_ptr<Dialogue> dialogue;
  RequestTimes times;
  Served served;
  std::int64_t waiting_since_ns = 0;  // in `delayed`
  const Endpoint* failed_on = nullptr;
  bool told = false;  // the server said when to come back: no repeat of our own choice
  bool cancelled = false;
  Running* running = nullptr;
};

/// Why a request is not tried again after a fault, as the end of its message; "" when it is.
/// `again`: trying again is wanted at all; `elsewhere`: another server is up; `wait`: until then.
std::string why_not_again(const HttpOptions& http, const Job& job, const Fault& fault, bool again,
                          bool elsewhere, std::chrono::milliseconds wait, std::int64_t now_ns);

/// An exchange under way, as the clock sees it.
struct Running {
  Watch watch;
  ServerConnection* connection = nullptr;
  std::size_t place = 0;  // in Impl::running_

  void stop(bool expired) {
    (expired ? watch.expired : watch.dropped) = true;
    if (connection != nullptr) connection->close();
  }
};

/// Keeps the whole of an answer, for probes.
class PlainSink : public ReplySink {
 public:
  void on_sent(std::int64_t) override {}
  void on_head(const ReplyHead& head) override { reply.status = head.status; }
  void on_body(std::string_view bytes, std::int64_t) override { reply.body += bytes; }
  PlainReply reply;
};

/// Passes a good answer on to the dialogue and keeps the text of a bad one.
class JobSink : public ReplySink {
 public:
  JobSink(Dialogue& dialogue, std::int64_t& sent_ns) : dialogue_(dialogue), sent_ns_(sent_ns) {}

  void on_sent(std::int64_t at_ns) override { sent_ns_ = at_ns; }
  void on_head(const ReplyHead& head) override { head_ = head; }
  void on_body(std::string_view bytes, std::int64_t at_ns) override {
    if (head_.status == 200) {
      dialogue_.take(head_, bytes, at_ns);
    } else if (error_.size() < kMaxErrorBody) {
      error_ += bytes.substr(0, kMaxErrorBody - error_.size());
    }
  }
  /// Throws: Fault for any status but 200.
  void check() const {
    if (head_.status == 200) return;
    throw status_fault(head_, error_);
  }

 private:
  static constexpr std::size_t kMaxErrorBody = 64 << 10;

  Dialogue& dialogue_;
  std::int64_t& sent_ns_;
  ReplyHead head_;
  std::string error_;
};

}  // namespace assay::engine
