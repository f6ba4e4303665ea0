#include "engine/generators/http/endpoint.h"

#include "base/log.h"

namespace assay::engine {

Endpoint::Endpoint(const Network& network, ServerAddress address, std::int64_t most,
                   bool supervised)
    : network_(network),
      address_(std::move(address)),
      concurrency_(most),
      supervised_(supervised) {}

bool Endpoint::has_room(std::int64_t now_ns) const {
  return up_ && !refused() && active_ < concurrency_.limit() && now_ns >= paused_until_ns_;
}

double Endpoint::load() const {
  return static_cast<double>(active_) / static_cast<double>(concurrency_.limit());
}

std::unique_ptr<ServerConnection> Endpoint::acquire(bool fresh) {
  if (fresh || idle_.empty()) return std::make_unique<ServerConnection>(network_, address_);
  // The one that was used last is the least likely to have been closed.
  std::unique_ptr<ServerConnection> connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void Endpoint::end(std::unique_ptr<ServerConnection> connection) {
  --active_;
  if (connection && connection->reusable()) idle_.push_back(std::move(connection));
}

void Endpoint::on_success() {
  faults_ = 0;
  fatal_ = 0;
  concurrency_.on_success();
}

void Endpoint::on_fault(const Fault& fault, std::int64_t sent_ns, std::int64_t now_ns,
                        std::chrono::milliseconds pause) {
  last_fault_ = fault.text;
  fatal_ = fault.kind == FaultKind::kFatal ? fatal_ + 1 : 0;
  if (!supervised_) return;
  if (fault.kind == FaultKind::kBusy) {
    concurrency_.on_busy(sent_ns, now_ns);
    paused_until_ns_ = std::max(paused_until_ns_, now_ns + std::chrono::nanoseconds(pause).count());
  }
  const bool gateway = fault.status >= 502 && fault.status <= 504;
  const bool unwell =
      gateway || fault.kind == FaultKind::kConnection || fault.kind == FaultKind::kTimeout;
  faults_ = unwell ? faults_ + 1 : 0;
  if (up_ && faults_ >= kFaultsUntilDown) {
    up_ = false;
    next_check_ns_ = 0;
    idle_.clear();
    log_warning("{} is down ({}); its work goes to others, or waits", address_.name(), fault.text);
  }
}

bool Endpoint::wants_check(std::int64_t now_ns, std::int64_t interval_ns) {
  if (up_ || checking_ || refused()) return false;
  if (next_check_ns_ == 0) next_check_ns_ = now_ns + interval_ns;
  if (now_ns < next_check_ns_) return false;
  next_check_ns_ = 0;
  checking_ = true;
  return true;
}

void Endpoint::on_check(bool alive) {
  checking_ = false;
  if (!alive) return;
  up_ = true;
  faults_ = 0;
  concurrency_.restart();
  log_info("{} is up again", address_.name());
}

}  // namespace assay::engine
