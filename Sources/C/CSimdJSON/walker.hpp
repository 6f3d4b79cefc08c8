// The grammar of JSON over the structural index: every token of a document is checked, those that
// nobody asked for too, so that a text which is not JSON is never taken for an event.
#pragma once

#include "decoder.hpp"
#include "text.hpp"

namespace tollgate {

/// A place in the structural index; `*cursor` is a position in the text. Null means failure.
using cursor = const uint32_t *;

/// Walks one document from its first token to its last.
///
/// Every step takes the cursor of its first token and returns the one behind its last, so that the
/// compiler keeps it in a register from token to token; as a field it would double the walk's time.
///
/// No byte past the text is read, without a bounds check per token: `open` makes sure that the
/// last token of a container is a closing bracket, so a token that is not one has a successor. Only
/// after a whole value can the tokens run out; `is_at_end` is asked there.
class walker {
public:
    explicit walker(tg_decoder &decoder) noexcept : decoder(decoder) {}

    /// Why a step returned null.
    tg_status failure = TG_MALFORMED;
    /// The first breach of a rule that is not grammar. The walk goes on: a text that is not JSON at
    /// all is reported as such, wherever else it errs.
    tg_outcome breach = {TG_OK, TG_ID};

    cursor open(const uint8_t *bytes, size_t length) noexcept {
        if (length > decoder.limits.bytes_max) return fail(TG_TOO_LARGE);
        text = bytes;
        const tg_status status = decoder.index.build(text, length);
        if (simdjson_unlikely(status != TG_OK)) return fail(status);
        last = decoder.index.end();
        const cursor first = decoder.index.begin();
        if (is_container(byte(first)) && (text[last[-1]] | 0x20) != '}') return nullptr;
        const void *backslash = std::memchr(text, '\\', length);
        first_escape = text + length;
        if (simdjson_unlikely(backslash != nullptr)) {
            first_escape = static_cast<const uint8_t *>(backslash);
            if (!decoder.unescaped.reserve(length)) return fail(TG_NO_MEMORY);
            scratch = decoder.unescaped.bytes;
        }
        return first;
    }

    bool is_at_end(cursor at) const noexcept { return at == last; }
    uint8_t byte(cursor at) const noexcept { return text[*at]; }

    cursor fail(tg_status status) noexcept {
        failure = status;
        return nullptr;
    }

    void note(tg_status status, tg_attribute attribute = TG_ID) noexcept {
        if (breach.status == TG_OK) breach = {status, attribute};
    }

    /// A string token, which `out` becomes without its quotes and escapes.
    simdjson_inline cursor string(cursor at, slice &out) noexcept {
        // Between a string's closing quote and the next token there is only white space.
        const uint8_t *begin = text + at[0] + 1;
        const uint8_t *end = text + at[1] - 1;
        while (simdjson_unlikely(*end != '"')) --end;
        if (simdjson_unlikely(end < begin)) return nullptr;
        out = {begin, end};
        if (simdjson_unlikely(end > first_escape) && !resolve_escapes(out)) return nullptr;
        return at + 1;
    }

    /// A whole value, handed to the slots of `member` and of the members below it.
    simdjson_inline cursor value(cursor at, plan_member *member, uint32_t depth) noexcept {
        switch (byte(at)) {
        case '"': {
            slice found;
            at = string(at, found);
            if (simdjson_unlikely(!at)) return nullptr;
            store(member, TG_STRING, found);
            return at;
        }
        case '{':
            store(member, TG_COMPOSITE, {nullptr, nullptr});
            return object(at, member, depth + 1);
        case '[':
            store(member, TG_COMPOSITE, {nullptr, nullptr});
            return array(at, depth + 1);
        default:
            return scalar(at, member);
        }
    }

