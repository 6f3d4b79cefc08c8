// Binary CloudEvents: attributes from flat headers. For each header a 16-bit name length, the name,
// a 32-bit value length and the value, lengths little-endian; 0xFFFFFFFF stands for a null value.
#include "envelope.hpp"

namespace tollgate {
namespace {

struct header {
    slice name;
    slice value;
    bool is_null;
};

enum class step { header, end, broken };

class header_reader {
public:
    header_reader(const uint8_t *bytes, size_t length) noexcept
        : at(bytes), left(length) {}

    step read(header &out) noexcept {
        if (left == 0) return step::end;
        if (left < 2) return step::broken;
        const size_t name_length = size_t(at[0]) | size_t(at[1]) << 8;
        skip(2);
        if (left < name_length) return step::broken;
        out.name = {at, at + name_length};
        skip(name_length);
        if (left < 4) return step::broken;
        const uint32_t value_length = uint32_t(at[0]) | uint32_t(at[1]) << 8
            | uint32_t(at[2]) << 16 | uint32_t(at[3]) << 24;
        skip(4);
        out.is_null = value_length == UINT32_MAX;
        const size_t count = out.is_null ? 0 : value_length;
        if (left < count) return step::broken;
        out.value = {at, at + count};
        skip(count);
        return step::header;
    }

private:
    const uint8_t *at;
    size_t left;

    void skip(size_t count) noexcept {
        at += count;
        left -= count;
    }
};

uint8_t lowercase(uint8_t byte) noexcept {
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/// `literal` must be lower case.
bool begins_ignoring_case(slice text, const char *literal, size_t length) noexcept {
    if (text.length() < length) return false;
    for (size_t i = 0; i < length; i++) {
        if (lowercase(text.begin[i]) != static_cast<uint8_t>(literal[i])) return false;
    }
    return true;
}

bool is_content_type(slice name) noexcept {
    return name.length() == 12 && begins_ignoring_case(name, "content-type", 12);
}

bool is_event_header(slice name) noexcept {
    return name.length() > 3 && std::memcmp(name.begin, "ce_", 3) == 0;
}

struct named_attribute {
    const char *name;
    size_t length;
    tg_attribute id;
};

constexpr named_attribute attribute_names[] = {
    {"id", 2, TG_ID},
    {"source", 6, TG_SOURCE},
    {"type", 4, TG_TYPE},
    {"subject", 7, TG_SUBJECT},
    {"time", 4, TG_TIME},
    {"specversion", 11, TG_SPECVERSION},
    {"tollgatebackfill", 16, TG_BACKFILL},
};

/// `TG_ATTRIBUTE_COUNT` for a header that is none.
tg_attribute attribute_of(slice name) noexcept {
    if (is_content_type(name)) return TG_DATACONTENTTYPE;
    if (!is_event_header(name)) return TG_ATTRIBUTE_COUNT;
    for (const named_attribute &known : attribute_names) {
        const bool matches = name.length() == known.length + 3
            && std::memcmp(name.begin + 3, known.name, known.length) == 0;
        if (matches) return known.id;
    }
    return TG_ATTRIBUTE_COUNT;
}

bool is_utf8(slice text) noexcept {
    uint8_t all = 0;
    for (const uint8_t *at = text.begin; at != text.end; ++at) all |= *at;
    if (all < 0x80) return true;
    return simdjson::validate_utf8(reinterpret_cast<const char *>(text.begin), text.length());
}

/// Without a content type the payload is JSON, as the JSON format of CloudEvents has it.
bool is_json(const tg_text &content_type) noexcept {
    if (content_type.kind == TG_ABSENT) return true;
    slice media = {content_type.bytes, content_type.bytes + content_type.length};
    for (const uint8_t *at = media.begin; at != media.end; ++at) {
        if (*at == ';') {
            media.end = at;
            break;
        }
    }
    while (media.length() > 0 && is_space(media.end[-1])) --media.end;
    if (media.length() < 5) return false;
    const slice tail = {media.end - 5, media.end};
    return begins_ignoring_case(tail, "/json", 5) || begins_ignoring_case(tail, "+json", 5);
}

tg_outcome read_headers(tg_decoder &decoder, header_reader reader) noexcept {
    tg_outcome breach = {TG_OK, TG_ID};
    uint32_t seen = 0;
    header found;
    for (;;) {
        const step result = reader.read(found);
        if (result == step::broken) return {TG_MALFORMED, TG_ID};
        if (result == step::end) return breach;
        const tg_attribute id = attribute_of(found.name);
        if (id == TG_ATTRIBUTE_COUNT && !is_event_header(found.name)) continue;
        tg_status status = is_utf8(found.value) ? TG_OK : TG_INVALID_UTF8;
        if (status == TG_OK && id != TG_ATTRIBUTE_COUNT) {
            if (seen >> id & 1) status = TG_DUPLICATE_MEMBER;
            seen |= 1u << id;
            if (status == TG_OK) status = set_attribute(decoder, id, found.value);
        }
        if (status != TG_OK && breach.status == TG_OK) breach = {status, id};
    }
}

}  // namespace
}  // namespace tollgate

extern "C" {

tg_outcome tg_decode_binary(
    tg_decoder *decoder, const uint8_t *headers, size_t headers_length, const uint8_t *data,
    size_t length, bool is_null) {
    decoder->begin_event();
    if (length > decoder->limits.bytes_max) return {TG_TOO_LARGE, TG_ID};
    tg_outcome outcome = tollgate::read_headers(*decoder, {headers, headers_length});
    if (outcome.status != TG_OK) return outcome;
    outcome = tollgate::check_required(*decoder);
    if (outcome.status != TG_OK) return outcome;
    const bool has_json =
        !is_null && length > 0 && tollgate::is_json(decoder->attributes[TG_DATACONTENTTYPE]);
    return has_json ? tollgate::read_data(*decoder, data, length) : outcome;
}

bool tg_is_structured(const uint8_t *headers, size_t length) {
    tollgate::header_reader reader(headers, length);
    tollgate::header found;
    bool has_event_header = false;
    for (;;) {
        switch (reader.read(found)) {
        case tollgate::step::broken: return false;
        case tollgate::step::end: return !has_event_header;
        case tollgate::step::header: break;
        }
        if (tollgate::is_content_type(found.name)) {
            const bool announces =
                tollgate::begins_ignoring_case(found.value, "application/cloudevents", 23);
            if (announces) return true;
        }
        has_event_header = has_event_header || tollgate::is_event_header(found.name);
    }
}

}  // extern "C"
