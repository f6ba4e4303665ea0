#include "engine/parallel/process_group.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <functional>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include "engine/parallel/greeting.h"
#include "engine/parallel/tree_sum.h"
#include "engine/parallel/wire.h"

namespace assay::engine {
namespace {

constexpr std::chrono::milliseconds kFarewell{3000};
// A rank has nothing to store; rank 0 has, and finished work is on disk all the time.
constexpr std::chrono::milliseconds kGrace{5000};
constexpr std::chrono::milliseconds kGraceOfRank0{60'000};
constexpr std::uint64_t kMostTokenBytes = 4096;

asio::mutable_buffer floats(float* data, std::int64_t count) {
  return asio::buffer(data, static_cast<std::size_t>(count) * sizeof(float));
}
asio::const_buffer floats(const float* data, std::int64_t count) {
  return asio::buffer(data, static_cast<std::size_t>(count) * sizeof(float));
}

}  // namespace

GroupOptions group_options(const Environment& environment, std::string build) {
  GroupOptions out;
  out.build = std::move(build);
  out.token = environment("ASSAY_TOKEN").value_or("");
  if (const auto file = environment("ASSAY_TOKEN_FILE"); file && out.token.empty()) {
    const std::string text = read_file(*file, kMostTokenBytes);
    out.token = trim_ascii(std::string_view(text).substr(0, text.find('\n')));
    if (out.token.empty()) throw_input("{}: holds no token in its first line", escaped(*file));
  }
  keep_secret(out.token);
  out.join = seconds_of(environment, "ASSAY_JOIN_SECONDS", out.join);
  out.answer = seconds_of(environment, "ASSAY_ANSWER_SECONDS", out.answer);
  out.watchdog.silence = seconds_of(environment, "ASSAY_SILENCE_SECONDS", out.watchdog.silence);
  return out;
}

struct ProcessGroup::Impl {
  using Work = std::function<asio::awaitable<void>(std::size_t link)>;

  Impl(const Launch& launch, const GroupOptions& options)
      : rank(launch.rank), size(launch.size), answer(options.answer) {
    Gathered gathered = rank == 0 ? gather_members(launch, options) : find_leader(launch, options);
    hosts = std::move(gathered.hosts);
    const auto own = hosts.begin() + rank;
    local_size = static_cast<int>(std::count(hosts.begin(), hosts.end(), *own));
    local_rank = launch.local_rank >= 0 ? launch.local_rank
                                        : static_cast<int>(std::count(hosts.begin(), own, *own));
    std::vector<Watched> watched;
    for (const Member& member : gathered.members) {
      watched.push_back({.name = member_name(member), .pulse = member.pulse, .data = member.data});
      // Whether the address is of version 4 or 6 does not matter to what is done with it.
      links.emplace_back(Socket(io, asio::ip::tcp::v4(), member.data), member_name(member));
    }
    WatchdogOptions watching = options.watchdog;
    watching.grace = rank == 0 ? kGraceOfRank0 : kGrace;
    watchdog = std::make_unique<Watchdog>(std::move(watched), watching);
    parts.resize(static_cast<std::size_t>(size) - 1);
  }

  /// Runs `work` for every link at once until all are done. Throws what the first failure was.
  void on_links(const Work& work, std::chrono::milliseconds limit) {
    std::size_t open = links.size();
    std::vector<bool> done(links.size());
    std::exception_ptr error;
    std::size_t failed = 0;
    for (std::size_t i = 0; i < links.size(); ++i) {
      asio::co_spawn(io, work(i), [&, i](const std::exception_ptr& thrown) {
        --open;
        done[i] = true;
        if (thrown && !error) {
          error = thrown;
          failed = i;
        }
      });
    }
    io.restart();
    const auto end = std::chrono::steady_clock::now() + limit;
    while (open > 0 && !error && io.run_one_until(end) > 0) {
    }
    if (open == 0 && !error) return;
    const auto late = std::find(done.begin(), done.end(), false) - done.begin();
    boost::system::error_code ignored;
    for (Link& link : links) link.socket().cancel(ignored);
    while (open > 0 && io.run_one() > 0) {
    }
    if (error) rethrow(error, failed);
    throw_environment("{} did not answer within {} s", links[static_cast<std::size_t>(late)].name(),
                      limit.count() / 1000);
  }

  /// A broken connection becomes a message that names who is lost.
  [[noreturn]] void rethrow(const std::exception_ptr& error, std::size_t link) {
    try {
      std::rethrow_exception(error);
    } catch (const GroupEnded&) {
      watchdog->stop();  // rank 0 may close its connections now
      throw;
    } catch (const boost::system::system_error& broken) {
      if (const auto loss = watchdog ? watchdog->loss() : std::nullopt) {
        throw_environment("{}", *loss);
      }
      const bool closed = broken.code() == asio::error::eof;
      throw_environment("{} is lost: {}", links[link].name(),
                        closed ? "its connection closed" : broken.code().message());
    }
  }

  void send_all(asio::const_buffer content, FrameKind kind) {
    on_links([&](std::size_t i) { return links[i].send(kind, content); }, answer);
  }

