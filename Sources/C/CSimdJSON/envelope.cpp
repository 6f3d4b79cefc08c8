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

/// A `tg_attribute` or a `member_id`.
inline uint32_t member_named(slice name) noexcept {
    switch (name.length()) {
    case 2: return is_text(name, "id", 2) ? uint32_t(TG_ID) : other_member;
    case 4:
        if (is_text(name, "type", 4)) return TG_TYPE;
        if (is_text(name, "time", 4)) return TG_TIME;
        return is_text(name, "data", 4) ? data_member : other_member;
    case 6: return is_text(name, "source", 6) ? uint32_t(TG_SOURCE) : other_member;
    case 7: return is_text(name, "subject", 7) ? uint32_t(TG_SUBJECT) : other_member;
    case 11:
        if (is_text(name, "specversion", 11)) return TG_SPECVERSION;
        return is_text(name, "data_base64", 11) ? data_base64_member : other_member;
    case 15:
        return is_text(name, "datacontenttype", 15) ? uint32_t(TG_DATACONTENTTYPE) : other_member;
    case 16:
        return is_text(name, "tollgatebackfill", 16) ? uint32_t(TG_BACKFILL) : other_member;
    default: return other_member;
    }
}

/// Reads the envelope of one structured event.
class envelope {
public:
    envelope(tg_decoder &decoder) noexcept : decoder(decoder), walk(decoder) {}

    tg_outcome read(const uint8_t *bytes, size_t length) noexcept {
        cursor at = walk.open(bytes, length);
        if (simdjson_unlikely(!at)) return {walk.failure, TG_ID};
        if (walk.byte(at) != '{') return {TG_MALFORMED, TG_ID};
        at = walk.members(at, 1, [&](cursor at, slice name) noexcept { return member(at, name); });
        if (simdjson_unlikely(!at)) return {walk.failure, TG_ID};
        if (!walk.is_at_end(at)) return {TG_MALFORMED, TG_ID};
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

    simdjson_inline cursor member(cursor at, slice name) noexcept {
        const uint32_t id = member_named(name);
        plan_member *plan = nullptr;
        if (id != other_member) {
            if (simdjson_unlikely(seen >> id & 1)) walk.note(TG_DUPLICATE_MEMBER);
            seen |= 1u << id;
            if (id < TG_ATTRIBUTE_COUNT) return attribute(at, static_cast<tg_attribute>(id));
            const bool is_there = walk.byte(at) != 'n';
            if (id == data_member) {
                has_data = is_there;
                plan = &decoder.members[0];
            } else {
                has_base64 = is_there;
            }
        }
        return walk.value(at, plan, 1);
    }

    simdjson_inline cursor attribute(cursor at, tg_attribute id) noexcept {
        if (simdjson_unlikely(walk.byte(at) != '"')) return unusual_attribute(at, id);
        slice found;
        at = walk.string(at, found);
        if (simdjson_unlikely(!at)) return nullptr;
        const tg_status status = set_attribute(decoder, id, found);
        if (simdjson_unlikely(status != TG_OK)) walk.note(status, id);
        return at;
    }

    /// Null counts as absent; anything else but a string is wrong, save for the backfill mark.
    simdjson_never_inline cursor unusual_attribute(cursor at, tg_attribute id) noexcept {
        const uint8_t first = walk.byte(at);
        if (first == 't' && id == TG_BACKFILL) {
            static const uint8_t yes[] = {'t', 'r', 'u', 'e'};
            decoder.attributes[id] = {yes, 4, TG_BOOLEAN};
        } else if (first != 'n' && !(first == 'f' && id == TG_BACKFILL)) {
            walk.note(TG_WRONG_TYPE, id);
        }
        return walk.value(at, nullptr, 1);
    }
};

}  // namespace

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
    cursor at = walk.open(bytes, length);
    if (at) at = walk.value(at, &decoder.members[0], 0);
    if (!at) return {walk.failure, TG_ID};
    if (!walk.is_at_end(at)) return {TG_MALFORMED, TG_ID};
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
    tollgate::cursor at = walk.open(bytes, length);
    if (at) at = walk.value(at, nullptr, 0);
    if (!at) return {walk.failure, TG_ID};
    return {walk.is_at_end(at) ? TG_OK : TG_MALFORMED, TG_ID};
}

}  // extern "C"
