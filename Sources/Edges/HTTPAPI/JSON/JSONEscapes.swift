internal import MeteringModel

/// Escapes of JSON strings, both ways. Used only where a string has one: rare on the hot path.
enum JSONEscapes {
    /// The code unit of a `\uXXXX` escape that starts at `index`; nil when there is none.
    static func codeUnit(_ bytes: RawSpan, at index: Int) -> UInt16? {
        guard index + 6 <= bytes.byteCount, bytes.byte(at: index) == UInt8(ascii: "\\"),
            bytes.byte(at: index + 1) == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for position in index + 2..<index + 6 {
            guard let digit = hexDigit(bytes.byte(at: position)) else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The characters that a checked string content stands for, as UTF-8.
    static func unescape(_ bytes: RawSpan, _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes.byte(at: index)
            guard byte == UInt8(ascii: "\\"), index + 1 < range.upperBound else {
                result.append(byte)
                index += 1
                continue
            }
            if let unit = codeUnit(bytes, at: index) {
                index += 6
                var scalar = UInt32(unit)
                if UTF16.isLeadSurrogate(unit), let second = codeUnit(bytes, at: index) {
                    index += 6
                    scalar = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
                }
                let character = Unicode.Scalar(scalar) ?? "\u{FFFD}"
                result.append(contentsOf: String(character).utf8)
            } else {
                result.append(simple(bytes.byte(at: index + 1)))
                index += 2
            }
        }
        return result
    }

    private static func simple(_ letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }

    /// The escape that a byte needs inside a JSON string; nil when it can stand as it is.
    static func escape(_ byte: UInt8) -> String? {
        switch byte {
        case UInt8(ascii: "\""): return "\\\""
        case UInt8(ascii: "\\"): return "\\\\"
        case 0x0A: return "\\n"
        case 0x0D: return "\\r"
        case 0x09: return "\\t"
        case 0..<0x20:
            let digits = String(byte, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: return nil
        }
    }
}

/// Strict UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Check {
    /// Bytes of the well-formed multi-byte sequence at `index`; 0 when it is not well formed.
    static func sequenceLength(_ bytes: RawSpan, at index: Int) -> Int {
        let first = bytes.byte(at: index)
        switch first {
        case 0xC2...0xDF: return hasTail(bytes, index, 1, 0x80...0xBF) ? 2 : 0
        case 0xE0: return hasTail(bytes, index, 2, 0xA0...0xBF) ? 3 : 0
        case 0xED: return hasTail(bytes, index, 2, 0x80...0x9F) ? 3 : 0
        case 0xE1...0xEF: return hasTail(bytes, index, 2, 0x80...0xBF) ? 3 : 0
        case 0xF0: return hasTail(bytes, index, 3, 0x90...0xBF) ? 4 : 0
        case 0xF1...0xF3: return hasTail(bytes, index, 3, 0x80...0xBF) ? 4 : 0
        case 0xF4: return hasTail(bytes, index, 3, 0x80...0x8F) ? 4 : 0
        default: return 0
        }
    }

    private static func hasTail(
        _ bytes: RawSpan, _ index: Int, _ count: Int, _ second: ClosedRange<UInt8>
    ) -> Bool {
        guard index + count < bytes.byteCount, second.contains(bytes.byte(at: index + 1)) else {
            return false
        }
        for position in index + 2..<index + count + 1 {
            if bytes.byte(at: position) & 0xC0 != 0x80 { return false }
        }
        return true
    }

    static func isValid(_ bytes: RawSpan) -> Bool {
        var index = 0
        while index < bytes.byteCount {
            if bytes.byte(at: index) < 0x80 {
                index += 1
                continue
            }
            let length = sequenceLength(bytes, at: index)
            if length == 0 { return false }
            index += length
        }
        return true
    }
}
