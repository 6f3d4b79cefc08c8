// The yardstick: simdjson On-Demand as its manual shows it, built for AVX2 where that is the
// machine's architecture. Nothing of the decoder uses this file.
//
// Standard headers come first, so that only simdjson's own inline code is compiled for the wider
// instruction set; a function of theirs that the linker shares with other files stays portable.
#ifndef NDEBUG
// simdjson's assertions would slow the rival down.
#define NDEBUG 1
#endif
#include <algorithm>
#include <atomic>
#include <cassert>
#include <cfloat>
#include <cinttypes>
#include <climits>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iomanip>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "tollgate_simdjson.h"

#if defined(__x86_64__) && defined(__clang__)
#include <immintrin.h>
#define SIMDJSON_BUILTIN_IMPLEMENTATION haswell
#define TG_REFERENCE_KERNEL "haswell"
#pragma clang attribute push( \
    __attribute__((target("avx2,bmi,bmi2,pclmul,lzcnt,popcnt"))), apply_to = function)
#else
#define TG_REFERENCE_KERNEL "builtin"
#endif

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

using namespace simdjson;

struct tg_reference {
    ondemand::parser parser;

    // Written out, since the wider instruction set is not given to implicit functions.
    tg_reference() noexcept {}
    ~tg_reference() noexcept {}
};

extern "C" {

void tg_reference_destroy(tg_reference *reference) { delete reference; }

uint64_t tg_reference_scan(tg_reference *reference, const uint8_t *bytes, size_t length) {
    ondemand::document document;
    const padded_string_view json(bytes, length, length + SIMDJSON_PADDING);
    if (reference->parser.iterate(json).get(document)) return 0;
    ondemand::object event;
    if (document.get_object().get(event)) return 0;
    std::string_view id, source, type, subject, time;
    if (event["id"].get_string().get(id)) return 0;
    if (event["source"].get_string().get(source)) return 0;
    if (event["type"].get_string().get(type)) return 0;
    if (event["subject"].get_string().get(subject)) return 0;
    if (event["time"].get_string().get(time)) return 0;
    ondemand::object data;
    if (event["data"].get_object().get(data)) return 0;
    uint64_t tokens;
    if (data["total_tokens"].get_uint64().get(tokens)) return 0;
    std::string_view model;
    if (data["model"].get_string().get(model)) return 0;
    return 1 + id.size() + source.size() + type.size() + subject.size() + time.size() + tokens
        + model.size();
}

}  // extern "C"

namespace {

// Never inlined: its caller is compiled for any machine of the architecture.
__attribute__((noinline)) tg_reference *make(size_t bytes_max) noexcept {
    std::unique_ptr<tg_reference> reference(new (std::nothrow) tg_reference);
    if (!reference || reference->parser.allocate(bytes_max)) return nullptr;
    return reference.release();
}

}  // namespace

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif

extern "C" {

size_t tg_reference_padding(void) { return SIMDJSON_PADDING; }

const char *tg_reference_kernel(void) { return TG_REFERENCE_KERNEL; }

tg_reference *tg_reference_create(size_t bytes_max) {
    const std::string kernel = get_active_implementation()->name();
    const bool is_supported = std::strcmp(TG_REFERENCE_KERNEL, "haswell") != 0
        || kernel == "haswell" || kernel == "icelake";
    return is_supported ? make(bytes_max) : nullptr;
}

}  // extern "C"
