// Cuts a filter text into tokens. Borrowed: tokens point into the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace hopscope::chain {

enum class TokenKind {
    end,
    word,    // bareword
    quoted,  // 'text' or "text"; `text` is what stands between the quotes, escapes undone
    op,      // == != < <= > >= ~ !~ has
    open,
    close,  // ( )
    set_open,
    set_close,
    comma,  // { } ,
    and_,
    or_,
    not_,
    in,
};

struct FilterToken {
    TokenKind kind = TokenKind::end;
    std::string text;
    std::size_t at = 0;      // offset in the filter
    std::size_t length = 0;  // as it stands there, quotes included
};

// FLT-03 for what is no token.
Result<std::vector<FilterToken>> lex_filter(std::string_view text);

// An error with the text and a caret under `at`.
Unexpected<Error> filter_error(std::string_view code, std::string_view text, std::size_t at, std::string why,
                               std::string hint);

}  // namespace hopscope::chain
