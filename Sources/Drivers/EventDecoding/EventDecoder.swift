public import CSimdJSON

/// Reads CloudEvents straight from the bytes they came in. Once warm it allocates nothing.
///
/// A decoder belongs to one thread at a time, and a closure that got an event must not decode the
/// next one with the same decoder; decoding inside `forEachInBatch` is fine.
@safe
public final class EventDecoder {
    @usableFromInline let decoder: OpaquePointer
    @usableFromInline let attributes: UnsafePointer<tg_text>
    @usableFromInline let slots: UnsafePointer<tg_text>
    @usableFromInline let slotCount: Int

    /// Deepest nesting that can be asked for.
    public static let depthMax = Int(TG_DEPTH_MAX)

    /// - Parameters:
    ///   - maximumBytes: longest event, up to 1 GiB.
    ///   - maximumDepth: deepest nesting, the event's own braces counted; within 1...`depthMax`.
    ///   - maximumBatchBytes: longest batch, up to 1 GiB.
    public init(
        plan: DecodePlan, maximumBytes: Int = 1 << 20, maximumDepth: Int = 16,
        maximumBatchBytes: Int = 8 << 20
    ) {
        let names = plan.paths.joined()
        let limits = tg_limits(
            bytes_max: max(0, min(maximumBytes, 1 << 30)),
            batch_bytes_max: max(0, min(maximumBatchBytes, 1 << 30)),
            depth_max: UInt32(max(1, min(maximumDepth, Self.depthMax))),
            slot_count: UInt32(plan.paths.count),
            member_count_max: UInt32(names.count),
            name_bytes_max: names.reduce(0) { $0 + $1.utf8.count })
        guard let decoder = unsafe tg_decoder_create(limits) else {
            preconditionFailure("no event decoder: memory is short, or simdjson cannot run here")
        }
        for (slot, path) in plan.paths.enumerated() {
            var member: UInt32 = 0
            for name in path {
                let bytes = Array(name.utf8)
                // SAFETY: the shim copies the name.
                member = unsafe bytes.withUnsafeBufferPointer {
                    unsafe tg_plan_member(decoder, member, $0.baseAddress, $0.count)
                }
            }
            precondition(member != .max, "the plan outgrew the room that was counted for it")
            unsafe tg_plan_bind(decoder, member, UInt32(slot))
        }
        unsafe self.decoder = decoder
        unsafe attributes = tg_decoder_attributes(decoder)
        unsafe slots = tg_decoder_slots(decoder)
        slotCount = plan.paths.count
    }

    deinit {
        // SAFETY: nothing else holds the handle.
        unsafe tg_decoder_destroy(decoder)
    }

    /// The instruction set that the decoder runs with on this machine, for instance `icelake`.
    // SAFETY: the shim answers a static, terminated string.
    public var kernel: String { unsafe String(cString: tg_decoder_kernel(decoder)) }

    /// Decodes one event that is a JSON document. The whole document is checked, members that
    /// nobody reads too. Data that is absent, null, no object or in base64 leaves slots missing.
    /// - Returns: what `body` returned.
    @inlinable
    public func decodeStructured<R>(
        _ bytes: RawSpan, _ body: (borrowing DecodedEvent) -> R
    ) throws(DecodeFailure) -> R {
        // SAFETY: the shim reads no byte outside the span and forgets it with the next call.
        let outcome = unsafe bytes.withUnsafeBytes {
            unsafe tg_decode_structured(decoder, Self.start(of: $0), $0.count)
        }
        return try finish(outcome, body)
    }

    /// Decodes one event whose attributes are record headers and whose payload is its data.
    ///
    /// A null or empty payload, and one whose content type is not JSON, leaves all slots missing.
    /// Header values are taken as they are: percent-encoding is for the HTTP edge to undo.
    /// - Parameter headers: in flat form, named `ce_id`, `ce_type`, … and `content-type`.
    @inlinable
    public func decodeBinary<R>(
        headers: RawSpan, data: RawSpan, isNull: Bool, _ body: (borrowing DecodedEvent) -> R
    ) throws(DecodeFailure) -> R {
        // SAFETY: the shim reads no byte outside the spans and forgets them with the next call.
        let outcome = unsafe headers.withUnsafeBytes { headers in
            unsafe data.withUnsafeBytes { data in
                unsafe tg_decode_binary(
                    decoder, Self.start(of: headers), headers.count, Self.start(of: data),
                    data.count, isNull)
            }
        }
        return try finish(outcome, body)
    }

    /// Whether a record with these flat headers is a structured event: its content type begins with
    /// `application/cloudevents`, or no header names an attribute at all.
    @inlinable
    public static func isStructured(headers: RawSpan) -> Bool {
        // SAFETY: the shim reads no byte outside the span and keeps no pointer.
        unsafe headers.withUnsafeBytes {
            unsafe tg_is_structured(start(of: $0), $0.count)
        }
    }

    /// Checks that the bytes are one JSON document within this decoder's limits.
    public func validate(_ bytes: RawSpan) throws(DecodeFailure) {
        // SAFETY: the shim reads no byte outside the span and keeps no pointer.
        let outcome = unsafe bytes.withUnsafeBytes {
            unsafe tg_validate(decoder, Self.start(of: $0), $0.count)
        }
        guard outcome.status == TG_OK else { throw DecodeFailure(outcome) }
    }

    @inlinable
    static func start(of bytes: UnsafeRawBufferPointer) -> UnsafePointer<UInt8>? {
        // SAFETY: raw bytes are bytes.
        unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    }

    @inlinable
    func finish<R>(
        _ outcome: tg_outcome, _ body: (borrowing DecodedEvent) -> R
    ) throws(DecodeFailure) -> R {
        if outcome.status.rawValue != 0 { throw Self.failure(outcome) }
        // SAFETY: the arrays live as long as this decoder, which lives through the call.
        return unsafe body(
            DecodedEvent(attributes: attributes, slots: slots, slotCount: slotCount))
    }

    @usableFromInline
    @inline(never)
    static func failure(_ outcome: tg_outcome) -> DecodeFailure { DecodeFailure(outcome) }
}
