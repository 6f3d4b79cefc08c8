/// What is wrong with a JSON text, and at which byte.
public struct JSONSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    public var offset: Int
    public var message: String

    public var description: String { "not JSON: \(message) at byte \(offset)" }
}

/// Reads one JSON document (RFC 8259, strict: valid UTF-8, no repeated member, bounded nesting).
public struct JSONParser {
    /// Objects and arrays nest at most this deep.
    public static let nestingDepthMax = 32

    private let bytes: [UInt8]
    private var index: Int
    private let end: Int
    private var depth = 0

    public static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONValue {
        try parse(bytes, in: bytes.startIndex..<bytes.endIndex)
    }

    public static func parse(_ text: String) throws(JSONSyntaxError) -> JSONValue {
        try parse(Array(text.utf8))
    }

    /// Reads the document that fills `range` of `bytes`: one line of many, say.
    public static func parse(
        _ bytes: [UInt8], in range: Range<Int>
    ) throws(JSONSyntaxError) -> JSONValue {
        var parser = JSONParser(bytes: bytes, range: range)
        let value = try parser.value()
        parser.skipSpace()
        if parser.index < parser.end { throw parser.error("text after the document") }
        return value
    }

    private init(bytes: [UInt8], range: Range<Int>) {
        self.bytes = bytes
        index = range.lowerBound
        end = range.upperBound
    }

    private func error(_ message: String) -> JSONSyntaxError {
        JSONSyntaxError(offset: index, message: message)
    }

    private mutating func skipSpace() {
        while index < end {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    private mutating func value() throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        guard index < end else { throw error("the text ends early") }
        switch bytes[index] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    private mutating func literal(
        _ word: StaticString, _ value: JSONValue
    ) throws(JSONSyntaxError) -> JSONValue {
        for byte in word.description.utf8 {
            guard index < end, bytes[index] == byte else { throw error("expected a value") }
            index += 1
        }
        return value
    }

    private mutating func descend() throws(JSONSyntaxError) {
        index += 1
        depth += 1
        if depth > Self.nestingDepthMax {
            throw error("nested deeper than \(Self.nestingDepthMax) levels")
        }
    }

    private mutating func object() throws(JSONSyntaxError) -> JSONValue {
        try descend()
        var members: [String: JSONValue] = [:]
        skipSpace()
        if index < end, bytes[index] == UInt8(ascii: "}") {
            index += 1
            depth -= 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard index < end, bytes[index] == UInt8(ascii: "\"") else {
                throw error("expected a member name")
            }
            let start = index
            let name = try string()
            skipSpace()
            guard index < end, bytes[index] == UInt8(ascii: ":") else {
                throw error("expected ':'")
            }
            index += 1
            if members.updateValue(try value(), forKey: name) != nil {
                index = start
                throw error("the member \"\(name)\" is there twice")
            }
            if try isLast(UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array() throws(JSONSyntaxError) -> JSONValue {
        try descend()
        var elements: [JSONValue] = []
        skipSpace()
        if index < end, bytes[index] == UInt8(ascii: "]") {
            index += 1
            depth -= 1
            return .array(elements)
        }
        while true {
            elements.append(try value())
            if try isLast(UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    /// Steps over a comma, or over the closing bracket.
    private mutating func isLast(_ bracket: UInt8) throws(JSONSyntaxError) -> Bool {
        skipSpace()
        guard index < end else { throw error("the text ends early") }
        if bytes[index] == bracket {
            index += 1
            depth -= 1
            return true
        }
        guard bytes[index] == UInt8(ascii: ",") else {
            throw error("expected ',' or '\(Character(Unicode.Scalar(bracket)))'")
        }
        index += 1
        return false
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = index
        if index < end, bytes[index] == UInt8(ascii: "-") { index += 1 }
        let first = index
        let whole = skipDigits()
        if whole == 0 { throw error("expected a value") }
        if whole > 1, bytes[first] == UInt8(ascii: "0") { throw error("leading zero") }
        if index < end, bytes[index] == UInt8(ascii: ".") {
            index += 1
            if skipDigits() == 0 { throw error("expected a digit") }
        }
        if index < end, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < end, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index += 1
            }
            if skipDigits() == 0 { throw error("expected a digit") }
        }
        return .number(String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private mutating func skipDigits() -> Int {
        let start = index
        while index < end, bytes[index] &- 0x30 < 10 { index += 1 }
        return index - start
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        index += 1
        let start = index
        while index < end {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                guard let text = String(validating: bytes[start..<index], as: UTF8.self) else {
                    throw error("invalid UTF-8")
                }
                index += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            if byte < 0x20 { throw error("control character in a string") }
            index += 1
        }
        throw error("unterminated string")
    }

    private mutating func escapedString(from start: Int) throws(JSONSyntaxError) -> String {
        var text = Array(bytes[start..<index])
        while index < end {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                guard let text = String(validating: text, as: UTF8.self) else {
                    throw error("invalid UTF-8")
                }
                index += 1
                return text
            }
            if byte < 0x20 { throw error("control character in a string") }
            if byte == UInt8(ascii: "\\") {
                try appendEscape(to: &text)
            } else {
                text.append(byte)
                index += 1
            }
        }
        throw error("unterminated string")
    }

    private mutating func appendEscape(to text: inout [UInt8]) throws(JSONSyntaxError) {
        guard index + 1 < end else { throw error("unterminated string") }
        let letter = bytes[index + 1]
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): return try appendCodePoint(to: &text)
        default: throw error("invalid escape")
        }
        index += 2
    }

    private mutating func appendCodePoint(to text: inout [UInt8]) throws(JSONSyntaxError) {
        let first = try codeUnit()
        var scalar = UInt32(first)
        if UTF16.isLeadSurrogate(first) {
            let second = try codeUnit()
            guard UTF16.isTrailSurrogate(second) else { throw error("unpaired surrogate") }
            scalar = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        }
        guard let character = Unicode.Scalar(scalar) else { throw error("unpaired surrogate") }
        text.append(contentsOf: Character(character).utf8)
    }

    /// The four hexadecimal digits of `\uXXXX`.
    private mutating func codeUnit() throws(JSONSyntaxError) -> UInt16 {
        guard index + 6 <= end, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { throw error("unpaired surrogate or short \\u escape") }
        var unit: UInt16 = 0
        for byte in bytes[(index + 2)..<(index + 6)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw error("invalid \\u escape")
            }
            unit = unit << 4 | UInt16(digit)
        }
        index += 6
        return unit
    }
}
