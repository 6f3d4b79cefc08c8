public import CSimdJSON

/// One event, as long as the closure that it is handed to runs. It points into the bytes that were
/// decoded and into its decoder's buffer; nothing is copied.
@safe
public struct DecodedEvent: ~Copyable {
    /// What CloudEvents say about an event, next to its data.
    public enum Attribute: Int, Sendable, Hashable, CaseIterable {
        case id, source, specversion, type, subject, time
        /// In the binary form this is the content type of the payload.
        case datacontenttype
        /// The extension `tollgatebackfill`; `true`, or absent.
        case backfill

        /// The attribute's name in an envelope.
        public var name: String {
            switch self {
            case .id: "id"
            case .source: "source"
            case .specversion: "specversion"
            case .type: "type"
            case .subject: "subject"
            case .time: "time"
            case .datacontenttype: "datacontenttype"
            case .backfill: "tollgatebackfill"
            }
        }
    }

    /// What stands at a slot's path.
    public enum ValueKind: UInt8, Sendable, Hashable {
        case missing, null, string, number, boolean
        /// An object or an array.
        case composite
    }

    @usableFromInline let attributes: UnsafePointer<tg_text>
    @usableFromInline let slots: UnsafePointer<tg_text>
    @usableFromInline let slotCount: Int

    @inlinable
    init(attributes: UnsafePointer<tg_text>, slots: UnsafePointer<tg_text>, slotCount: Int) {
        unsafe self.attributes = attributes
        unsafe self.slots = slots
        self.slotCount = slotCount
    }

    /// Whether the attribute is there and not empty; so are id, source, specversion and type, always.
    @inlinable
    public func has(_ attribute: Attribute) -> Bool {
        // SAFETY: the array has an entry for every attribute.
        unsafe attributes[attribute.rawValue].length > 0
    }

    /// The attribute's text in UTF-8, escapes resolved; empty when it is absent.
    @inlinable
    public func withAttribute<R>(_ attribute: Attribute, _ body: (RawSpan) -> R) -> R {
        // SAFETY: the array has an entry for every attribute, and its text outlives this event.
        unsafe body(RawSpan(_unsafeBytes: attributes[attribute.rawValue].buffer))
    }

    /// - Precondition: `slot` is one of the plan's.
    @inlinable
    public func valueKind(_ slot: Int) -> ValueKind {
        precondition(slot >= 0 && slot < slotCount, "no such slot in the plan")
        // SAFETY: the index was checked.
        return unsafe ValueKind(rawValue: UInt8(truncatingIfNeeded: slots[slot].kind)) ?? .missing
    }

    /// The value's kind and text: a number as it was written, a string in UTF-8 with its escapes
    /// resolved, a boolean as `true` or `false`; empty for every other kind.
    /// - Precondition: `slot` is one of the plan's.
    @inlinable
    public func withValue<R>(_ slot: Int, _ body: (ValueKind, RawSpan) -> R) -> R {
        let kind = valueKind(slot)
        // SAFETY: `valueKind` checked the index, and the text outlives this event.
        return unsafe body(kind, RawSpan(_unsafeBytes: slots[slot].buffer))
    }
}

extension tg_text {
    @inlinable
    var buffer: UnsafeRawBufferPointer {
        // SAFETY: the shim set both; they describe bytes that live until the next decode.
        unsafe UnsafeRawBufferPointer(start: bytes, count: Int(length))
    }
}
