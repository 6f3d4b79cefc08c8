#ifndef TOLLGATE_SIMDJSON_H
#define TOLLGATE_SIMDJSON_H

// A plain C face of simdjson for reading CloudEvents. No C++ exception leaves these functions.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Most slots that one decoder can fill.
#define TG_SLOTS_MAX 256
/// Deepest nesting that a decoder can be told to accept.
#define TG_DEPTH_MAX 64

typedef enum tg_status {
    TG_OK = 0,
    TG_MALFORMED,
    TG_TOO_DEEP,
    TG_TOO_LARGE,
    TG_INVALID_UTF8,
    TG_MISSING,
    TG_WRONG_TYPE,
    TG_UNSUPPORTED_VERSION,
    TG_DUPLICATE_MEMBER,
    TG_CONFLICTING_DATA,
    TG_MALFORMED_BATCH,
    TG_TOO_MANY_EVENTS,
    TG_NO_MEMORY,
} tg_status;

typedef enum tg_attribute {
    TG_ID = 0,
    TG_SOURCE,
    TG_SPECVERSION,
    TG_TYPE,
    TG_SUBJECT,
    TG_TIME,
    TG_DATACONTENTTYPE,
    TG_BACKFILL,
    TG_ATTRIBUTE_COUNT,
} tg_attribute;

typedef enum tg_kind {
    TG_ABSENT = 0,
    TG_NULL,
    TG_STRING,
    TG_NUMBER,
    TG_BOOLEAN,
    TG_COMPOSITE,
} tg_kind;

/// A piece of text in the input or, when it had escapes, in the decoder's own buffer.
typedef struct tg_text {
    const uint8_t *_Nullable bytes;
    uint32_t length;
    /// A `tg_kind`.
    uint32_t kind;
} tg_text;

typedef struct tg_outcome {
    tg_status status;
    /// The attribute that `TG_MISSING` and `TG_WRONG_TYPE` speak of.
    tg_attribute attribute;
} tg_outcome;

typedef struct tg_limits {
    /// Longest document, in bytes.
    size_t bytes_max;
    /// Longest batch, in bytes.
    size_t batch_bytes_max;
    /// Deepest nesting, the root counted; at most `TG_DEPTH_MAX`.
    uint32_t depth_max;
    /// How many slots the plan fills; at most `TG_SLOTS_MAX`.
    uint32_t slot_count;
    /// Room for this many plan members, and for this many bytes of their names.
    uint32_t member_count_max;
    size_t name_bytes_max;
} tg_limits;

typedef struct tg_decoder tg_decoder;

/// Null when memory is short. One thread at a time may use a decoder.
tg_decoder *_Nullable tg_decoder_create(tg_limits limits);
void tg_decoder_destroy(tg_decoder *_Nullable decoder);

/// The plan member `name` below `parent` (0 is `data` itself), added when it is new.
/// `UINT32_MAX` when the room that `tg_limits` promised is used up.
uint32_t tg_plan_member(
    tg_decoder *_Nonnull decoder, uint32_t parent, const uint8_t *_Nullable name, size_t length);
/// The value of `member` fills `slot`; several slots may read one member.
void tg_plan_bind(tg_decoder *_Nonnull decoder, uint32_t member, uint32_t slot);

/// What the last successful decode found, `TG_ATTRIBUTE_COUNT` and `slot_count` texts.
/// The arrays stay where they are as long as the decoder lives.
const tg_text *_Nonnull tg_decoder_attributes(const tg_decoder *_Nonnull decoder);
const tg_text *_Nonnull tg_decoder_slots(const tg_decoder *_Nonnull decoder);
/// The name of the instruction set that the index is built with, for instance `icelake`.
const char *_Nonnull tg_decoder_kernel(const tg_decoder *_Nonnull decoder);

/// Decodes one structured CloudEvent. Reads exactly `length` bytes: no padding is needed.
tg_outcome tg_decode_structured(
    tg_decoder *_Nonnull decoder, const uint8_t *_Nullable bytes, size_t length);
/// Decodes one binary CloudEvent: attributes from flat headers, `data` as the payload.
tg_outcome tg_decode_binary(
    tg_decoder *_Nonnull decoder, const uint8_t *_Nullable headers, size_t headers_length,
    const uint8_t *_Nullable data, size_t length, bool is_null);
/// Whether flat headers announce a structured event, or announce nothing at all.
bool tg_is_structured(const uint8_t *_Nullable headers, size_t length);
/// Checks that the bytes are one JSON document, within the decoder's limits.
tg_outcome tg_validate(
    tg_decoder *_Nonnull decoder, const uint8_t *_Nullable bytes, size_t length);

/// Checks that the bytes are one array and counts its elements, which `tg_batch_next` then hands
/// out. The bytes must stay until `tg_batch_end`. Decoding in between is allowed.
tg_outcome tg_batch_begin(
    tg_decoder *_Nonnull decoder, const uint8_t *_Nullable bytes, size_t length,
    size_t events_max, size_t *_Nonnull count);
bool tg_batch_next(tg_decoder *_Nonnull decoder, tg_text *_Nonnull element);
void tg_batch_end(tg_decoder *_Nonnull decoder);

// The yardstick for benchmarks: bare simdjson On-Demand, which checks nothing that it does not
// read, with its best kernel for this machine.

typedef struct tg_reference tg_reference;
tg_reference *_Nullable tg_reference_create(size_t bytes_max);
void tg_reference_destroy(tg_reference *_Nullable reference);
/// Readable bytes that must follow the document handed to `tg_reference_scan`.
size_t tg_reference_padding(void);
const char *_Nonnull tg_reference_kernel(void);
/// Reads id, source, type, subject, time, data.total_tokens and data.model.
/// - Returns: a checksum of what was read (never 0), or 0 when something could not be read.
uint64_t tg_reference_scan(
    tg_reference *_Nonnull reference, const uint8_t *_Nonnull bytes, size_t length);

#ifdef __cplusplus
}
#endif

#endif
