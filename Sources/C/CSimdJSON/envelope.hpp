#pragma once

#include "decoder.hpp"
#include "text.hpp"

namespace tollgate {

/// Keeps a string attribute; an empty one counts as absent. The backfill mark must be `true` or
/// `false`, or it is `TG_WRONG_TYPE`.
inline tg_status set_attribute(tg_decoder &decoder, tg_attribute id, slice found) noexcept {
    if (found.length() == 0) return TG_OK;
    if (simdjson_unlikely(id == TG_BACKFILL)) {
        if (is_text(found, "false", 5)) return TG_OK;
        if (!is_text(found, "true", 4)) return TG_WRONG_TYPE;
    }
    decoder.attributes[id] = {found.begin, static_cast<uint32_t>(found.length()), TG_STRING};
    return TG_OK;
}

/// The attributes without which there is no CloudEvent.
tg_outcome check_required(const tg_decoder &decoder) noexcept;

/// Reads one JSON document as the event's `data`.
tg_outcome read_data(tg_decoder &decoder, const uint8_t *bytes, size_t length) noexcept;

}  // namespace tollgate
