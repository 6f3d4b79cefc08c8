// Strings with escapes, and numbers: what the structural index leaves unchecked inside a token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tollgate {

struct slice {
    const uint8_t *begin;
    const uint8_t *end;
    size_t length() const noexcept { return static_cast<size_t>(end - begin); }
};

/// Writes the text between the quotes with its escapes resolved; never longer than the source.
/// - Returns: the end of what was written, or null for an unknown escape or half a surrogate pair.
uint8_t *unescape(slice source, uint8_t *target) noexcept;

inline bool is_digit(uint8_t byte) noexcept { return static_cast<uint8_t>(byte - '0') < 10; }

inline bool is_space(uint8_t byte) noexcept {
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

inline bool is_text(slice text, const char *literal, size_t length) noexcept {
    return text.length() == length && std::memcmp(text.begin, literal, length) == 0;
}

template <class Word>
inline bool same_word(const uint8_t *a, const uint8_t *b) noexcept {
    Word left, right;
    std::memcpy(&left, a, sizeof left);
    std::memcpy(&right, b, sizeof right);
    return left == right;
}

/// `memcmp` for names, which are short: its call would take longer than the comparison.
inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t length) noexcept {
    if (length >= 8) {
        size_t at = 0;
        for (; at + 8 <= length; at += 8) {
            if (!same_word<uint64_t>(a + at, b + at)) return false;
        }
        return same_word<uint64_t>(a + length - 8, b + length - 8);
    }
    if (length >= 4) {
        return same_word<uint32_t>(a, b) && same_word<uint32_t>(a + length - 4, b + length - 4);
    }
    for (size_t at = 0; at < length; at++) {
        if (a[at] != b[at]) return false;
    }
    return true;
}

/// The number grammar of RFC 8259, over the whole token.
inline bool is_number(slice token) noexcept {
    const uint8_t *at = token.begin;
    const uint8_t *end = token.end;
    if (at != end && *at == '-') ++at;
    if (at == end || !is_digit(*at)) return false;
    if (*at == '0') {
        ++at;
    } else {
        while (at != end && is_digit(*at)) ++at;
    }
    if (at != end && *at == '.') {
        if (++at == end || !is_digit(*at)) return false;
        while (at != end && is_digit(*at)) ++at;
    }
    if (at != end && (*at | 0x20) == 'e') {
        ++at;
        if (at != end && (*at == '+' || *at == '-')) ++at;
        if (at == end || !is_digit(*at)) return false;
        while (at != end && is_digit(*at)) ++at;
    }
    return at == end;
}

}  // namespace tollgate
