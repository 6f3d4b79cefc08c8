// Cutting a JSON array into the texts of its elements.
#include "decoder.hpp"
#include "text.hpp"

namespace tollgate {
namespace {

/// How deep brackets may nest in a batch. An element deeper than a decoder's own limit is still cut
/// out, and then refused alone.
constexpr uint32_t nesting_max = 1024;
/// An index for a batch longer than this is given back afterwards.
constexpr size_t kept_capacity = 1024 * 1024;

/// Moves `at` behind one value. Brackets must match; what stands between them is for the decode of
/// the element to judge.
tg_status skip_value(const uint8_t *text, const uint32_t *&at, const uint32_t *last) noexcept {
    uint64_t is_array[nesting_max / 64] = {};
    uint32_t depth = 0;
    do {
        if (at == last) return TG_MALFORMED_BATCH;
        const uint8_t byte = text[*at++];
        if (byte == '{' || byte == '[') {
            if (depth == nesting_max) return TG_TOO_DEEP;
            const uint64_t bit = uint64_t(1) << (depth & 63);
            if (byte == '[') {
                is_array[depth / 64] |= bit;
            } else {
                is_array[depth / 64] &= ~bit;
            }
            depth += 1;
        } else if (byte == '}' || byte == ']') {
            if (depth == 0) return TG_MALFORMED_BATCH;
            depth -= 1;
            const bool closes_array = is_array[depth / 64] >> (depth & 63) & 1;
            if (closes_array != (byte == ']')) return TG_MALFORMED_BATCH;
        } else if (depth == 0 && (byte == ',' || byte == ':')) {
            return TG_MALFORMED_BATCH;
        }
    } while (depth > 0);
    return TG_OK;
}

tg_status count_elements(
    const uint8_t *text, const uint32_t *at, const uint32_t *last, size_t events_max,
    size_t &count) noexcept {
    count = 0;
    if (last - at < 2 || text[*at] != '[' || text[last[-1]] != ']') return TG_MALFORMED_BATCH;
    ++at;
    --last;
    if (at == last) return TG_OK;
    for (;;) {
        const tg_status status = skip_value(text, at, last);
        if (status != TG_OK) return status;
        if (count == events_max) return TG_TOO_MANY_EVENTS;
        count += 1;
        if (at == last) return TG_OK;
        if (text[*at++] != ',') return TG_MALFORMED_BATCH;
    }
}

}  // namespace
}  // namespace tollgate

extern "C" {

tg_outcome tg_batch_begin(
    tg_decoder *decoder, const uint8_t *bytes, size_t length, size_t events_max, size_t *count) {
    auto &batch = decoder->batch;
    *count = 0;
    batch.next = batch.last = nullptr;
    if (length > decoder->limits.batch_bytes_max) return {TG_TOO_LARGE, TG_ID};
    batch.text = bytes;
    tg_status status = batch.index.build(batch.text, length);
    // Broken UTF-8 does not hide where elements end; the one that holds it fails by itself.
    const bool has_index = status == TG_OK
        || (status == TG_INVALID_UTF8 && batch.index.begin() != batch.index.end());
    if (!has_index) return {status == TG_MALFORMED ? TG_MALFORMED_BATCH : status, TG_ID};
    batch.next = batch.index.begin();
    batch.last = batch.index.end();
    status = tollgate::count_elements(batch.text, batch.next, batch.last, events_max, *count);
    if (status != TG_OK) {
        tg_batch_end(decoder);
        return {status, TG_ID};
    }
    ++batch.next;
    --batch.last;
    return {TG_OK, TG_ID};
}

bool tg_batch_next(tg_decoder *decoder, tg_text *element) {
    auto &batch = decoder->batch;
    if (batch.next == batch.last) return false;
    const uint8_t *begin = batch.text + *batch.next;
    if (tollgate::skip_value(batch.text, batch.next, batch.last) != TG_OK) return false;
    const uint8_t *end = batch.text + *batch.next;
    while (tollgate::is_space(end[-1])) --end;
    if (batch.next != batch.last) ++batch.next;
    *element = {begin, static_cast<uint32_t>(end - begin), TG_COMPOSITE};
    return true;
}

void tg_batch_end(tg_decoder *decoder) {
    auto &batch = decoder->batch;
    batch.text = nullptr;
    batch.next = batch.last = nullptr;
    if (batch.index.stage && batch.index.stage->capacity() > tollgate::kept_capacity) {
        batch.index.stage.reset();
    }
}

}  // extern "C"
