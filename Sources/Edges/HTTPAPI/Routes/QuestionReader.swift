internal import MeteringModel
internal import MeteringPorts
internal import NIOCore

/// Reads the bodies of check, consume and reservations.
struct QuestionReader {
    /// Names longer than this many bytes are refused before they become strings.
    static let nameBytesMax = 256
    static let timeToLiveDefault: Int64 = 60
    static let timeToLiveRange: ClosedRange<Int64> = 1...86_400

    enum Body {
        case single(Item)
        case batch([Item])
    }

    struct Item {
        var question: EntitlementQuestion
        var timeToLiveSeconds: Int64 = QuestionReader.timeToLiveDefault
    }

    let buffer: ByteBuffer
    let batchCountMax: Int

    func read() throws(Problem) -> Body {
        do throws(BodyFailure) {
            return try document()
        } catch {
            throw Problem(error)
        }
    }

    private func document() throws(BodyFailure) -> Body {
        let bytes = buffer.readableBytesSpan
        var cursor = JSONCursor()
        var batch: [Item]?
        let draft = try members(&cursor, bytes, batch: &batch)
        try cursor.end(bytes)
        if let batch { return .batch(batch) }
        return .single(try draft.finished())
    }

    /// The members of one question; `batch` is set when it holds `checks` instead.
    private func members(
        _ cursor: inout JSONCursor, _ bytes: RawSpan, batch: inout [Item]?
    ) throws(BodyFailure) -> Draft {
        var draft = Draft()
        var isFirst = true
        try cursor.beginObject(bytes)
        while let name = try cursor.nextMember(bytes, isFirst: &isFirst) {
            if !name.isPlain {
                try cursor.value(bytes)
            } else if bytes.equals("customer", name.range) {
                try draft.set(.customer, try text(&cursor, bytes, "customer"))
            } else if bytes.equals("feature", name.range) {
                try draft.set(.feature, try text(&cursor, bytes, "feature"))
            } else if bytes.equals("quantity", name.range) {
                try draft.set(quantity: try quantity(&cursor, bytes))
            } else if bytes.equals("subject", name.range) {
                try draft.set(.subject, try text(&cursor, bytes, "subject"))
            } else if bytes.equals("id", name.range) {
                try draft.set(.id, try text(&cursor, bytes, "id"))
            } else if bytes.equals("context", name.range) {
                try context(&cursor, bytes, into: &draft)
            } else if bytes.equals("environment", name.range) {
                draft.environment = try Self.environment(try text(&cursor, bytes, "environment"))
            } else if bytes.equals("ttl_seconds", name.range) {
                draft.timeToLiveSeconds = try seconds(&cursor, bytes)
            } else if bytes.equals("checks", name.range), cursor.depth == 1 {
                batch = try checks(&cursor, bytes)
            } else {
                // Members that a later version knows are no error in this one.
                try cursor.value(bytes)
            }
        }
        return draft
    }

    /// `{"domain": …, "region": …}`: where the use takes place. What else stands there is passed
    /// over, as everywhere in a question.
    private func context(
        _ cursor: inout JSONCursor, _ bytes: RawSpan, into draft: inout Draft
    ) throws(BodyFailure) {
        guard cursor.peek(bytes) == UInt8(ascii: "{") else {
            throw BodyFailure(field: "context", message: "context must be an object")
        }
        var isFirst = true
        try cursor.beginObject(bytes)
        do throws(BodyFailure) {
            while let name = try cursor.nextMember(bytes, isFirst: &isFirst) {
                if name.isPlain, bytes.equals("domain", name.range) {
                    draft.domain = try text(&cursor, bytes, "domain")
                } else if name.isPlain, bytes.equals("region", name.range) {
                    draft.region = try text(&cursor, bytes, "region")
                } else {
                    try cursor.value(bytes)
                }
            }
        } catch {
            throw error.inside("context")
        }
    }

    static func environment(_ text: String) throws(BodyFailure) -> Environment {
        if let environment = Environment(rawValue: text) { return environment }
        let names = Environment.allCases.map(\.rawValue).joined(separator: ", ")
        throw BodyFailure(
            field: "environment", message: "environment must be one of \(names)")
    }

    private func checks(
        _ cursor: inout JSONCursor, _ bytes: RawSpan
    ) throws(BodyFailure) -> [Item] {
        guard cursor.peek(bytes) == UInt8(ascii: "[") else {
            throw BodyFailure(field: "checks", message: "checks must be an array")
        }
        var items: [Item] = []
        var isFirst = true
        try cursor.beginArray(bytes)
        while try cursor.nextElement(bytes, isFirst: &isFirst) {
            if items.count == batchCountMax {
                throw BodyFailure(tooMany: "more than \(batchCountMax) checks in one request")
            }
            guard cursor.peek(bytes) == UInt8(ascii: "{") else {
                throw BodyFailure(field: "checks[\(items.count)]", message: "must be an object")
            }
            do throws(BodyFailure) {
                var nested: [Item]?
                items.append(try members(&cursor, bytes, batch: &nested).finished())
            } catch {
                throw error.inside("checks[\(items.count)]")
            }
        }
        return items
    }

    private func text(
        _ cursor: inout JSONCursor, _ bytes: RawSpan, _ field: String
    ) throws(BodyFailure) -> String {
        guard cursor.peek(bytes) == UInt8(ascii: "\"") else {
            throw BodyFailure(field: field, message: "\(field) must be a string")
        }
        let text = try cursor.string(bytes)
        guard (1...Self.nameBytesMax).contains(text.range.count) else {
            throw BodyFailure(
                field: field, message: "\(field) must have 1 to \(Self.nameBytesMax) bytes")
        }
        return buffer.text(text)
    }

    private func quantity(
        _ cursor: inout JSONCursor, _ bytes: RawSpan
    ) throws(BodyFailure) -> DecimalQuantity {
        let range: Range<Int>
        switch cursor.peek(bytes) {
        case UInt8(ascii: "\""): range = try cursor.string(bytes).range
        case let byte? where byte == UInt8(ascii: "-") || byte &- 0x30 < 10:
            range = try cursor.number(bytes)
        default:
            throw BodyFailure(
                field: "quantity", message: "quantity must be a number or a decimal string")
        }
        do throws(DecimalQuantity.Failure) {
            return try Self.bounded(try DecimalQuantity(bytes: bytes.extracting(range)))
        } catch {
            throw BodyFailure(field: "quantity", message: Self.explain(error))
        }
    }

    /// Refuses what no meter can hold, such as 1e400, before a service meets it.
    static func bounded(
        _ quantity: DecimalQuantity
    ) throws(DecimalQuantity.Failure) -> DecimalQuantity {
        if quantity.exponent > 18 { throw .overflow }
        if quantity.exponent < -40 { throw .tooPrecise }
        return quantity
    }

    static func explain(_ failure: DecimalQuantity.Failure) -> String {
        switch failure {
        case .notANumber: "quantity is not a decimal number"
        case .overflow: "quantity is too large"
        case .tooPrecise: "quantity has too many decimal places"
        }
    }

    private func seconds(
        _ cursor: inout JSONCursor, _ bytes: RawSpan
    ) throws(BodyFailure) -> Int64 {
        let range = try? cursor.number(bytes)
        let value = range.flatMap { Int64(String(decoding: buffer.bytes($0), as: UTF8.self)) }
        guard let value, Self.timeToLiveRange.contains(value) else {
            let bounds = Self.timeToLiveRange
            throw BodyFailure(
                field: "ttl_seconds",
                message: "must be a whole number from \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return value
    }
}
