#include "engine/parallel/watchdog.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace assay::engine {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;

struct Watchdog::Impl {
  struct Pair {
    std::string name;
    asio::ip::tcp::socket pulse;
    int data;
    Clock::time_point heard = Clock::now();
    std::array<char, 64> in{};
    bool lost = false;
  };

  Impl(std::vector<Watched> watched, const WatchdogOptions& the_options) : options(the_options) {
    for (Watched& one : watched) {
      asio::ip::tcp::socket pulse(io);
      // Whether the address is of version 4 or 6 does not matter to what is done with it.
      pulse.assign(asio::ip::tcp::v4(), one.pulse);
      pulse.non_blocking(true);
      pairs.push_back({.name = std::move(one.name), .pulse = std::move(pulse), .data = one.data});
    }
    for (Pair& pair : pairs) listen(pair);
    beat();
    thread = std::thread([this] { io.run(); });
  }

  void listen(Pair& pair) {
    pair.pulse.async_read_some(asio::buffer(pair.in), [&](const error_code& code, std::size_t) {
      if (code) return lose(pair, "its connection closed");
      pair.heard = Clock::now();
      listen(pair);
    });
  }

  /// A byte to everyone, and a look at when each was heard last.
  void beat() {
    const Clock::time_point now = Clock::now();
    // This process itself did not run for a while: what the others sent is still unread.
    const bool slept = now - last_beat > options.silence;
    last_beat = now;
    for (Pair& pair : pairs) {
      if (slept) pair.heard = now;
      if (now - pair.heard > options.silence) {
        lose(pair, fmt::format("it was silent for {} s", options.silence.count() / 1000));
      }
      // A full buffer means that the other does not read: silence will tell.
      error_code ignored;
      if (!pair.lost) pair.pulse.write_some(asio::buffer("b", 1), ignored);
    }
    timer.expires_after(options.interval);
    timer.async_wait([this](const error_code& code) {
      if (!code) beat();
    });
  }

  void lose(Pair& pair, const std::string& why) {
    if (pair.lost) return;
    pair.lost = true;
    {
      const std::lock_guard lock(mutex);
      if (!loss) loss = fmt::format("{} is lost: {}", pair.name, why);
    }
    ::shutdown(pair.data, SHUT_RDWR);
    end.expires_after(options.grace);
    end.async_wait([this](const error_code& code) {
      if (code) return;
      log_warning("{}; this process did not stop by itself", *loss);
      ::_exit(static_cast<int>(ExitCode::kEnvironment));
    });
  }

  WatchdogOptions options;
  asio::io_context io;
  asio::steady_timer timer{io};
  asio::steady_timer end{io};
  std::vector<Pair> pairs;
  Clock::time_point last_beat = Clock::now();
  mutable std::mutex mutex;  // guards `loss`
  std::optional<std::string> loss;
  std::thread thread;
};

Watchdog::Watchdog(std::vector<Watched> watched, const WatchdogOptions& options)
    : impl_(std::make_unique<Impl>(std::move(watched), options)) {}

Watchdog::~Watchdog() { stop(); }

void Watchdog::stop() {
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

std::optional<std::string> Watchdog::loss() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->loss;
}

}  // namespace assay::engine
