#== nul_in_the_source: failed
def f(x):
    return x + 1  # @NUL@

#== nul_in_a_text: failed
def f(x):
    return "@NUL@"

#== surrogate_in_the_source: failed
def f(x):
    return "@SURROGATE@"

#== invalid_bytes_in_the_source: failed
def f(x):
    return x + 1  # @FF@

#== mark_at_the_start: failed
@BOM@
def f(x):
    return x + 1

#== carriage_returns: passed
def f(x):@CR@    return x + 1@CR@

#== mixed_line_ends: passed
def f(x):@CR@
    y = x@CR@
@FORMFEED@
    return y + 1@CR@

#== unicode_line_ends_are_none: passed
def f(x):
    return x + len("@LS@") # @LS@ still a comment

#== one_mebibyte: passed seconds=20 pad=1048576
def f(x):
    return x + 1

#== one_byte_more: failed pad=1048577
def f(x):
    return x + 1

#== a_long_source_of_code: passed seconds=20 repeat=5000
def f(x):
    return x + 1

#== encoding_declaration: passed
# -*- coding: latin-1 -*-
def f(x):
    return x + 1

#== open_string: failed
def f(x):
    return x + 1
"""

#== open_bracket: failed
def f(x):
    return (x + 1

#== wrong_indentation: failed
def f(x):
    if x:
        pass
	return x + 1
