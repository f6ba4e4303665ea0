// Numbers as people read them. All forms of the page use these.
#pragma once

#include <cstdint>
#include <string>

#include "reports/page.h"

namespace assay::reports {

std::string percent(double share);      // 0.6231 -> "62.3"
std::string points(double difference);  // -0.0123 -> "-1.2" with a real minus sign, 0 -> "0.0"
std::string percent_range(double low, double high);  // "59.1-64.9" with an en dash
std::string points_range(double low, double high);   // "[-1.2, +0.3]"
std::string p_text(double p);                        // "0.031", "< 0.001"
std::string count_text(std::int64_t n);              // 1234567 -> "1,234,567"
std::string short_number(double value);  // three significant digits, thousands separated
std::string milliseconds(double ms);     // "0.31 ms", "12 ms", "3.4 s"
std::string bytes_text(double bytes);    // "41 MiB", "132 GiB"
std::string joules_text(double joules);  // "12 J", "3.4 kJ"
/// "1 task", "3 tasks".
std::string counted(std::int64_t n, const std::string& noun);

std::string run_name(const PageRun& run);  // model and setting
/// What tells the runs of this page apart: the setting, with model and label where they differ.
std::string short_run_name(const Page& page, std::size_t run);
/// "worse", "better" or "no established change".
const char* change_words(Change change);

}  // namespace assay::reports
