// What a decoder keeps between events.
#pragma once

#include "index.hpp"

namespace tollgate {

constexpr uint32_t none = UINT32_MAX;

/// One member name on the way to a slot. Members below one parent form a list.
struct plan_member {
    const uint8_t *name;
    uint32_t length;
    uint32_t slot;
    uint32_t first_child;
    uint32_t next_sibling;
    /// Bit `n` is set when some child's name has a length of `n` modulo 64: most members that
    /// nobody asked for fail here, before any name is compared.
    uint64_t child_lengths;
    /// Number of the event that last had this member; finds duplicates without clearing anything.
    uint64_t seen_in;
};

}  // namespace tollgate

struct tg_decoder {
    tg_text attributes[TG_ATTRIBUTE_COUNT];
    tg_text slots[TG_SLOTS_MAX];
    /// The next slot that reads the same member, or `none`.
    uint32_t next_slot[TG_SLOTS_MAX];
    tg_limits limits;
    uint64_t event_number = 0;

    tollgate::structural_index index;
    /// Where strings with escapes are written out. As long as the document, which is always enough.
    tollgate::growing_buffer unescaped;

    std::unique_ptr<tollgate::plan_member[]> members;
    uint32_t member_count = 0;
    std::unique_ptr<uint8_t[]> names;
    size_t name_bytes = 0;

    struct {
        /// Apart from `index`, so that elements can be decoded while the batch is open.
        tollgate::structural_index index;
        const uint8_t *text = nullptr;
        const uint32_t *next = nullptr;
        const uint32_t *last = nullptr;
    } batch;

    void begin_event() noexcept {
        event_number += 1;
        std::memset(attributes, 0, sizeof attributes);
        std::memset(slots, 0, limits.slot_count * sizeof *slots);
    }
};
