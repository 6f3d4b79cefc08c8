internal import NIOCore

/// A small flat JSON object, for the cold routes whose bodies are a handful of options.
struct ObjectReader {
    enum Value: Equatable {
        case string(String)
        /// As written.
        case number(String)
        case bool(Bool)
        case null
        /// An object or an array, checked but not read.
        case nested

        /// The digits of a number, or of a string that holds one.
        var numberText: String? {
            switch self {
            case .string(let text), .number(let text): text
            case .bool, .null, .nested: nil
            }
        }
    }

    private(set) var members: [String: Value] = [:]

    /// An empty body counts as an empty object.
    init(_ body: ByteBuffer) throws(Problem) {
        if body.readableBytes == 0 { return }
        do throws(BodyFailure) {
            try read(body)
        } catch {
            throw Problem(error)
        }
    }

    private mutating func read(_ body: ByteBuffer) throws(BodyFailure) {
        let bytes = body.readableBytesSpan
        var cursor = JSONCursor()
        var isFirst = true
        try cursor.beginObject(bytes)
        while let name = try cursor.nextMember(bytes, isFirst: &isFirst) {
            let key = body.text(name)
            let value: Value
            switch cursor.peek(bytes) {
            case UInt8(ascii: "\""): value = .string(body.text(try cursor.string(bytes)))
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                try cursor.value(bytes)
                value = .nested
            case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
                switch body.bytes(try cursor.value(bytes)).first {
                case UInt8(ascii: "t"): value = .bool(true)
                case UInt8(ascii: "f"): value = .bool(false)
                default: value = .null
                }
            default:
                let range = try cursor.number(bytes)
                value = .number(String(decoding: body.bytes(range), as: UTF8.self))
            }
            if members.updateValue(value, forKey: key) != nil {
                throw BodyFailure(field: key, message: "\(key) is given twice")
            }
        }
        try cursor.end(bytes)
    }
}
