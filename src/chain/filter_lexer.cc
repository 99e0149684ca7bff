#include "chain/filter_lexer.h"

#include <algorithm>

#include "core/untrusted.h"

namespace hopscope::chain {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// What ends a bareword. Brackets, dots, colons, slashes and the rest belong to it: "10.0.0.0/8", "^web-[0-9]$",
// "[::1]".
bool ends_word(char c) { return is_blank(c) || std::string_view("(){},=<>~!&|'\"").find(c) != std::string_view::npos; }

class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) {}

    Result<std::vector<FilterToken>> run() {
        std::vector<FilterToken> tokens;
        for (;;) {
            while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
            if (at_ == text_.size()) break;
            auto token = next();
            if (!token) return unexpected(token.error());
            at_ = token->at + token->length;
            tokens.push_back(std::move(*token));
        }
        tokens.push_back({TokenKind::end, {}, text_.size(), 0});
        return tokens;
    }

private:
    [[nodiscard]] bool starts(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
    [[nodiscard]] FilterToken symbol(TokenKind kind, std::size_t length) const {
        return {kind, std::string(text_.substr(at_, length)), at_, length};
    }

    Result<FilterToken> next() {
        for (const std::string_view op : {"==", "!=", "<=", ">=", "!~"}) {
            if (starts(op)) return symbol(TokenKind::op, 2);
        }
        if (starts("&&")) return symbol(TokenKind::and_, 2);
        if (starts("||")) return symbol(TokenKind::or_, 2);
        switch (text_[at_]) {
            case '<':
            case '>':
            case '~': return symbol(TokenKind::op, 1);
            case '!': return symbol(TokenKind::not_, 1);
            case '(': return symbol(TokenKind::open, 1);
            case ')': return symbol(TokenKind::close, 1);
            case '{': return symbol(TokenKind::set_open, 1);
            case '}': return symbol(TokenKind::set_close, 1);
            case ',': return symbol(TokenKind::comma, 1);
            case '=': return filter_error("FLT-03", text_, at_, "'=' is no operator", "write == to compare");
            case '&': return filter_error("FLT-03", text_, at_, "'&' is no operator", "write 'and' or &&");
            case '|':
                return filter_error("FLT-03", text_, at_, "'|' is no operator",
                                    "write 'or' or ||; put a regular expression into quotes");
            case '\'':
            case '"': return quoted();
            default: return word();
        }
    }

    Result<FilterToken> quoted() {
        const char quote = text_[at_];
        FilterToken token{TokenKind::quoted, {}, at_, 0};
        for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
            if (text_[i] == quote) {
                token.length = i + 1 - at_;
                return token;
            }
            // A backslash protects a quote; before anything else it stays, as regular expressions need it.
            const bool protects = text_[i] == '\\' && i + 1 < text_.size() && text_[i + 1] == quote;
            token.text += protects ? text_[++i] : text_[i];
        }
        return filter_error("FLT-03", text_, at_, "the quote is not closed", std::string("close it with ") + quote);
    }

    Result<FilterToken> word() {
        FilterToken token{TokenKind::word, {}, at_, 0};
        std::size_t end = at_;
        while (end < text_.size() && !ends_word(text_[end])) ++end;
        token.length = end - at_;
        token.text = text_.substr(at_, token.length);
        if (token.text == "and") token.kind = TokenKind::and_;
        if (token.text == "or") token.kind = TokenKind::or_;
        if (token.text == "not") token.kind = TokenKind::not_;
        if (token.text == "in") token.kind = TokenKind::in;
        if (token.text == "has") token.kind = TokenKind::op;
        return token;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<FilterToken>> lex_filter(std::string_view text) { return Lexer(text).run(); }

Unexpected<Error> filter_error(std::string_view code, std::string_view text, std::size_t at, std::string why,
                               std::string hint) {
    // A long filter is shown around the place; the caret stands below what the terminal draws.
    constexpr std::size_t kBefore = 60, kAfter = 40;
    const std::size_t from = at > kBefore ? at - kBefore : 0;
    const std::string before = (from > 0 ? "..." : "") + display(text.substr(from, at - from));
    const std::string_view rest = text.substr(std::min(at, text.size()));
    const std::string after = display(rest.substr(0, kAfter)) + (rest.size() > kAfter ? "..." : "");
    why += "\n  " + before + after + "\n  " + std::string(display_width(before), ' ') + "^";
    return unexpected({.doing = "cannot read the filter",
                       .subject = {},
                       .why = std::move(why),
                       .hint = std::move(hint),
                       .code = std::string(code)});
}

}  // namespace hopscope::chain
