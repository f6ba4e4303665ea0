#include "engine/parallel/greeting.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/proof.h"
#include "base/text.h"
#include "engine/parallel/wire.h"

namespace assay::engine {
namespace {

using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;
using boost::system::system_error;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kGreeting{10'000};  // for one stranger to prove itself
constexpr std::chrono::milliseconds kRetry{100};
constexpr int kMostStrangers = 256;  // connections that have not proved themselves yet
constexpr std::string_view kChannels[] = {"data", "pulse"};

std::string this_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

/// What a process says of itself, under the keys of its greeting.
Json introduction(const Launch& launch, const GroupOptions& options, std::string_view channel) {
  Json out;
  out.set("rank", launch.rank);
  out.set("size", launch.size);
  out.set("channel", channel);
  out.set("host", this_host());
  out.set("pid", static_cast<std::int64_t>(::getpid()));
  out.set("build", options.build);
  out.set("nonce", random_hex(32));
  return out;
}

std::string proof(const GroupOptions& options, std::string_view side, const std::string& nonce,
                  const Json& said) {
  return hmac_sha256_hex(options.token,
                         fmt::format("assay 1 {} {} {}", side, nonce, said.dump_canonical()));
}

std::string endpoint_text(const Launch& launch) {
  return fmt::format("{}:{}", escaped(launch.host), launch.port);
}

/// Addresses of the place where rank 0 listens.
tcp::resolver::results_type resolve(asio::io_context& io, const Launch& launch) {
  error_code code;
  tcp::resolver resolver(io);
  auto found = resolver.resolve(launch.host, std::to_string(launch.port), code);
  if (code) {
    throw_environment("rank 0 should listen at {}, but that host has no address: {}",
                      endpoint_text(launch), code.message());
  }
  return found;
}

class Leader {
 public:
  Leader(const Launch& launch, const GroupOptions& options)
      : launch_(launch), options_(options), acceptor_(io_) {
    slots_.resize(static_cast<std::size_t>(launch.size) - 1);
  }

  Gathered gather() {
    listen();
    log_info("rank 0 of {} ({}) waits for the others at {}", launch_.size, launch_.launcher,
             endpoint_text(launch_));
    asio::co_spawn(io_, accept(), asio::detached);
    const auto end = Clock::now() + options_.join;
    while (missing() > 0 && io_.run_one_until(end) > 0) {
    }
    acceptor_.close();
    if (missing() > 0) give_up();
    return welcome();
  }

 private:
  struct Slot {
    std::string host;
    std::int64_t pid = 0;
    std::array<std::optional<Socket>, 2> channels;
  };

  void listen() {
    const tcp::endpoint found = resolve(io_, launch_).begin()->endpoint();
    const bool loopback = found.address().is_loopback();
    if (!loopback && options_.token.empty()) {
      throw_input(
          "{} processes at {}: beyond one machine they need a shared secret: set ASSAY_TOKEN or "
          "ASSAY_TOKEN_FILE to the same on all",
          launch_.size, endpoint_text(launch_));
    }
    // The address in other nodes' view may not be one of this machine (translation, several nets).
    const tcp::endpoint own(found.protocol(), launch_.port);
    error_code code;
    acceptor_.open(own.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    if (acceptor_.bind(loopback ? found : own, code) || acceptor_.listen(kMostStrangers, code)) {
      throw_environment(
          "rank 0 cannot listen at {}: {}; another job's? MASTER_PORT or ASSAY_MASTER choose "
          "another port",
          endpoint_text(launch_), code.message());
    }
  }

  [[nodiscard]] int missing() const { return static_cast<int>(missing_ranks().size()); }

  [[nodiscard]] std::vector<std::string> missing_ranks() const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const auto& channels = slots_[i].channels;
      if (!channels[0] || !channels[1]) out.push_back(std::to_string(i + 1));
    }
    return out;
  }

  asio::awaitable<void> accept() {
    asio::steady_timer pause(io_);
    for (;;) {
      auto [code, socket] = co_await acceptor_.async_accept(asio::as_tuple(use_awaitable));
      if (!acceptor_.is_open()) co_return;
      if (code) {  // no descriptor is free, perhaps
        pause.expires_after(kRetry);
        co_await pause.async_wait(use_awaitable);
      }
      if (code || strangers_ >= kMostStrangers) continue;
      asio::co_spawn(io_, greet(std::move(socket)), asio::detached);
    }
  }

  /// A stranger that does not prove itself costs nothing but its connection.
  asio::awaitable<void> greet(Socket socket) {
    ++strangers_;
    try {
      const Deadline deadline(socket, kGreeting);
      const std::string nonce = random_hex(32);
      Json hello;
      hello.set("assay", 1);
      hello.set("nonce", nonce);
      co_await send_document(socket, hello);
      const Json answer = co_await receive_document(socket);
      const Json& said = answer.at("said");
      const std::string problem = objection(said, answer.at("proof").as_string(), nonce);
      Json reply;
      reply.set("problem", problem);
      if (problem.empty()) {
        reply.set("proof", proof(options_, "leader", said.at("nonce").as_string(), said));
      }
      co_await send_document(socket, reply);
      if (problem.empty()) {
        admit(said, std::move(socket));
      } else {
        last_refusal_ = problem;
      }
    } catch (const std::exception& error) {
      last_refusal_ = error.what();
    }
    --strangers_;
  }

  [[nodiscard]] std::string objection(const Json& said, const std::string& given,
                                      const std::string& nonce) const {
    if (!same_secret(given, proof(options_, "member", nonce, said))) {
      return "another token: ASSAY_TOKEN or ASSAY_TOKEN_FILE must be the same on all ranks";
    }
    const std::int64_t rank = said.at("rank").as_int();
    if (said.at("size").as_int() != launch_.size) {
      return fmt::format("rank {} was started as one of {}, rank 0 as one of {}", rank,
                         said.at("size").as_int(), launch_.size);
    }
    if (rank < 1 || rank >= launch_.size) return fmt::format("there is no rank {}", rank);
    if (said.at("build").as_string() != options_.build) {
      return fmt::format("rank {} is another build of assay ({}, rank 0 is {})", rank,
                         escaped(said.at("build").as_string()), options_.build);
    }
    const Slot& slot = slots_[static_cast<std::size_t>(rank) - 1];
    const std::size_t channel = said.at("channel").as_string() == kChannels[0] ? 0 : 1;
    if (slot.channels[channel]) return fmt::format("there is a rank {} already", rank);
    return "";
  }

  void admit(const Json& said, Socket socket) {
    Slot& slot = slots_[static_cast<std::size_t>(said.at("rank").as_int()) - 1];
    slot.host = escaped(said.at("host").as_string());
    slot.pid = said.at("pid").as_int();
    const std::size_t channel = said.at("channel").as_string() == kChannels[0] ? 0 : 1;
    slot.channels[channel].emplace(std::move(socket));
  }

  /// Sends one document to every rank that is there; who is gone is found out later.
  void tell(const Json& document) {
    std::size_t open = 0;
    for (Slot& slot : slots_) {
      if (!slot.channels[0]) continue;
      ++open;
      asio::co_spawn(io_, send_document(*slot.channels[0], document),
                     [&open](const std::exception_ptr&) { --open; });
    }
    const auto end = Clock::now() + kGreeting;
    while (open > 0 && io_.run_one_until(end) > 0) {
    }
  }

  [[noreturn]] void give_up() {
    const std::vector<std::string> ranks = missing_ranks();
    std::string message = fmt::format("rank{} {} of {} did not come to {} within {} s",
                                      ranks.size() == 1 ? "" : "s", join(ranks, ", "), launch_.size,
                                      endpoint_text(launch_), options_.join.count() / 1000);
    if (!last_refusal_.empty()) message += " (refused last: " + last_refusal_ + ")";
    message += launch_.hint;
    Json document;
    document.set("problem", message);
    tell(document);
    throw_environment("{}", message);
  }

  Gathered welcome() {
    Gathered out;
    out.hosts.push_back(this_host());
    for (const Slot& slot : slots_) out.hosts.push_back(slot.host);
    Json document;
    document.set("problem", "");
    document.set("hosts", Json(Json::Array(out.hosts.begin(), out.hosts.end())));
    document.set("pid", static_cast<std::int64_t>(::getpid()));
    tell(document);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      out.members.push_back({.rank = static_cast<int>(i) + 1,
                             .host = slot.host,
                             .pid = slot.pid,
                             .data = slot.channels[0]->release(),
                             .pulse = slot.channels[1]->release()});
    }
    return out;
  }

