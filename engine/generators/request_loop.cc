#include "engine/generators/request_loop.h"

#include <optional>
#include <utility>

#include "base/check.h"

namespace assay::engine {

RequestLoop::RequestLoop(LocalModel& model)
    : context_{.encoder = model.encoder.get(),
               .stop_ids = model.stop_ids,
               .context = model.limits.context,
               .truncate = model.truncate,
               .logit_bias = model.executor->takes_logit_bias()},
      pool_(model.limits.pages),
      scheduler_(*model.executor, pool_, model.limits.batch, model.prefix_cache,
                 {.query =
                      [this](const Sequence& sequence, std::int64_t position) {
                        return in_flight_.at(sequence.owner).answer.query(sequence, position);
                      },
                  .on_result =
                      [this](Sequence& sequence, std::int64_t position, const LogitResult& result) {
                        return on_result(sequence, position, result);
                      },
                  .on_done = [this](Sequence& sequence) { on_done(sequence); }}) {}

void RequestLoop::submit(std::vector<IncomingRequest> requests) {
  std::vector<std::unique_ptr<Sequence>> sequences;
  for (IncomingRequest& incoming : requests) {
    const RequestHandle handle = incoming.handle;
    const auto [place, is_new] = in_flight_.try_emplace(handle, std::move(incoming), context_);
    ASSAY_CHECK(is_new, "a handle names one request");
    InFlight& entry = place->second;
    for (auto& sequence : entry.answer.begin()) {
      sequence->owner = handle;
      sequences.push_back(std::move(sequence));
    }
    if (!entry.answer.done()) continue;
    entry.listener->on_done(entry.answer.take());
    in_flight_.erase(place);
  }
  scheduler_.add(std::move(sequences));
}

bool RequestLoop::step() { return scheduler_.step(); }

std::optional<TokenId> RequestLoop::on_result(Sequence& sequence, std::int64_t position,
                                              const LogitResult& result) {
  InFlight& entry = in_flight_.at(sequence.owner);
  const std::optional<TokenId> next = entry.answer.on_result(sequence, position, result);
  // The last token's text is told with the rest that was held back, when the sequence is done.
  if (next) entry.listener->on_delta(entry.answer.next_delta());
  return next;
}

void RequestLoop::on_done(Sequence& sequence) {
  const auto place = in_flight_.find(sequence.owner);
  InFlight& entry = place->second;
  entry.answer.on_done(sequence);
  if (!entry.answer.done()) return;
  const Delta rest = entry.answer.next_delta();
  if (rest.tokens > 0) entry.listener->on_delta(rest);
  entry.listener->on_done(entry.answer.take());
  in_flight_.erase(place);
}

void RequestLoop::cancel(RequestHandle handle) {
  if (in_flight_.erase(handle) > 0) scheduler_.drop(handle);
}

void RequestLoop::fail(const std::string& reason) {
  scheduler_.clear();
  for (auto& [handle, entry] : in_flight_) {
    entry.answer.fail(reason);
    entry.listener->on_done(entry.answer.take());
  }
  in_flight_.clear();
}

void RequestLoop::clear() {
  scheduler_.clear();
  in_flight_.clear();
}

}  // namespace assay::engine
