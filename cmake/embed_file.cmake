# Writes OUTPUT, a C++ source that defines string views with the content of files.
# NAMES and FILES are lists of equal length; NAMESPACE is the C++ namespace; HEADER declares the names.
set(text "// Generated from files by the build.\n#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n")
foreach(name file IN ZIP_LISTS NAMES FILES)
  file(READ ${file} content HEX)
  string(LENGTH "${content}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${content}")
  string(APPEND text "static const char ${name}Bytes[] = {${bytes}'\\0'};\n")
  string(APPEND text "const std::string_view ${name}{${name}Bytes, ${size}};\n")
endforeach()
string(APPEND text "}  // namespace ${NAMESPACE}\n")
file(WRITE ${OUTPUT} "${text}")
