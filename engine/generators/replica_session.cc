// Copies of a model behind one session.
#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "engine/generators/local.h"
#include "engine/generators/replicas.h"

namespace assay::engine {
namespace {

class JoinedSessions : public Session {
 public:
  explicit JoinedSessions(std::vector<std::unique_ptr<Session>> copies)
      : copies_(std::move(copies)), in_flight_(copies_.size()) {
    ASSAY_CHECK(!copies_.empty(), "a session of at least one copy");
    info_ = copies_.front()->info();
    info_.weight_bytes *= static_cast<std::int64_t>(copies_.size());
    info_.detail.set("replicas", static_cast<std::int64_t>(copies_.size()));
  }
  /// The copies end first: their listeners count here.
  ~JoinedSessions() override { copies_.clear(); }
  JoinedSessions(const JoinedSessions&) = delete;
  JoinedSessions& operator=(const JoinedSessions&) = delete;
  JoinedSessions(JoinedSessions&&) = delete;
  JoinedSessions& operator=(JoinedSessions&&) = delete;

  [[nodiscard]] const ModelInfo& info() const override { return info_; }
  [[nodiscard]] const PromptEncoder* encoder() const override { return copies_.front()->encoder(); }

  RequestHandle submit(Request request, std::shared_ptr<Listener> listener) override {
    // Held until the place is known: an answer may come before `submit` of the copy returns.
    const std::lock_guard lock(mutex_);
    const std::size_t copy = choose();
    const RequestHandle handle = ++last_handle_;
    ++in_flight_[copy];
    Place& place = places_[handle];
    place.copy = copy;
    place.handle = copies_[copy]->submit(
        std::move(request), std::make_shared<Counting>(*this, handle, std::move(listener)));
    return handle;
  }

  void cancel(RequestHandle handle) override {
    Place place;
    {
      const std::lock_guard lock(mutex_);
      const auto found = places_.find(handle);
      if (found == places_.end()) return;
      place = found->second;
      forget(found);
    }
    copies_[place.copy]->cancel(place.handle);
  }

  [[nodiscard]] std::string lost() const override {
    std::string first;
    for (const auto& copy : copies_) {
      std::string reason = copy->lost();
      if (reason.empty()) return {};
      if (first.empty()) first = std::move(reason);
    }
    return first;
  }

 private:
  struct Place {
    std::size_t copy = 0;
    RequestHandle handle = 0;  // of the copy
  };

  /// Passes on what becomes of a request, and notes its end.
  class Counting : public Listener {
   public:
    Counting(JoinedSessions& joined, RequestHandle handle, std::shared_ptr<Listener> own)
        : joined_(joined), handle_(handle), own_(std::move(own)) {}
    void on_delta(const Delta& delta) override { own_->on_delta(delta); }
    void on_done(Completion completion) override {
      joined_.done(handle_);
      own_->on_done(std::move(completion));
    }

   private:
    JoinedSessions& joined_;
    RequestHandle handle_;
    std::shared_ptr<Listener> own_;
  };

  /// The first of those with the fewest requests that are not lost; with all lost, any.
  std::size_t choose() const {
    std::size_t best = copies_.size();
    for (std::size_t c = 0; c < copies_.size(); ++c) {
      if (!copies_[c]->lost().empty()) continue;
      if (best == copies_.size() || in_flight_[c] < in_flight_[best]) best = c;
    }
    return best == copies_.size() ? 0 : best;
  }

  void done(RequestHandle handle) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(handle);
    if (found != places_.end()) forget(found);
  }

  void forget(std::map<RequestHandle, Place>::iterator place) {
    --in_flight_[place->second.copy];
    places_.erase(place);
  }

  std::vector<std::unique_ptr<Session>> copies_;
  ModelInfo info_;
  std::mutex mutex_;  // guards what follows
  std::vector<std::int64_t> in_flight_;
  std::map<RequestHandle, Place> places_;
  RequestHandle last_handle_ = 0;
};

}  // namespace

std::unique_ptr<Session> join_sessions(std::vector<std::unique_ptr<Session>> copies) {
  return std::make_unique<JoinedSessions>(std::move(copies));
}

std::unique_ptr<Session> make_replica_session(const EngineOptions& options) {
  std::vector<std::unique_ptr<Session>> copies;
  for (const EngineOptions& own : replica_options(options)) {
    copies.push_back(make_local_session(own));
  }
  return join_sessions(std::move(copies));
}

}  // namespace assay::engine
