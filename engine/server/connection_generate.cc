// Requests for completions: from the body to the last event.
#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/server/connection.h"
#include "engine/server/on_worker.h"

namespace assay::engine {
namespace {

namespace asio = boost::asio;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t kInlineBody = 16 << 10;     // larger ones are parsed on the second thread
constexpr std::size_t kInlineLogprobs = 4000;     // the same of replies with more
constexpr std::size_t kMostReadAhead = 64 << 10;  // bytes of later requests

double seconds(std::int64_t from_ns, std::int64_t to_ns) {
  return static_cast<double>(to_ns - from_ns) * 1e-9;
}

std::string event(std::string_view json) { return fmt::format("data: {}\n\n", json); }

std::string fresh_id() {
  static std::uint64_t last = 0;  // of the server's thread
  return fmt::format("{:x}-{}", monotonic_ns(), ++last);
}

/// What counts answers in the making, and stops those that nobody waits for.
class Making {
 public:
  Making(ServerState& state, Call& call, std::size_t answers)
      : state_(state), call_(call), answers_(static_cast<std::int64_t>(answers)) {
    state_.metrics.in_flight += answers_;
  }
  ~Making() {
    call_.close();
    state_.metrics.in_flight -= answers_;
  }
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;
  Making(Making&&) = delete;
  Making& operator=(Making&&) = delete;

 private:
  ServerState& state_;
  Call& call_;
  std::int64_t answers_;
};

}  // namespace

asio::awaitable<PreparedCall> Connection::prepare(const HttpRequest& request) {
  if (request.body.size() <= kInlineBody) co_return state_.routes.prepare(request);
  co_return co_await on_worker(state_, [&] { return state_.routes.prepare(request); });
}

asio::awaitable<void> Connection::generate(const HttpRequest& request) {
  const auto refuse = [](int status, const char* message, const char* code) {
    ApiError error(status, message, "", code);
    error.retry_after_s = 1;
    throw error;
  };
  if (state_.draining) refuse(503, "the server is shutting down", "shutting_down");
  if (!state_.session.lost().empty()) refuse(503, "the engine is lost", "engine_lost");
  PreparedCall prepared = co_await prepare(request);
  const std::size_t answers = prepared.requests.size();
  if (static_cast<std::size_t>(state_.metrics.in_flight) + answers > state_.options.max_queue) {
    refuse(429, "the queue is full, try again later", "queue_full");
  }
  auto wake = [io = state_.io.get_executor(), bell = bell_] {
    asio::post(io, [bell] { bell->cancel(); });
  };
  const auto call = std::make_shared<Call>(state_.session, prepared.api.stream, std::move(wake));
  const Making making(state_, *call, answers);
  call->start(std::exchange(prepared.requests, {}));
  using asio::experimental::awaitable_operators::operator||;
  co_await (follow(*call, prepared) || watch());
  if (gone_) ++state_.metrics.cancelled;
}

asio::awaitable<void> Connection::follow(Call& call, const PreparedCall& prepared) {
  // An exception would have to wait until `watch` ends too.
  try {
    const ReplyContext context = state_.routes.reply_context(prepared, fresh_id());
    if (prepared.api.stream) {
      co_await follow_stream(call, prepared, context);
    } else {
      co_await follow_whole(call, prepared, context);
    }
  } catch (const std::exception& error) {
    if (!gone_) log_warning("{}: {}", path_, escaped(error.what(), 1000));
    gone_ = true;
  }
}

asio::awaitable<void> Connection::watch() {
  while (buffer_.size() < kMostReadAhead) {
    const auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(4096), kNoThrow);
    buffer_.commit(bytes);
    if (error == asio::error::operation_aborted && !aborted_ && !overdue_) co_return;
    if (error) {
      gone_ = true;
      co_return;
    }
  }
  asio::steady_timer never(state_.io, asio::steady_timer::time_point::max());
  co_await never.async_wait(kNoThrow);  // a write will tell when the client is gone
}

asio::awaitable<bool> Connection::next_pieces(Call& call, std::vector<AnswerPart>& pieces) {
  while (!gone_ && !aborted_ && !call.overflowed()) {
    if (call.take(pieces)) co_return true;
    bell_->expires_at(asio::steady_timer::time_point::max());
    co_await bell_->async_wait(kNoThrow);
  }
  gone_ = true;
  co_return false;
}

ApiError Connection::failure(const Completion& completion) const {
  if (!state_.session.lost().empty()) return {503, "the engine is lost", "", "engine_lost"};
  return {500, completion.error};
}

void Connection::count_tokens(const Completion& completion) {
  Metrics& metrics = state_.metrics;
  metrics.prompt_tokens += static_cast<std::int64_t>(completion.prompt_ids.size());
  metrics.cached_prompt_tokens += completion.cached_prompt_tokens;
  metrics.generated_tokens += static_cast<std::int64_t>(completion.ids.size());
  if (!completion.ids.empty()) {
    metrics.first_token_seconds.add(seconds(begun_ns_, completion.times.first_ns));
  }
}