    /// The members of an object; `on_member(at, name)` reads the value that begins at `at`.
    template <class OnMember>
    simdjson_inline cursor members(cursor at, uint32_t depth, OnMember on_member) noexcept {
        if (simdjson_unlikely(depth > decoder.limits.depth_max)) return fail(TG_TOO_DEEP);
        ++at;
        if (byte(at) == '}') return at + 1;
        for (;;) {
            slice name;
            if (simdjson_unlikely(byte(at) != '"')) return nullptr;
            at = string(at, name);
            if (simdjson_unlikely(!at) || simdjson_unlikely(byte(at) != ':')) return nullptr;
            at = on_member(at + 1, name);
            if (simdjson_unlikely(!at) || simdjson_unlikely(is_at_end(at))) return nullptr;
            const uint8_t separator = byte(at);
            ++at;
            if (separator == ',') continue;
            return separator == '}' ? at : nullptr;
        }
    }

private:
    tg_decoder &decoder;
    const uint8_t *text = nullptr;
    cursor last = nullptr;
    const uint8_t *first_escape = nullptr;
    uint8_t *scratch = nullptr;

    static bool is_container(uint8_t byte) noexcept { return byte == '{' || byte == '['; }

    simdjson_never_inline bool resolve_escapes(slice &out) noexcept {
        if (!std::memchr(out.begin, '\\', out.length())) return true;
        uint8_t *end = unescape(out, scratch);
        if (!end) return false;
        out = {scratch, end};
        scratch = end;
        return true;
    }

    simdjson_never_inline cursor object(
        cursor at, plan_member *member, uint32_t depth) noexcept {
        return members(at, depth, [&](cursor at, slice name) noexcept {
            return value(at, member ? child(*member, name) : nullptr, depth);
        });
    }

    simdjson_never_inline cursor array(cursor at, uint32_t depth) noexcept {
        if (simdjson_unlikely(depth > decoder.limits.depth_max)) return fail(TG_TOO_DEEP);
        ++at;
        if (byte(at) == ']') return at + 1;
        for (;;) {
            at = value(at, nullptr, depth);
            if (simdjson_unlikely(!at) || simdjson_unlikely(is_at_end(at))) return nullptr;
            const uint8_t separator = byte(at);
            ++at;
            if (separator == ',') continue;
            return separator == ']' ? at : nullptr;
        }
    }

    simdjson_inline cursor scalar(cursor at, plan_member *member) noexcept {
        const uint8_t *begin = text + at[0];
        const uint8_t *end = text + at[1];
        while (simdjson_unlikely(is_space(end[-1]))) --end;
        const slice token = {begin, end};
        if (simdjson_likely(is_number(token))) {
            store(member, TG_NUMBER, token);
        } else if (is_text(token, "true", 4) || is_text(token, "false", 5)) {
            store(member, TG_BOOLEAN, token);
        } else if (is_text(token, "null", 4)) {
            store(member, TG_NULL, {nullptr, nullptr});
        } else {
            return nullptr;
        }
        return at + 1;
    }

    plan_member *child(const plan_member &parent, slice name) noexcept {
        const size_t length = name.length();
        if (!(parent.child_lengths >> (length & 63) & 1)) return nullptr;
        plan_member *members = decoder.members.get();
        for (uint32_t at = parent.first_child; at != none; at = members[at].next_sibling) {
            plan_member &member = members[at];
            if (member.length != length || !same_bytes(member.name, name.begin, length)) continue;
            if (simdjson_unlikely(member.seen_in == decoder.event_number)) {
                note(TG_DUPLICATE_MEMBER);
            }
            member.seen_in = decoder.event_number;
            return &member;
        }
        return nullptr;
    }

    void store(const plan_member *member, tg_kind kind, slice found) noexcept {
        if (!member) return;
        for (uint32_t slot = member->slot; slot != none; slot = decoder.next_slot[slot]) {
            decoder.slots[slot] = {found.begin, static_cast<uint32_t>(found.length()), kind};
        }
    }
};

}  // namespace tollgate
