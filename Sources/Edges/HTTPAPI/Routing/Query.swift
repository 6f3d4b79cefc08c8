internal import MeteringModel

/// The parameters after `?`, decoded. `+` stands for a space, as forms write it.
struct Query {
    private var values: [(name: String, value: String)] = []

    init(_ text: Substring?) throws(Problem) {
        guard let text else { return }
        for pair in text.utf8.split(separator: UInt8(ascii: "&")) {
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            guard let decodedName = PercentCoding.decode(name, plusIsSpace: true),
                let value = PercentCoding.decode(
                    pair.dropFirst(name.count + 1), plusIsSpace: true)
            else { throw .invalid(String(Substring(name)), "the query is not well encoded") }
            values.append((decodedName, value))
        }
    }

    var names: [String] { values.map(\.name) }

    /// Nil when absent or empty. A parameter given twice is refused.
    func text(_ name: String) throws(Problem) -> String? {
        var found: String?
        for pair in values where pair.name == name {
            if found != nil { throw .invalid(name, "\(name) is given twice") }
            found = pair.value
        }
        return found?.isEmpty == true ? nil : found
    }

    /// All values of a parameter that may be repeated or list several with commas.
    func list(_ name: String) -> [String] {
        values.filter { $0.name == name }
            .flatMap { $0.value.split(separator: ",").map(String.init) }
    }

    func time(_ name: String) throws(Problem) -> Timestamp? {
        guard let text = try text(name) else { return nil }
        guard let instant = TimeText.read(text) else {
            throw .invalid(name, "\(name) must be an RFC 3339 time such as 2026-11-01T00:00:00Z")
        }
        return instant
    }

    func integer(_ name: String, in range: ClosedRange<Int>, default value: Int) throws(Problem)
        -> Int
    {
        guard let text = try text(name) else { return value }
        guard let number = Int(text), range.contains(number) else {
            throw .invalid(
                name, "\(name) must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func flag(_ name: String) throws(Problem) -> Bool {
        switch try text(name) {
        case nil, "false": return false
        case "true": return true
        default: throw .invalid(name, "\(name) must be true or false")
        }
    }
}

/// RFC 3986 percent-encoding, read.
enum PercentCoding {
    /// Nil when an escape is broken or the result is not UTF-8.
    static func decode(_ text: some Sequence<UInt8>, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var pending = text.makeIterator()
        while let byte = pending.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = pending.next().flatMap(JSONEscapes.hexDigit),
                    let low = pending.next().flatMap(JSONEscapes.hexDigit)
                else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        // SAFETY: bytes have no padding; the span is read while `bytes` is alive.
        guard unsafe UTF8Check.isValid(bytes.span.bytes) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
