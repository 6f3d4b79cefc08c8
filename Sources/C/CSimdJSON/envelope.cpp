// CloudEvents, structured (one JSON document) and binary (attributes in headers).
#include "envelope.hpp"

#include "walker.hpp"

namespace tollgate {
namespace {

enum member_id : uint32_t {
    data_member = TG_ATTRIBUTE_COUNT,
    data_base64_member,
    other_member,
};

bool is(slice name, const char *literal, size_t length) noexcept {
    return std::memcmp(name.begin, literal, length) == 0;
}

/// A `tg_attribute` or a `member_id`.
inline uint32_t member_named(slice name) noexcept {
    switch (name.length()) {
    case 2: return is(name, "id", 2) ? uint32_t(TG_ID) : other_member;
    case 4:
        if (is(name, "type", 4)) return TG_TYPE;
        if (is(name, "time", 4)) return TG_TIME;
        return is(name, "data", 4) ? data_member : other_member;
    case 6: return is(name, "source", 6) ? uint32_t(TG_SOURCE) : other_member;
    case 7: return is(name, "subject", 7) ? uint32_t(TG_SUBJECT) : other_member;
    case 11:
        if (is(name, "specversion", 11)) return TG_SPECVERSION;
        return is(name, "data_base64", 11) ? data_base64_member : other_member;
    case 15: return is(name, "datacontenttype", 15) ? uint32_t(TG_DATACONTENTTYPE) : other_member;
    case 16: return is(name, "tollgatebackfill", 16) ? uint32_t(TG_BACKFILL) : other_member;
    default: return other_member;
    }
}

/// Reads the envelope of one structured event.
class envelope {
public:
    envelope(tg_decoder &decoder) noexcept : decoder(decoder), walk(decoder) {}

    tg_outcome read(const uint8_t *bytes, size_t length) noexcept {
        if (!walk.open(bytes, length)) return {walk.failure, TG_ID};
        if (walk.peek() != '{') return {TG_MALFORMED, TG_ID};
        const bool is_whole = walk.members(1, [&](slice name) noexcept { return member(name); });
        if (!is_whole) return {walk.failure, TG_ID};
        if (!walk.is_at_end()) return {TG_MALFORMED, TG_ID};
        if (has_data && has_base64) walk.note(TG_CONFLICTING_DATA);
        if (simdjson_unlikely(walk.breach.status != TG_OK)) return walk.breach;
        return check_required(decoder);
    }

private:
    tg_decoder &decoder;
    walker walk;
    uint32_t seen = 0;
    bool has_data = false;
    bool has_base64 = false;

    bool member(slice name) noexcept {
        const uint32_t id = member_named(name);
        if (id == other_member) return walk.value(nullptr, 1);
        if (simdjson_unlikely(seen >> id & 1)) walk.note(TG_DUPLICATE_MEMBER);
        seen |= 1u << id;
        if (id == data_member) {
            has_data = walk.peek() != 'n';
            return walk.value(&decoder.members[0], 1);
        }
        if (id == data_base64_member) {
            has_base64 = walk.peek() != 'n';
            return walk.value(nullptr, 1);
        }
        return attribute(static_cast<tg_attribute>(id));
    }

    bool attribute(tg_attribute id) noexcept {
        const uint8_t first = walk.peek();
        if (simdjson_likely(first == '"')) {
            slice found;
            if (!walk.string(found)) return false;
            const tg_status status = set_attribute(decoder, id, found);
            if (simdjson_unlikely(status != TG_OK)) walk.note(status, id);
            return true;
        }
        if (first == 't' && id == TG_BACKFILL) {
            static const uint8_t yes[] = {'t', 'r', 'u', 'e'};
            decoder.attributes[id] = {yes, 4, TG_BOOLEAN};
        } else if (first != 'n' && !(first == 'f' && id == TG_BACKFILL)) {
            walk.note(TG_WRONG_TYPE, id);
        }
        return walk.value(nullptr, 1);
    }
};

}  // namespace

tg_status set_attribute(tg_decoder &decoder, tg_attribute id, slice found) noexcept {
    if (found.length() == 0) return TG_OK;
    if (simdjson_unlikely(id == TG_BACKFILL)) {
        if (found.length() == 5 && is(found, "false", 5)) return TG_OK;
        if (found.length() != 4 || !is(found, "true", 4)) return TG_WRONG_TYPE;
    }
    decoder.attributes[id] = {found.begin, static_cast<uint32_t>(found.length()), TG_STRING};
    return TG_OK;
}

tg_outcome check_required(const tg_decoder &decoder) noexcept {
    const tg_text &version = decoder.attributes[TG_SPECVERSION];
    if (version.kind == TG_ABSENT) return {TG_MISSING, TG_SPECVERSION};
    if (version.length != 3 || std::memcmp(version.bytes, "1.0", 3) != 0) {
        return {TG_UNSUPPORTED_VERSION, TG_SPECVERSION};
    }
    for (tg_attribute id : {TG_ID, TG_SOURCE, TG_TYPE}) {
        if (decoder.attributes[id].kind == TG_ABSENT) return {TG_MISSING, id};
    }
    return {TG_OK, TG_ID};
}

tg_outcome read_data(tg_decoder &decoder, const uint8_t *bytes, size_t length) noexcept {
    walker walk(decoder);
    const bool is_whole = walk.open(bytes, length) && walk.value(&decoder.members[0], 0);
    if (!is_whole) return {walk.failure, TG_ID};
    if (!walk.is_at_end()) return {TG_MALFORMED, TG_ID};
    return walk.breach;
}

}  // namespace tollgate

extern "C" {

tg_outcome tg_decode_structured(tg_decoder *decoder, const uint8_t *bytes, size_t length) {
    decoder->begin_event();
    return tollgate::envelope(*decoder).read(bytes, length);
}

tg_outcome tg_validate(tg_decoder *decoder, const uint8_t *bytes, size_t length) {
    tollgate::walker walk(*decoder);
    const bool is_whole = walk.open(bytes, length) && walk.value(nullptr, 0);
    if (!is_whole) return {walk.failure, TG_ID};
    return {walk.is_at_end() ? TG_OK : TG_MALFORMED, TG_ID};
}

}  // extern "C"
