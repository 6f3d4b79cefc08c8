internal import MeteringModel

/// A place in a JSON text and the steps that can be taken from it (RFC 8259, strict: no comments,
/// no trailing commas, no leading zeros, valid UTF-8, nesting bounded).
///
/// It holds no bytes: every step is given the span again, so that the reader needs neither a copy
/// nor a lifetime of its own. A step that fails leaves the cursor at an undefined place.
struct JSONCursor {
    /// Depth of objects and arrays that a request may nest; deeper ones are refused.
    static let nestingDepthMax = 16

    /// For splitting a batch: the event that nests too deeply is refused by itself, later.
    static let batchDepthMax = 1_000

    var index = 0
    var depth = 0
    var depthMax = Self.nestingDepthMax

    /// A string's content between its quotes; `isPlain` when it holds no escape.
    struct Text: Equatable {
        var range: Range<Int>
        var isPlain: Bool
    }

    /// The next byte that is not white space; nil at the end.
    @inline(__always)
    mutating func peek(_ bytes: RawSpan) -> UInt8? {
        while index < bytes.byteCount {
            let byte = bytes.byte(at: index)
            if byte > 0x20 || (byte != 0x20 && byte != 0x0A && byte != 0x0D && byte != 0x09) {
                return byte
            }
            index += 1
        }
        return nil
    }

    @inline(__always)
    private mutating func take(_ expected: UInt8, _ bytes: RawSpan) throws(BodyFailure) {
        guard peek(bytes) == expected else { throw failure("expected '\(letter(expected))'") }
        index += 1
    }

    mutating func beginObject(_ bytes: RawSpan) throws(BodyFailure) {
        try take(UInt8(ascii: "{"), bytes)
        try descend()
    }

    /// The next member's name, with the cursor before its value; nil when the object ends here.
    mutating func nextMember(
        _ bytes: RawSpan, isFirst: inout Bool
    ) throws(BodyFailure) -> Text? {
        if peek(bytes) == UInt8(ascii: "}") {
            index += 1
            depth -= 1
            return nil
        }
        if !isFirst { try take(UInt8(ascii: ","), bytes) }
        isFirst = false
        guard peek(bytes) == UInt8(ascii: "\"") else { throw failure("expected a member name") }
        let name = try string(bytes)
        try take(UInt8(ascii: ":"), bytes)
        return name
    }

    mutating func beginArray(_ bytes: RawSpan) throws(BodyFailure) {
        try take(UInt8(ascii: "["), bytes)
        try descend()
    }

    /// True with the cursor before the next element; false when the array ends here.
    mutating func nextElement(_ bytes: RawSpan, isFirst: inout Bool) throws(BodyFailure) -> Bool {
        if peek(bytes) == UInt8(ascii: "]") {
            index += 1
            depth -= 1
            return false
        }
        if !isFirst { try take(UInt8(ascii: ","), bytes) }
        isFirst = false
        if peek(bytes) == UInt8(ascii: "]") { throw failure("expected a value") }
        return true
    }

    mutating func string(_ bytes: RawSpan) throws(BodyFailure) -> Text {
        try take(UInt8(ascii: "\""), bytes)
        let start = index
        var isPlain = true
        while index < bytes.byteCount {
            let byte = bytes.byte(at: index)
            if byte == UInt8(ascii: "\"") {
                let range = start..<index
                index += 1
                return Text(range: range, isPlain: isPlain)
            }
            if byte == UInt8(ascii: "\\") {
                isPlain = false
                try skipEscape(bytes)
            } else if byte < 0x20 {
                throw failure("control character in a string")
            } else if byte < 0x80 {
                index += 1
            } else {
                let length = UTF8Check.sequenceLength(bytes, at: index)
                if length == 0 { throw failure("invalid UTF-8") }
                index += length
            }
        }
        throw failure("unterminated string")
    }

    private mutating func skipEscape(_ bytes: RawSpan) throws(BodyFailure) {
        guard index + 1 < bytes.byteCount else { throw failure("unterminated string") }
        switch bytes.byte(at: index + 1) {
        case UInt8(ascii: "u"):
            guard let unit = JSONEscapes.codeUnit(bytes, at: index) else {
                throw failure("invalid \\u escape")
            }
            index += 6
            guard UTF16.isSurrogate(unit) else { return }
            guard UTF16.isLeadSurrogate(unit),
                let second = JSONEscapes.codeUnit(bytes, at: index), UTF16.isTrailSurrogate(second)
            else { throw failure("unpaired surrogate") }
            index += 6
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            index += 2
        default: throw failure("invalid escape")
        }
    }

    /// The bytes of a number, checked against the grammar.
    mutating func number(_ bytes: RawSpan) throws(BodyFailure) -> Range<Int> {
        _ = peek(bytes)
        let start = index
        if index < bytes.byteCount, bytes.byte(at: index) == UInt8(ascii: "-") { index += 1 }
        let firstDigit = index
        let whole = skipDigits(bytes)
        if whole == 0 { throw failure("expected a number") }
        if whole > 1, bytes.byte(at: firstDigit) == UInt8(ascii: "0") {
            throw failure("leading zero")
        }
        if index < bytes.byteCount, bytes.byte(at: index) == UInt8(ascii: ".") {
            index += 1
            if skipDigits(bytes) == 0 { throw failure("expected a digit") }
        }
        if index < bytes.byteCount, bytes.byte(at: index) | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.byteCount,
                bytes.byte(at: index) == UInt8(ascii: "+")
                    || bytes.byte(at: index) == UInt8(ascii: "-")
            {
                index += 1
            }
            if skipDigits(bytes) == 0 { throw failure("expected a digit") }
        }
        return start..<index
    }

    private mutating func skipDigits(_ bytes: RawSpan) -> Int {
        let start = index
        while index < bytes.byteCount, bytes.byte(at: index) &- 0x30 < 10 { index += 1 }
        return index - start
    }

    /// Steps over one value of any kind, checking all of it.
    /// - Returns: where it stands.
    @discardableResult
    mutating func value(_ bytes: RawSpan) throws(BodyFailure) -> Range<Int> {
        guard let first = peek(bytes) else { throw failure("expected a value") }
        let start = index
        var isFirst = true
        switch first {
        case UInt8(ascii: "{"):
            try beginObject(bytes)
            while try nextMember(bytes, isFirst: &isFirst) != nil { try value(bytes) }
        case UInt8(ascii: "["):
            try beginArray(bytes)
            while try nextElement(bytes, isFirst: &isFirst) { try value(bytes) }
        case UInt8(ascii: "\""): _ = try string(bytes)
        case UInt8(ascii: "t"): try literal("true", bytes)
        case UInt8(ascii: "f"): try literal("false", bytes)
        case UInt8(ascii: "n"): try literal("null", bytes)
        default: _ = try number(bytes)
        }
        return start..<index
    }

    mutating func literal(_ text: StaticString, _ bytes: RawSpan) throws(BodyFailure) {
        _ = peek(bytes)
        guard bytes.matches(text, at: index) else { throw failure("expected a value") }
        index += text.utf8CodeUnitCount
    }

    /// Nothing but white space may follow.
    mutating func end(_ bytes: RawSpan) throws(BodyFailure) {
        if peek(bytes) != nil { throw failure("text after the end of the document") }
    }

    private mutating func descend() throws(BodyFailure) {
        depth += 1
        if depth > depthMax {
            throw failure("nested deeper than \(depthMax) levels")
        }
    }

    func failure(_ message: String) -> BodyFailure { BodyFailure(offset: index, message: message) }

    private func letter(_ byte: UInt8) -> Character { Character(Unicode.Scalar(byte)) }
}