  asio::io_context io_;  // the first to be made: what is still greeted goes with it
  const Launch& launch_;
  const GroupOptions& options_;
  tcp::acceptor acceptor_;
  std::vector<Slot> slots_;  // of ranks 1, 2 ...
  std::string last_refusal_;
  int strangers_ = 0;
};

class Follower {
 public:
  Follower(const Launch& launch, const GroupOptions& options)
      : launch_(launch), options_(options), end_(Clock::now() + options.join) {}

  Gathered find() {
    std::exception_ptr error;
    bool done = false;
    Gathered out;
    asio::co_spawn(io_, connect(out), [&](const std::exception_ptr& failed) {
      error = failed;
      done = true;
    });
    while (!done && io_.run_one() > 0) {
    }
    if (error) std::rethrow_exception(error);
    return out;
  }

 private:
  asio::awaitable<void> connect(Gathered& out) {
    Socket data(io_);
    Socket pulse(io_);
    co_await introduce(data, kChannels[0]);
    co_await introduce(pulse, kChannels[1]);
    // Rank 0 waits so long for all; a little longer here, so that it can say who is missing.
    const Deadline deadline(data, options_.join + kGreeting);
    Json welcome;
    try {
      welcome = co_await receive_document(data);
    } catch (const system_error&) {
      throw_environment("rank 0 at {} was lost while rank {} waited for the others",
                        endpoint_text(launch_), launch_.rank);
    }
    const std::string& problem = welcome.at("problem").as_string();
    if (!problem.empty()) throw_environment("{}", escaped(problem, 1000));
    for (const Json& host : welcome.at("hosts").as_array()) {
      out.hosts.push_back(escaped(host.as_string()));
    }
    if (out.hosts.size() != static_cast<std::size_t>(launch_.size)) {
      throw_environment("rank 0 at {} names {} hosts", endpoint_text(launch_), out.hosts.size());
    }
    out.members.push_back({.rank = 0,
                           .host = out.hosts.front(),
                           .pid = welcome.at("pid").as_int(),
                           .data = data.release(),
                           .pulse = pulse.release()});
  }

