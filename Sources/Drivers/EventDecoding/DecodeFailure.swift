internal import CSimdJSON

/// Why bytes are not an event, or not a batch of events.
public enum DecodeFailure: Error, Sendable, Equatable {
    /// Not one JSON document, or headers that break off.
    case malformed
    /// Nested deeper than the decoder accepts.
    case tooDeep
    /// Longer than the decoder accepts.
    case tooLarge
    case invalidUTF8
    /// A required attribute is absent, null or empty.
    case missing(DecodedEvent.Attribute)
    /// An attribute that is not a string; for the backfill mark, neither true nor false.
    case wrongType(DecodedEvent.Attribute)
    /// A `specversion` other than `1.0`.
    case unsupportedVersion
    /// An attribute, `data`, or a member that the plan reads occurs twice: which one counts?
    case duplicateMember
    /// Both `data` and `data_base64`.
    case conflictingData
    /// Not one complete array; nothing of it was handed over.
    case malformedBatch
    /// More elements than the caller allows; nothing was handed over.
    case tooManyEvents
    /// No memory for an unusually long document. Says nothing about the document.
    case outOfMemory

    /// A stable word for metrics, answers and dead letters.
    public var code: String {
        switch self {
        case .malformed: "malformed"
        case .tooDeep: "too_deep"
        case .tooLarge: "too_large"
        case .invalidUTF8: "invalid_utf8"
        case .missing(let attribute): "missing_\(attribute.name)"
        case .wrongType: "wrong_type"
        case .unsupportedVersion: "unsupported_specversion"
        case .duplicateMember: "duplicate_member"
        case .conflictingData: "conflicting_data"
        case .malformedBatch: "malformed_batch"
        case .tooManyEvents: "too_many_events"
        case .outOfMemory: "out_of_memory"
        }
    }

    /// One sentence for people.
    public var detail: String {
        switch self {
        case .malformed: "the event is not one valid JSON document"
        case .tooDeep: "the event is nested too deeply"
        case .tooLarge: "the event is too long"
        case .invalidUTF8: "the event is not valid UTF-8"
        case .missing(let attribute): "the attribute \(attribute.name) is missing or empty"
        case .wrongType(let attribute): "the attribute \(attribute.name) has the wrong type"
        case .unsupportedVersion: "specversion must be \"1.0\""
        case .duplicateMember: "a member that is read occurs twice"
        case .conflictingData: "data and data_base64 exclude each other"
        case .malformedBatch:
            "the batch is not one complete JSON array; no event of it was taken"
        case .tooManyEvents: "the batch has too many events; no event of it was taken"
        case .outOfMemory: "memory ran out while the event was decoded"
        }
    }

    init(_ outcome: tg_outcome) {
        switch outcome.status {
        case TG_TOO_DEEP: self = .tooDeep
        case TG_TOO_LARGE: self = .tooLarge
        case TG_INVALID_UTF8: self = .invalidUTF8
        case TG_MISSING: self = .missing(.init(outcome.attribute))
        case TG_WRONG_TYPE: self = .wrongType(.init(outcome.attribute))
        case TG_UNSUPPORTED_VERSION: self = .unsupportedVersion
        case TG_DUPLICATE_MEMBER: self = .duplicateMember
        case TG_CONFLICTING_DATA: self = .conflictingData
        case TG_MALFORMED_BATCH: self = .malformedBatch
        case TG_TOO_MANY_EVENTS: self = .tooManyEvents
        case TG_NO_MEMORY: self = .outOfMemory
        default: self = .malformed
        }
    }
}

extension DecodedEvent.Attribute {
    fileprivate init(_ attribute: tg_attribute) {
        self = Self(rawValue: Int(attribute.rawValue)) ?? .id
    }
}
