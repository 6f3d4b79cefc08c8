#include "text.hpp"

namespace tollgate {
namespace {

constexpr uint32_t bad = UINT32_MAX;

/// Four hexadecimal digits, or `bad`.
uint32_t code_unit(const uint8_t *at, const uint8_t *end) noexcept {
    if (end - at < 4) return bad;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const uint8_t byte = at[i];
        const uint8_t lower = byte | 0x20;
        uint32_t digit;
        if (is_digit(byte)) {
            digit = byte - '0';
        } else if (lower >= 'a' && lower <= 'f') {
            digit = lower - 'a' + 10u;
        } else {
            return bad;
        }
        value = value << 4 | digit;
    }
    return value;
}

uint8_t *put_utf8(uint32_t scalar, uint8_t *target) noexcept {
    if (scalar < 0x80) {
        *target++ = static_cast<uint8_t>(scalar);
        return target;
    }
    if (scalar < 0x800) {
        *target++ = static_cast<uint8_t>(0xC0 | scalar >> 6);
    } else {
        if (scalar < 0x10000) {
            *target++ = static_cast<uint8_t>(0xE0 | scalar >> 12);
        } else {
            *target++ = static_cast<uint8_t>(0xF0 | scalar >> 18);
            *target++ = static_cast<uint8_t>(0x80 | (scalar >> 12 & 0x3F));
        }
        *target++ = static_cast<uint8_t>(0x80 | (scalar >> 6 & 0x3F));
    }
    *target++ = static_cast<uint8_t>(0x80 | (scalar & 0x3F));
    return target;
}

/// The character that a one-letter escape stands for, or 0.
uint8_t short_escape(uint8_t letter) noexcept {
    switch (letter) {
    case '"': case '\\': case '/': return letter;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

/// The scalar of a `\u` escape whose digits begin at `at`, which moves behind it; or `bad`.
uint32_t unicode_escape(const uint8_t *&at, const uint8_t *end) noexcept {
    const uint32_t first = code_unit(at, end);
    if (first == bad) return bad;
    at += 4;
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || end - at < 6 || at[0] != '\\' || at[1] != 'u') return bad;
    const uint32_t second = code_unit(at + 2, end);
    if (second == bad || second < 0xDC00 || second > 0xDFFF) return bad;
    at += 6;
    return 0x10000 + ((first - 0xD800) << 10 | (second - 0xDC00));
}

}  // namespace

uint8_t *unescape(slice source, uint8_t *target) noexcept {
    const uint8_t *at = source.begin;
    const uint8_t *end = source.end;
    while (at != end) {
        if (*at != '\\') {
            *target++ = *at++;
            continue;
        }
        if (++at == end) return nullptr;
        const uint8_t letter = *at++;
        if (letter == 'u') {
            const uint32_t scalar = unicode_escape(at, end);
            if (scalar == bad) return nullptr;
            target = put_utf8(scalar, target);
        } else {
            const uint8_t byte = short_escape(letter);
            if (byte == 0) return nullptr;
            *target++ = byte;
        }
    }
    return target;
}

}  // namespace tollgate
