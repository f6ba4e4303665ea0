#include "reports/page_html.h"

#include <fmt/format.h>

namespace assay::reports {

Html table(const char* css_class, const Html& caption, const Html& head, const Html& rows) {
  // A region that scrolls must be reachable by the keyboard.
  return asset("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"table\">") +
         element("table", css_class,
                 element("caption", "", caption) + element("thead", "", element("tr", "", head)) +
                     element("tbody", "", rows)) +
         asset("</div>");
}

Html data_table(const std::string& caption, const Html& head, const Html& rows) {
  return element("details", "data",
                 element("summary", "", text("Figures as a table")) +
                     table("plain", text(caption), head, rows));
}

Html column(const std::string& name) {
  return asset("<th scope=\"col\" class=\"n\">") + text(name) + asset("</th>");
}

Html number_cell(const std::string& shown) { return element("td", "n", text(shown)); }

Html section(const char* id, const char* title, const Html& content) {
  if (content.empty()) return {};
  return asset(fmt::format("<section id=\"{}\"><h2>{}</h2>\n", id, title)) + content +
         asset("</section>\n");
}

Html paragraph(const char* css_class, const std::string& words) {
  return element("p", css_class, text(words));
}

Html name_of(const std::string& outside) { return element("bdi", "", text(outside)); }

const char* change_class(Change change) {
  constexpr const char* kClasses[] = {"none", "worse", "better"};
  return kClasses[static_cast<int>(change)];
}

}  // namespace assay::reports
