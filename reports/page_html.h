// The sections of the HTML page, in its order. Private to reports/: render_html.h puts them
// together.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "reports/html.h"
#include "reports/page.h"

namespace assay::reports {

Html summary_section(const Page& page);     // what is best, how sure, what changed
Html board_section(const Page& page);       // runs x tasks
Html difference_section(const Page& page);  // forest plots and the table behind them
Html speed_section(const Page& page);       // accuracy against speed, distributions, benches
Html numerics_section(const Page& page);    // divergence from the reference
Html group_section(const Page& page);       // heat maps
Html trend_section(const Page& page);
Html behaviour_section(const Page& page);
Html sample_section(const Page& page, std::size_t shown);  // the browser's frame
Html provenance_section(const Page& page);
Html method_section(const Page& page);

/// A table with a caption; `head` and `rows` are rows of cells.
Html table(const char* css_class, const Html& caption, const Html& head, const Html& rows);
/// A folded table behind a chart.
Html data_table(const std::string& caption, const Html& head, const Html& rows);
Html column(const std::string& name);  // <th scope="col">, right-aligned for numbers
Html number_cell(const std::string& shown);
/// <section id="..."><h2>title</h2>content</section>; `id` is a name of this program's own.
Html section(const char* id, const char* title, const Html& content);
Html paragraph(const char* css_class, const std::string& words);
/// A name from outside, which cannot change the direction of its surroundings.
Html name_of(const std::string& outside);
/// Class name of a change: "worse", "better" or "none".
const char* change_class(Change change);

}  // namespace assay::reports
