// The structural index: simdjson's first stage, the same call that On-Demand starts with.
#pragma once

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "tollgate_simdjson.h"

namespace tollgate {

/// Bytes that only grow; kept from event to event.
struct growing_buffer {
    uint8_t *bytes = nullptr;
    size_t capacity = 0;

    ~growing_buffer() { std::free(bytes); }

    /// Contents are lost when it grows.
    bool reserve(size_t wanted) noexcept {
        if (wanted <= capacity) return true;
        size_t size = capacity < 4096 ? 4096 : capacity;
        while (size < wanted) size *= 2;
        std::free(bytes);
        bytes = static_cast<uint8_t *>(std::malloc(size));
        capacity = bytes ? size : 0;
        return bytes != nullptr;
    }
};

/// Positions of every bracket, colon, comma and first byte of a scalar outside strings, found with
/// the widest instructions of this machine. The same pass checks UTF-8, that strings are closed and
/// that they hold no raw control characters. It says nothing about grammar: see `walker`.
///
/// The block-wise kernels copy the last, partial block to their own stack, so they read exactly the
/// bytes they were given; the scalar kernel may look up to three bytes past a broken UTF-8 sequence
/// and therefore works on a padded copy.
struct structural_index {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
    growing_buffer padded;
    bool needs_padding = false;

    bool create(size_t capacity) noexcept {
        const simdjson::implementation *kernel = &*simdjson::get_active_implementation();
        needs_padding = kernel->name() == "fallback";
        return kernel->create_dom_parser_implementation(capacity, 1, stage) == simdjson::SUCCESS;
    }

    bool reserve(size_t length) noexcept {
        if (simdjson_likely(stage && length <= stage->capacity())) return true;
        size_t capacity = stage ? stage->capacity() : 16 * 1024;
        while (capacity < length) capacity *= 2;
        if (!stage) return create(capacity);
        return stage->set_capacity(capacity) == simdjson::SUCCESS;
    }

    /// `text` comes back as the bytes that positions count from.
    tg_status build(const uint8_t *&text, size_t length) noexcept {
        if (length == 0) return TG_MALFORMED;
        if (simdjson_unlikely(!reserve(length))) return TG_NO_MEMORY;
        if (simdjson_unlikely(needs_padding)) {
            if (!padded.reserve(length + simdjson::SIMDJSON_PADDING)) return TG_NO_MEMORY;
            std::memcpy(padded.bytes, text, length);
            std::memset(padded.bytes + length, ' ', simdjson::SIMDJSON_PADDING);
            text = padded.bytes;
        }
        stage->n_structural_indexes = 0;
        switch (stage->stage1(text, length, simdjson::stage1_mode::regular)) {
        case simdjson::SUCCESS: return TG_OK;
        case simdjson::UTF8_ERROR: return TG_INVALID_UTF8;
        case simdjson::CAPACITY: return TG_TOO_LARGE;
        case simdjson::MEMALLOC: return TG_NO_MEMORY;
        default: return TG_MALFORMED;
        }
    }

    const uint32_t *begin() const noexcept { return stage->structural_indexes.get(); }
    /// Points at a sentinel that holds the length of the text.
    const uint32_t *end() const noexcept { return begin() + stage->n_structural_indexes; }
};

}  // namespace tollgate
