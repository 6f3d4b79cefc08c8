/// One reply of the server (RESP2). Error replies are values too: one command of a pipeline may
/// fail while its neighbours succeed.
package enum RedisValue: Sendable, Hashable {
    /// Bulk and status replies alike; any bytes.
    case string([UInt8])
    case integer(Int64)
    case array([RedisValue])
    /// The server's text, e.g. `LOADING Redis is loading the dataset in memory`.
    case error(String)
    case null

    /// The reply as text; malformed UTF-8 is repaired. Nil when it is no string.
    package var text: String? {
        if case .string(let bytes) = self { return String(decoding: bytes, as: UTF8.self) }
        return nil
    }

    /// The reply as a number: an integer, or a string of digits.
    package var number: Int64? {
        switch self {
        case .integer(let value): value
        case .string: text.flatMap(Int64.init)
        case .array, .error, .null: nil
        }
    }

    package var elements: [RedisValue]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    package var errorText: String? {
        if case .error(let text) = self { return text }
        return nil
    }
}
