import MeteringModel
import MeteringPorts

/// One page of a list. The cursor is the last id of the page before, in base64url.
struct Page {
    static let limitMax = 1_000

    let after: String?
    let limit: Int

    init(_ query: ControlQuery) throws(ControlProblem) {
        guard (1...Self.limitMax).contains(query.limit) else {
            throw ControlProblem(
                .invalid, "invalid_limit", "limit must be 1 to \(Self.limitMax)", field: "limit")
        }
        limit = query.limit
        guard let cursor = query.cursor else {
            after = nil
            return
        }
        guard let text = Base64URL.text(of: cursor) else {
            throw ControlProblem(
                .invalid, "invalid_cursor", "cursor must be the \"next\" of a page before",
                field: "cursor")
        }
        after = text
    }

    /// Where the items of an answer stand to the cursor.
    enum Order {
        /// They begin behind it.
        case behindCursor
        /// They are sorted by the bytes of their ids.
        case byID
        /// The page begins behind the item that the cursor names.
        case listed
    }

    /// The answer with a page of `items`.
    func answer(
        _ items: [JSONValue], _ order: Order, id: (JSONValue) -> String,
        beside members: [String: JSONValue?] = [:]
    ) -> ControlAnswer {
        var rest = items[...]
        if let after {
            switch order {
            case .behindCursor: break
            case .byID: rest = rest.drop { !Self.isBefore(after, id($0)) }
            case .listed:
                if let place = rest.firstIndex(where: { id($0) == after }) {
                    rest = rest[(place + 1)...]
                }
            }
        }
        let page = rest.prefix(limit)
        let next = rest.count > limit ? page.last.map { Base64URL.encode(id($0)) } : nil
        return ControlAnswer(
            body: JSONValue.object([:]).setting(members).setting([
                "items": .array(Array(page)), "next": .optional(next),
            ]))
    }

    /// The store's order of ids.
    static func isBefore(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

/// RFC 4648 §5, without padding.
enum Base64URL {
    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var word: UInt32 = 0
            for byte in group { word = word << 8 | UInt32(byte) }
            word <<= UInt32(8 * (3 - group.count))
            for place in 0...group.count {
                out.append(letters[Int(word >> UInt32(18 - 6 * place)) & 63])
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Nil when it is not such a text.
    static func text(of encoded: String) -> String? {
        var bytes: [UInt8] = []
        var word: UInt32 = 0
        var bits: UInt32 = 0
        for letter in encoded.utf8 {
            guard let value = letters.firstIndex(of: letter) else { return nil }
            word = word << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> bits))
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
