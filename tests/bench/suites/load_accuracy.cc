// How true the load generator's times are, and what it costs: against a server in another process
// whose token times are known exactly. Prints one JSON object.
//
// usage: load_accuracy streams COUNT TOKENS      COUNT at once, each of TOKENS tokens
//        load_accuracy rate PER_SECOND SECONDS TOKENS
//        load_accuracy generator PER_SECOND SECONDS   the generator alone: a session that answers
//                                                     in this process, without HTTP
//        load_accuracy bare PER_SECOND SECONDS        the system calls of `rate` with one token and
//                                                     nothing else: what the kernel costs
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/order_statistics.h"
#include "suites/bench/load.h"
#include "suites/bench/target.h"
#include "tests/bench/suites/bare_calls.h"
#include "tests/support/instant_session.h"
#include "tests/support/stream_server.h"

namespace assay::suites {
namespace {

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/// A server process. Its records come back through a pipe when it is told to stop.
class ServerProcess {
 public:
  explicit ServerProcess(const test::StreamScript& script) {
    std::array<int, 2> to_child{};
    std::array<int, 2> from_child{};
    if (::pipe(to_child.data()) != 0 || ::pipe(from_child.data()) != 0) std::exit(6);
    child_ = ::fork();
    if (child_ == 0) {
      ::close(to_child[1]);
      ::close(from_child[0]);
      run(script, to_child[0], from_child[1]);
      ::_exit(0);
    }
    ::close(to_child[0]);
    ::close(from_child[1]);
    stop_ = to_child[1];
    output_ = ::fdopen(from_child[0], "r");
    int port = 0;
    if (std::fscanf(output_, "%d", &port) != 1) std::exit(6);
    url_ = fmt::format("http://127.0.0.1:{}/v1", port);
  }
  ~ServerProcess() {
    ::waitpid(child_, nullptr, 0);
    std::fclose(output_);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ServerProcess(ServerProcess&&) = delete;
  ServerProcess& operator=(ServerProcess&&) = delete;
  [[nodiscard]] const std::string& url() const { return url_; }

  /// By the prompt's ids, then one number a token.
  std::map<std::string, test::StreamRecord> stop() {
    ::close(stop_);
    std::map<std::string, test::StreamRecord> out;
    std::vector<char> key(1 << 16);
    long long read = 0;
    long long first = 0;
    long long gap = 0;
    long long count = 0;
    while (std::fscanf(output_, "%65535s %lld %lld %lld %lld", key.data(), &read, &first, &gap,
                       &count) == 5) {
      test::StreamRecord& record = out[key.data()];
      record = {.read_ns = read, .first_ms = first, .gap_ms = gap, .written_ns = {}};
      for (long long i = 0; i < count; ++i) {
        long long at = 0;
        if (std::fscanf(output_, "%lld", &at) != 1) std::exit(6);
        record.written_ns.push_back(at);
      }
    }
    return out;
  }

 private:
  static void run(const test::StreamScript& script, int stop, int output) {
    ::prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    test::StreamServer server(script);
    server.start();
    FILE* out = ::fdopen(output, "w");
    fmt::print(out, "{}\n", server.port());
    std::fflush(out);
    char byte = 0;
    while (::read(stop, &byte, 1) > 0) {
    }
    server.stop();
    for (const auto& [key, record] : server.records()) {
      fmt::print(out, "{} {} {} {} {}", key.empty() ? "-" : key, record.read_ns, record.first_ms,
                 record.gap_ms, record.written_ns.size());
      for (const std::int64_t at : record.written_ns) fmt::print(out, " {}", at);
      fmt::print(out, "\n");
    }
    std::fclose(out);
  }

  pid_t child_ = 0;
  int stop_ = -1;
  FILE* output_ = nullptr;
  std::string url_;
};

std::string key_of(const engine::Request& request) {
  std::string out;
  for (const engine::TokenId id : request.prompt.ids) {
    out += (out.empty() ? "" : ",") + std::to_string(id);
  }
  return out;
}

std::string spread(std::vector<double> values) {
  if (values.empty()) return "null";
  std::sort(values.begin(), values.end());
  return fmt::format(
      "{{\"n\": {}, \"p50\": {:.4f}, \"p99\": {:.4f}, \"p999\": {:.4f}, "
      "\"largest\": {:.4f}}}",
      values.size(), percentile(values, 0.5), percentile(values, 0.99), percentile(values, 0.999),
      values.back());
}

/// Differences in milliseconds of what was measured from what the server wrote and from its script.
struct Errors {
  std::vector<double> token;         // arrival of a token against its write
  std::vector<double> ttft;          // against first_ms of the script
  std::vector<double> itl;           // against gap_ms
  std::vector<RequestTiming> truth;  // the requests by the server's own times
};

void compare(const RequestTiming& timing, const test::StreamRecord& record, Errors& out) {
  for (std::size_t t = 0; t < timing.chunks.size() && t < record.written_ns.size(); ++t) {
    out.token.push_back(static_cast<double>(timing.chunks[t].at_ns - record.written_ns[t]) / 1e6);
    if (t > 0) {
      const auto gap = static_cast<double>(timing.chunks[t].at_ns - timing.chunks[t - 1].at_ns);
      out.itl.push_back(std::abs(gap / 1e6 - static_cast<double>(record.gap_ms)));
    }
  }
  out.ttft.push_back(std::abs(static_cast<double>(timing.first_ns - timing.sent_ns) / 1e6 -
                              static_cast<double>(record.first_ms)));
  RequestTiming truth = timing;
  for (std::size_t t = 0; t < truth.chunks.size() && t < record.written_ns.size(); ++t) {
    truth.chunks[t].at_ns = record.written_ns[t];
  }
  truth.first_ns = record.written_ns.front();
  truth.last_ns = record.written_ns.back();
  out.truth.push_back(std::move(truth));
}

/// Largest difference of each printed percentile from that of the server's own times.
std::string figure_errors(const std::vector<RequestTiming>& seen,
                          const std::vector<RequestTiming>& truth, const Window& window) {
  const Figures a = figures_of(seen, window, {});
  const Figures b = figures_of(truth, window, {});
  std::string out;
  for (const char* metric :
       {"ttft_ms_p50", "ttft_ms_p90", "ttft_ms_p99", "itl_ms_p50", "itl_ms_p90", "itl_ms_p99",
        "tpot_ms_p50", "tpot_ms_p99", "e2e_ms_p50", "e2e_ms_p99"}) {
    out += fmt::format("{}\"{}\": [{:.4f}, {:.4f}]", out.empty() ? "" : ", ", metric,
                       value_of(a, metric).value_or(NAN), value_of(b, metric).value_or(NAN));
  }
  return out;
}

/// Largest number of requests between sent and last token.
std::int64_t most_in_flight(const std::vector<RequestTiming>& requests) {
  std::vector<std::pair<std::int64_t, int>> events;
  for (const RequestTiming& timing : requests) {
    events.emplace_back(timing.sent_ns, 1);
    events.emplace_back(timing.ended_ns, -1);
  }
  std::sort(events.begin(), events.end());
  std::int64_t now = 0;
  std::int64_t most = 0;
  for (const auto& [at, step] : events) most = std::max<std::int64_t>(most, now += step);
  return most;
}

int measure(const LoadPlan& plan, std::int64_t tokens) {
  ServerProcess server({});
  SteadyLoadClock clock;
  const auto session = engine::make_session({.model = server.url()});
  const BenchTarget target{.session = session.get(), .clock = &clock, .seed = 1};
  const Workload workload = workload_for(target, {{.input = 16, .output = tokens}}, "accuracy", 0);
  const double cpu_before = own_cpu_seconds();
  const std::int64_t start = monotonic_ns();
  const LoadResult load = run_workload(target, workload, plan);
  const double seconds = static_cast<double>(monotonic_ns() - start) / 1e9;
  const double cpu = own_cpu_seconds() - cpu_before;
  const auto records = server.stop();
  Errors errors;
  std::vector<double> lag;
  std::int64_t done = 0;
  for (std::size_t i = 0; i < load.requests.size(); ++i) {
    const RequestTiming& timing = load.requests[i];
    if (timing.outcome != RequestOutcome::kDone) continue;
    ++done;
    lag.push_back(static_cast<double>(timing.sent_ns - timing.scheduled_ns) / 1e6);
    const auto record = records.find(key_of(request_of(workload, static_cast<std::int64_t>(i))));
    if (record != records.end()) compare(timing, record->second, errors);
  }
  const Window window{load.begin_ns, load.last_start_ns + 1};
  fmt::print(
      "{{\"requests\": {}, \"answered\": {}, \"most_in_flight\": {}, \"seconds\": {:.2f}, "
      "\"cpu_seconds\": {:.3f}, "
      "\"cores\": {:.4f}, \"cpu_us_per_request\": {:.1f}, \"send_lag_ms\": {},\n"
      " \"token_error_ms\": {},\n \"ttft_error_ms\": {},\n \"itl_error_ms\": {},\n"
      " \"figures_seen_and_true\": {{{}}}}}\n",
      load.requests.size(), done, most_in_flight(load.requests), seconds, cpu, cpu / seconds,
      1e6 * cpu / static_cast<double>(load.requests.size()), spread(lag), spread(errors.token),
      spread(errors.ttft), spread(errors.itl), figure_errors(load.requests, errors.truth, window));
  return done == std::ssize(load.requests) ? 0 : 1;
}

int measure_generator(double rate, double seconds) {
  test::InstantSession session;
  SteadyLoadClock clock;
  const BenchTarget target{.session = &session, .clock = &clock, .seed = 1};
  const Workload workload = workload_for(target, {{.input = 16, .output = 1}}, "generator", 0);
  const double before = own_cpu_seconds();
  const LoadResult load = run_workload(
      target, workload,
      {.arrivals = Arrivals::kPoisson, .rate_per_s = rate, .duration_s = seconds, .seed = 1});
  const double cpu = own_cpu_seconds() - before;
  const double took = static_cast<double>(load.end_ns - load.begin_ns) / 1e9;
  std::vector<double> lag;
  for (const RequestTiming& timing : load.requests) {
    lag.push_back(static_cast<double>(timing.sent_ns - timing.scheduled_ns) / 1e6);
  }
  fmt::print(
      "{{\"requests\": {}, \"seconds\": {:.2f}, \"cores\": {:.4f}, "
      "\"cpu_us_per_request\": {:.1f}, \"send_lag_ms\": {}}}\n",
      load.requests.size(), took, cpu / took, 1e6 * cpu / static_cast<double>(load.requests.size()),
      spread(lag));
  return 0;
}

int measure_bare(double rate, double seconds) {
  ServerProcess server({});
  const int port = std::stoi(server.url().substr(server.url().rfind(':') + 1));
  const double before = own_cpu_seconds();
  const std::int64_t start = monotonic_ns();
  const std::int64_t requests = send_bare(port, rate, seconds);
  const double cpu = own_cpu_seconds() - before;
  const double took = static_cast<double>(monotonic_ns() - start) / 1e9;
  (void)server.stop();
  fmt::print(
      "{{\"requests\": {}, \"seconds\": {:.2f}, \"cores\": {:.4f}, "
      "\"cpu_us_per_request\": {:.1f}}}\n",
      requests, took, cpu / took, 1e6 * cpu / static_cast<double>(requests));
  return 0;
}

int main_with(const std::vector<std::string>& words) {
  const auto number = [&](std::size_t i) { return std::stod(words.at(i)); };
  const std::string mode = words.size() > 1 ? words[1] : "";
  if (mode == "streams" && words.size() == 4) {
    return measure({.arrivals = Arrivals::kBurst, .requests = std::stoll(words[2])},
                   std::stoll(words[3]));
  }
  if (mode == "rate" && words.size() == 5) {
    return measure({.arrivals = Arrivals::kPoisson,
                    .rate_per_s = number(2),
                    .duration_s = number(3),
                    .seed = 1},
                   std::stoll(words[4]));
  }
  if (mode == "generator" && words.size() == 4) return measure_generator(number(2), number(3));
  if (mode == "bare" && words.size() == 4) return measure_bare(number(2), number(3));
  fmt::print(stderr,
             "usage: load_accuracy streams COUNT TOKENS\n"
             "       load_accuracy rate PER_SECOND SECONDS TOKENS\n"
             "       load_accuracy generator PER_SECOND SECONDS\n"
             "       load_accuracy bare PER_SECOND SECONDS\n");
  return 2;
}

}  // namespace
}  // namespace assay::suites

int main(int argc, char** argv) {
  try {
    return assay::suites::main_with({argv, argv + argc});
  } catch (const assay::Error& error) {
    fmt::print(stderr, "load_accuracy: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
