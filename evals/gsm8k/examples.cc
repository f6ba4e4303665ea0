// Eight worked examples, made up for this project.
#include <array>

#include "evals/gsm8k/protocols.h"

namespace assay::evals::gsm8k {

std::span<const Example> own_examples() {
  static constexpr std::array<Example, 8> kExamples = {{
      {"A bakery puts 6 rolls in each bag. Nora buys 4 bags and gives away 5 rolls. How many rolls "
       "does she keep?",
       "4 bags hold 4 * 6 = 24 rolls. After giving away 5 she keeps 24 - 5 = 19 rolls. The final "
       "answer is 19."},
      {"A train ticket costs $12 for adults and half as much for children. What do 2 adults and 3 "
       "children pay together?",
       "A child pays 12 / 2 = 6 dollars. Two adults pay 2 * 12 = 24 dollars and three children pay "
       "3 * 6 = 18 dollars. Together that is 24 + 18 = 42 dollars. The final answer is 42."},
      {"Ivo reads 15 pages every weekday and 40 pages on each day of the weekend. How many pages "
       "does he read in two weeks?",
       "One week has 5 weekdays with 5 * 15 = 75 pages and 2 weekend days with 2 * 40 = 80 pages, "
       "so 75 + 80 = 155 pages. Two weeks give 2 * 155 = 310 pages. The final answer is 310."},
      {"A tank holds 900 litres. A pump empties 30 litres a minute while rain adds 5 litres a "
       "minute. After how many minutes is the full tank empty?",
       "Each minute the tank loses 30 - 5 = 25 litres. It is empty after 900 / 25 = 36 minutes. "
       "The "
       "final answer is 36."},
      {"Of 80 seats in a hall, a quarter are reserved. Of the others, 45 are sold. How many seats "
       "are still free?",
       "A quarter of 80 is 80 / 4 = 20, so 80 - 20 = 60 seats are not reserved. Of these 60 - 45 = "
       "15 are still free. The final answer is 15."},
      {"Mila is three times as old as her cousin. In 4 years their ages add up to 36. How old is "
       "Mila now?",
       "In 4 years both together are 8 years older than now, so their ages now add up to 36 - 8 = "
       "28. Mila and her cousin make 3 + 1 = 4 equal parts, each of 28 / 4 = 7 years. Mila is 3 * "
       "7 "
       "= 21. The final answer is 21."},
      {"A jacket of $150 is reduced by 20%. With a voucher, Sam pays another $15 less. What does "
       "he "
       "pay?",
       "20% of 150 is 150 * 20 / 100 = 30, so the jacket costs 150 - 30 = 120 dollars. With the "
       "voucher he pays 120 - 15 = 105 dollars. The final answer is 105."},
      {"A farm packs 1,260 apples into crates of 35 and sells each crate for $9. How much money "
       "does it make?",
       "1260 / 35 = 36 crates. At 9 dollars each they bring 36 * 9 = 324 dollars. The final answer "
       "is 324."},
  }};
  return kExamples;
}

}  // namespace assay::evals::gsm8k