  /// Connects and proves itself on one channel.
  asio::awaitable<void> introduce(Socket& socket, std::string_view channel) {
    co_await reach(socket);
    const Deadline deadline(socket, kGreeting);
    const Json said = introduction(launch_, options_, channel);
    Json reply;
    try {
      const Json hello = co_await receive_document(socket);
      Json answer;
      answer.set("said", said);
      answer.set("proof", proof(options_, "member", hello.at("nonce").as_string(), said));
      co_await send_document(socket, answer);
      reply = co_await receive_document(socket);
    } catch (const std::exception& error) {
      throw_environment("rank {}: what listens at {} is no rank 0: {}", launch_.rank,
                        endpoint_text(launch_), error.what());
    }
    const std::string& problem = reply.at("problem").as_string();
    if (!problem.empty()) {
      throw_input("rank 0 at {} refused rank {}: {}", endpoint_text(launch_), launch_.rank,
                  escaped(problem, 1000));
    }
    const std::string expected = proof(options_, "leader", said.at("nonce").as_string(), said);
    if (!same_secret(reply.at("proof").as_string(), expected)) {
      throw_input("what listens at {} does not know the job's token", endpoint_text(launch_));
    }
  }

  asio::awaitable<void> reach(Socket& socket) {
    asio::steady_timer pause(io_);
    for (;;) {
      std::string reason;
      try {
        socket = Socket(io_);
        const Deadline deadline(socket, kGreeting);
        co_await asio::async_connect(socket, resolve(io_, launch_), use_awaitable);
        // With nobody listening, a connection may by chance meet itself.
        if (socket.local_endpoint() != socket.remote_endpoint()) co_return;
        reason = "nobody listens";
      } catch (const std::exception& error) {
        reason = error.what();
      }
      if (Clock::now() > end_) {
        throw_environment("rank {} of {} found no rank 0 at {} within {} s: {}", launch_.rank,
                          launch_.size, endpoint_text(launch_), options_.join.count() / 1000,
                          reason);
      }
      pause.expires_after(kRetry);
      co_await pause.async_wait(use_awaitable);
    }
  }

  asio::io_context io_;
  const Launch& launch_;
  const GroupOptions& options_;
  Clock::time_point end_;
};

}  // namespace

std::string member_name(const Member& member) {
  return fmt::format("rank {} ({}, process {})", member.rank, member.host, member.pid);
}

Gathered gather_members(const Launch& launch, const GroupOptions& options) {
  return Leader(launch, options).gather();
}

Gathered find_leader(const Launch& launch, const GroupOptions& options) {
  return Follower(launch, options).find();
}

}  // namespace assay::engine
