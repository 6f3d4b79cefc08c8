// The grammar of JSON over the structural index: every token of a document is checked, those that
// nobody asked for too, so that a text which is not JSON is never taken for an event.
#pragma once

#include "decoder.hpp"
#include "text.hpp"

namespace tollgate {

/// Walks one document from its first token to its last.
///
/// No byte past the text is read, without a bounds check per token: `open` makes sure that the last
/// token of a container is a closing bracket, so a token that is not one has a successor. Only after
/// a whole value can the tokens run out; `is_at_end` is asked there.
class walker {
public:
    explicit walker(tg_decoder &decoder) noexcept : decoder(decoder) {}

    tg_status failure = TG_OK;
    /// The first breach of a rule that is not grammar. The walk goes on: a text that is not JSON at
    /// all is reported as such, wherever else it errs.
    tg_outcome breach = {TG_OK, TG_ID};

    bool open(const uint8_t *bytes, size_t length) noexcept {
        if (length > decoder.limits.bytes_max) return fail(TG_TOO_LARGE);
        text = bytes;
        const tg_status status = decoder.index.build(text, length);
        if (simdjson_unlikely(status != TG_OK)) return fail(status);
        next = decoder.index.begin();
        last = decoder.index.end();
        if (is_container(text[*next]) && (text[last[-1]] | 0x20) != '}') return fail(TG_MALFORMED);
        const void *backslash = std::memchr(text, '\\', length);
        first_escape = backslash ? static_cast<const uint8_t *>(backslash) : text + length;
        if (backslash) {
            if (!decoder.unescaped.reserve(length)) return fail(TG_NO_MEMORY);
            scratch = decoder.unescaped.bytes;
        }
        return true;
    }

    bool is_at_end() const noexcept { return next == last; }
    uint8_t peek() const noexcept { return text[*next]; }
    void advance() noexcept { ++next; }

    bool fail(tg_status status) noexcept {
        failure = status;
        return false;
    }

    void note(tg_status status, tg_attribute attribute = TG_ID) noexcept {
        if (breach.status == TG_OK) breach = {status, attribute};
    }

    /// The string token under the cursor, without its quotes and escapes.
    bool string(slice &out) noexcept {
        // Between a string's closing quote and the next token there is only white space.
        const uint8_t *begin = text + next[0] + 1;
        const uint8_t *end = text + next[1] - 1;
        while (*end != '"') --end;
        if (simdjson_unlikely(end < begin)) return fail(TG_MALFORMED);
        ++next;
        out = {begin, end};
        if (simdjson_unlikely(end > first_escape)) return resolve_escapes(out);
        return true;
    }

    /// A whole value, handed to the slots of `member` and of the members below it.
    bool value(plan_member *member, uint32_t depth) noexcept {
        slice found;
        switch (peek()) {
        case '"':
            if (!string(found)) return false;
            store(member, TG_STRING, found);
            return true;
        case '{':
            store(member, TG_COMPOSITE, {nullptr, nullptr});
            return object(member, depth + 1);
        case '[':
            store(member, TG_COMPOSITE, {nullptr, nullptr});
            return array(depth + 1);
        default:
            return scalar(member);
        }
    }

    /// `on_member(name)` reads the value and returns false to stop.
    template <class OnMember>
    bool members(uint32_t depth, OnMember on_member) noexcept {
        if (simdjson_unlikely(depth > decoder.limits.depth_max)) return fail(TG_TOO_DEEP);
        advance();
        if (peek() == '}') {
            advance();
            return true;
        }
        for (;;) {
            slice name;
            if (peek() != '"') return fail(TG_MALFORMED);
            if (!string(name)) return false;
            if (peek() != ':') return fail(TG_MALFORMED);
            advance();
            if (!on_member(name)) return false;
            if (is_at_end()) return fail(TG_MALFORMED);
            const uint8_t separator = peek();
            advance();
            if (separator == ',') continue;
            return separator == '}' || fail(TG_MALFORMED);
        }
    }

private:
    tg_decoder &decoder;
    const uint8_t *text = nullptr;
    const uint32_t *next = nullptr;
    const uint32_t *last = nullptr;
    const uint8_t *first_escape = nullptr;
    uint8_t *scratch = nullptr;

    static bool is_container(uint8_t byte) noexcept { return byte == '{' || byte == '['; }

    simdjson_never_inline bool resolve_escapes(slice &out) noexcept {
        if (!std::memchr(out.begin, '\\', out.length())) return true;
        uint8_t *end = unescape(out, scratch);
        if (!end) return fail(TG_MALFORMED);
        out = {scratch, end};
        scratch = end;
        return true;
    }

    bool object(plan_member *member, uint32_t depth) noexcept {
        return members(depth, [&](slice name) noexcept {
            return value(member ? child(*member, name) : nullptr, depth);
        });
    }

    bool array(uint32_t depth) noexcept {
        if (simdjson_unlikely(depth > decoder.limits.depth_max)) return fail(TG_TOO_DEEP);
        advance();
        if (peek() == ']') {
            advance();
            return true;
        }
        for (;;) {
            if (!value(nullptr, depth)) return false;
            if (is_at_end()) return fail(TG_MALFORMED);
            const uint8_t separator = peek();
            advance();
            if (separator == ',') continue;
            return separator == ']' || fail(TG_MALFORMED);
        }
    }

    bool scalar(plan_member *member) noexcept {
        const uint8_t *begin = text + next[0];
        const uint8_t *end = text + next[1];
        while (is_space(end[-1])) --end;
        const slice token = {begin, end};
        tg_kind kind = TG_NUMBER;
        if (!is_number(token)) {
            if (is_word(token, "true", 4) || is_word(token, "false", 5)) {
                kind = TG_BOOLEAN;
            } else if (is_word(token, "null", 4)) {
                kind = TG_NULL;
            } else {
                return fail(TG_MALFORMED);
            }
        }
        advance();
        store(member, kind, kind == TG_NULL ? slice{nullptr, nullptr} : token);
        return true;
    }

    static bool is_word(slice token, const char *word, size_t length) noexcept {
        return token.length() == length && std::memcmp(token.begin, word, length) == 0;
    }

    plan_member *child(const plan_member &parent, slice name) noexcept {
        const size_t length = name.length();
        if (!(parent.child_lengths >> (length & 63) & 1)) return nullptr;
        plan_member *members = decoder.members.get();
        for (uint32_t at = parent.first_child; at != none; at = members[at].next_sibling) {
            plan_member &member = members[at];
            if (member.length != length) continue;
            if (length > 0 && std::memcmp(member.name, name.begin, length) != 0) continue;
            if (member.seen_in == decoder.event_number) note(TG_DUPLICATE_MEMBER);
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
