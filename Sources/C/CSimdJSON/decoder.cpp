// Making a decoder and its plan.
#include "decoder.hpp"

#include <new>

using tollgate::none;
using tollgate::plan_member;

namespace {

/// An index for events of usual size; it grows when a longer one comes.
constexpr size_t first_capacity = 16 * 1024;

uint32_t append_member(tg_decoder &decoder, const uint8_t *name, size_t length) noexcept {
    const bool fits = decoder.member_count < decoder.limits.member_count_max + 1
        && length <= decoder.limits.name_bytes_max - decoder.name_bytes;
    if (!fits) return none;
    uint8_t *copy = decoder.names.get() + decoder.name_bytes;
    if (length > 0) std::memcpy(copy, name, length);
    decoder.name_bytes += length;
    decoder.members[decoder.member_count] =
        plan_member{copy, static_cast<uint32_t>(length), none, none, none, 0, 0};
    return decoder.member_count++;
}

}  // namespace

extern "C" {

tg_decoder *tg_decoder_create(tg_limits limits) {
    if (limits.depth_max > TG_DEPTH_MAX || limits.slot_count > TG_SLOTS_MAX) return nullptr;
    std::unique_ptr<tg_decoder> decoder(new (std::nothrow) tg_decoder{});
    if (!decoder) return nullptr;
    decoder->limits = limits;
    for (uint32_t &next : decoder->next_slot) next = none;
    decoder->members.reset(new (std::nothrow) plan_member[size_t(limits.member_count_max) + 1]);
    decoder->names.reset(new (std::nothrow) uint8_t[limits.name_bytes_max + 1]);
    if (!decoder->members || !decoder->names) return nullptr;
    if (append_member(*decoder, nullptr, 0) != 0) return nullptr;
    if (!decoder->index.create(first_capacity)) return nullptr;
    return decoder.release();
}

void tg_decoder_destroy(tg_decoder *decoder) { delete decoder; }

uint32_t tg_plan_member(
    tg_decoder *decoder, uint32_t parent, const uint8_t *name, size_t length) {
    plan_member *members = decoder->members.get();
    for (uint32_t child = members[parent].first_child; child != none;
         child = members[child].next_sibling) {
        const bool same = members[child].length == length
            && (length == 0 || std::memcmp(members[child].name, name, length) == 0);
        if (same) return child;
    }
    const uint32_t added = append_member(*decoder, name, length);
    if (added == none) return none;
    members[added].next_sibling = members[parent].first_child;
    members[parent].first_child = added;
    members[parent].child_lengths |= uint64_t(1) << (length & 63);
    return added;
}

void tg_plan_bind(tg_decoder *decoder, uint32_t member, uint32_t slot) {
    decoder->next_slot[slot] = decoder->members[member].slot;
    decoder->members[member].slot = slot;
}

const tg_text *tg_decoder_attributes(const tg_decoder *decoder) { return decoder->attributes; }

const tg_text *tg_decoder_slots(const tg_decoder *decoder) { return decoder->slots; }

const char *tg_decoder_kernel(const tg_decoder *) {
    static const std::string name = simdjson::get_active_implementation()->name();
    return name.c_str();
}

}  // extern "C"