  int rank;
  int size;
  int local_rank = 0;
  int local_size = 1;
  std::chrono::milliseconds answer;
  std::vector<std::string> hosts;
  asio::io_context io;
  std::vector<Link> links;                // rank 0: of ranks 1, 2 ...; others: to rank 0
  std::vector<std::vector<float>> parts;  // rank 0: what the others sent
  std::unique_ptr<Watchdog> watchdog;     // the first to go: it cuts the links
};

ProcessGroup::ProcessGroup(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessGroup::~ProcessGroup() = default;

std::unique_ptr<ProcessGroup> ProcessGroup::join(const Launch& launch,
                                                 const GroupOptions& options) {
  if (launch.size != 2 && launch.size != 4 && launch.size != 8) {
    throw_input("{} processes: a model is cut over 2, 4 or 8 ({})", launch.size, launch.launcher);
  }
  return std::unique_ptr<ProcessGroup>(new ProcessGroup(std::make_unique<Impl>(launch, options)));
}

int ProcessGroup::rank() const { return impl_->rank; }
int ProcessGroup::size() const { return impl_->size; }
int ProcessGroup::local_rank() const { return impl_->local_rank; }
int ProcessGroup::local_size() const { return impl_->local_size; }
const std::vector<std::string>& ProcessGroup::hosts() const { return impl_->hosts; }

std::string ProcessGroup::broadcast(std::string_view text) {
  if (impl_->rank == 0) {
    impl_->send_all(asio::buffer(text), FrameKind::kText);
    return std::string(text);
  }
  std::string out;
  // The next message comes when rank 0 has something to do: scoring and planning take their time,
  // and the watchdog sees whether it lives.
  constexpr std::chrono::milliseconds kLong = std::chrono::hours(24 * 365);
  impl_->on_links(
      [&](std::size_t i) -> asio::awaitable<void> {
        out = co_await impl_->links[i].receive_text();
      },
      kLong);
  return out;
}

std::vector<std::string> ProcessGroup::gather(std::string_view text) {
  if (impl_->rank != 0) {
    impl_->send_all(asio::buffer(text), FrameKind::kText);
    return {};
  }
  std::vector<std::string> out(static_cast<std::size_t>(impl_->size));
  out[0] = text;
  impl_->on_links(
      [&](std::size_t i) -> asio::awaitable<void> {
        out[i + 1] = co_await impl_->links[i].receive_text();
      },
      impl_->answer);
  return out;
}

void ProcessGroup::all_reduce_sum(float* data, std::int64_t count) {
  Impl& g = *impl_;
  if (g.rank != 0) {
    g.on_links(
        [&](std::size_t i) -> asio::awaitable<void> {
          co_await g.links[i].send(FrameKind::kData, floats(std::as_const(data), count));
          co_await g.links[i].receive_data(floats(data, count));
        },
        g.answer);
    return;
  }
  std::vector<const float*> all = {data};
  for (std::vector<float>& part : g.parts) {
    part.resize(std::max(part.size(), static_cast<std::size_t>(count)));
    all.push_back(part.data());
  }
  g.on_links(
      [&](std::size_t i) { return g.links[i].receive_data(floats(g.parts[i].data(), count)); },
      g.answer);
  for (std::int64_t i = 0; i < count; ++i) data[i] = tree_sum(all, i);
  g.send_all(floats(std::as_const(data), count), FrameKind::kData);
}

void ProcessGroup::gather_floats(const float* part, std::int64_t count, float* all,
                                 bool everywhere) {
  Impl& g = *impl_;
  const std::int64_t total = count * g.size;
  if (g.rank != 0) {
    g.on_links(
        [&](std::size_t i) -> asio::awaitable<void> {
          co_await g.links[i].send(FrameKind::kData, floats(part, count));
          if (everywhere) co_await g.links[i].receive_data(floats(all, total));
        },
        g.answer);
    return;
  }
  std::copy_n(part, count, all);
  g.on_links(
      [&](std::size_t i) {
        const auto rank = static_cast<std::int64_t>(i) + 1;
        return g.links[i].receive_data(floats(all + rank * count, count));
      },
      g.answer);
  if (everywhere) g.send_all(floats(std::as_const(all), total), FrameKind::kData);
}

void ProcessGroup::finish(int code, std::string_view why) {
  ASSAY_CHECK(impl_->rank == 0, "rank 0 ends the job");
  impl_->watchdog->stop();
  const std::string text = fmt::format("{} {}", code, why);
  // Each on its own: one that is lost does not keep the others from hearing it.
  const auto farewell = [&](std::size_t i) -> asio::awaitable<void> {
    try {
      const Deadline deadline(impl_->links[i].socket(), kFarewell);
      co_await impl_->links[i].send(FrameKind::kEnd, asio::buffer(text));
      co_await impl_->links[i].receive_bye();
    } catch (const std::exception&) {  // it is gone: there is nobody to tell
    }
  };
  impl_->on_links(farewell, 2 * kFarewell);
}

void ProcessGroup::report_failure(std::string_view why) {
  impl_->watchdog->stop();
  const auto report = [&](std::size_t i) -> asio::awaitable<void> {
    try {
      const Deadline deadline(impl_->links[i].socket(), kFarewell);
      co_await impl_->links[i].send(FrameKind::kFailure, asio::buffer(why));
      (void)co_await impl_->links[i].receive_text();  // throws GroupEnded
    } catch (const std::exception&) {                 // this process ends anyway
    }
  };
  impl_->on_links(report, 2 * kFarewell);
}

void ProcessCommunicator::barrier() {
  float nothing = 0;
  group_.all_reduce_sum(&nothing, 1);
}

}  // namespace assay::engine