namespace {

void add_usage(Usage& usage, const Completion& completion, bool first_of_prompt) {
  usage.completion_tokens += static_cast<std::int64_t>(completion.ids.size());
  if (!first_of_prompt) return;
  usage.prompt_tokens += static_cast<std::int64_t>(completion.prompt_ids.size());
  usage.cached_tokens += completion.cached_prompt_tokens;
}

/// The events of one stream.
class StreamWriter {
 public:
  StreamWriter(const PreparedCall& prepared, const ReplyContext& context, Metrics& metrics)
      : prepared_(prepared), context_(context), metrics_(metrics) {
    const std::size_t choices = prepared.prompts.size() * static_cast<std::size_t>(prepared.api.n);
    for (std::size_t i = 0; i < choices; ++i) choices_.push_back({ChunkWriter(context, i)});
    open_ = choices;
  }

  [[nodiscard]] bool ended() const { return open_ == 0; }

  /// Events of a piece, perhaps none.
  std::string write(const AnswerPart& piece) {
    Choice& choice = choices_[piece.choice];
    std::string out;
    if (!std::exchange(choice.begun, true)) {
      const std::string first = choice.writer.first();
      if (!first.empty()) out += event(first);
    }
    if (piece.end) return out + end(choice, piece);
    if (choice.last_ns != 0)
      metrics_.between_tokens_seconds.add(seconds(choice.last_ns, piece.at_ns));
    choice.last_ns = piece.at_ns;
    const ApiRequest& api = prepared_.api;
    if (piece.text.empty() && api.logprobs < 0 && !api.token_ids) return out;
    return out + event(choice.writer.next(piece.text, piece.ids, piece.logprobs));
  }

 private:
  struct Choice {
    ChunkWriter writer;
    bool begun = false;
    std::int64_t last_ns = 0;
  };

  std::string end(Choice& choice, const AnswerPart& piece) {
    std::string out = event(choice.writer.last(*piece.end));
    add_usage(usage_, *piece.end, piece.choice % static_cast<std::size_t>(prepared_.api.n) == 0);
    if (--open_ > 0) return out;
    if (prepared_.api.include_usage) out += event(usage_chunk(context_, usage_));
    return out + event("[DONE]");
  }

  const PreparedCall& prepared_;
  const ReplyContext& context_;
  Metrics& metrics_;
  std::vector<Choice> choices_;
  std::size_t open_ = 0;
  Usage usage_;
};

}  // namespace

asio::awaitable<void> Connection::follow_stream(Call& call, const PreparedCall& prepared,
                                                const ReplyContext& context) {
  StreamWriter writer(prepared, context, state_.metrics);
  std::vector<AnswerPart> pieces;
  bool begun = false;
  while (!writer.ended()) {
    const bool came = co_await next_pieces(call, pieces);
    if (!came) co_return;
    std::string events;
    std::optional<ApiError> failed;
    for (const AnswerPart& piece : pieces) {
      if (piece.end && piece.end->finish_reason == FinishReason::kError) {
        failed = failure(*piece.end);
        break;
      }
      if (piece.end) count_tokens(*piece.end);
      events += writer.write(piece);
    }
    if (failed && !begun && events.empty()) {
      co_await reply(error_reply(*failed));
      co_return;
    }
    if (failed) events += event(error_json(*failed));
    const bool ends = failed || writer.ended();
    if (events.empty()) continue;
    if (old_version_) open_ = false;
    co_await write(frame(events, !std::exchange(begun, true), ends));
    if (ends) count(failed ? failed->status : 200);
    if (failed) co_return;
  }
}

asio::awaitable<void> Connection::follow_whole(Call& call, const PreparedCall& prepared,
                                               const ReplyContext& context) {
  const ApiRequest& api = prepared.api;
  const auto of_prompt = static_cast<std::size_t>(api.best_of);
  std::vector<Completion> made(prepared.prompts.size() * of_prompt);
  std::vector<AnswerPart> pieces;
  Usage usage;
  std::size_t logprobs = 0;
  for (std::size_t open = made.size(); open > 0;) {
    const bool came = co_await next_pieces(call, pieces);
    if (!came) co_return;
    for (AnswerPart& piece : pieces) {
      if (!piece.end) continue;
      if (piece.end->finish_reason == FinishReason::kError) {
        co_await reply(error_reply(failure(*piece.end)));
        co_return;
      }
      count_tokens(*piece.end);
      add_usage(usage, *piece.end, piece.choice % of_prompt == 0);
      logprobs += (piece.end->logprobs.size() + piece.end->prompt_logprobs.logprobs.size()) *
                  static_cast<std::size_t>(2 + api.logprobs);
      made[piece.choice] = std::move(*piece.end);
      --open;
    }
  }
  const std::vector<Completion> told = Routes::best(api, std::move(made));
  HttpReply out;
  const auto render = [&] { return whole_reply(context, told, usage); };
  if (logprobs > kInlineLogprobs) {
    out.body = co_await on_worker(state_, render);
  } else {
    out.body = render();
  }
  co_await reply(out);
}

}  // namespace assay::engine
