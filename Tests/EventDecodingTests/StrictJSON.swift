/// RFC 8259, written down once more in the plainest way, to judge the decoder by. Byte by byte,
/// no index, nothing shared with the code under test.
struct StrictJSON {
    private let bytes: [UInt8]
    private var at = 0

    static func accepts(_ bytes: [UInt8]) -> Bool {
        guard String(validating: bytes, as: UTF8.self) != nil else { return false }
        var reader = StrictJSON(bytes: bytes)
        reader.skipSpace()
        guard reader.value() else { return false }
        reader.skipSpace()
        return reader.at == bytes.count
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func take(_ character: Character) -> Bool {
        guard current == character.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = current, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { at += 1 }
    }

    private mutating func value() -> Bool {
        switch current {
        case 0x22: return string()
        case 0x7B: return list("{", "}") { $0.member() }
        case 0x5B: return list("[", "]") { $0.value() }
        case 0x74: return word("true")
        case 0x66: return word("false")
        case 0x6E: return word("null")
        default: return number()
        }
    }

    private mutating func word(_ word: String) -> Bool { word.allSatisfy { take($0) } }

    private mutating func list(
        _ open: Character, _ close: Character, _ item: (inout StrictJSON) -> Bool
    ) -> Bool {
        guard take(open) else { return false }
        skipSpace()
        if take(close) { return true }
        while true {
            skipSpace()
            guard item(&self) else { return false }
            skipSpace()
            if take(close) { return true }
            guard take(",") else { return false }
        }
    }

    private mutating func member() -> Bool {
        guard string() else { return false }
        skipSpace()
        guard take(":") else { return false }
        skipSpace()
        return value()
    }

    private mutating func digits() -> Bool {
        let start = at
        while let byte = current, (0x30...0x39).contains(byte) { at += 1 }
        return at > start
    }

    private mutating func number() -> Bool {
        _ = take("-")
        if !take("0"), !digits() { return false }
        if take("."), !digits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            return digits()
        }
        return true
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while let byte = current {
            at += 1
            switch byte {
            case 0x22: return true
            case 0x5C: guard escape() else { return false }
            case 0..<0x20: return false
            default: break
            }
        }
        return false
    }

    private mutating func escape() -> Bool {
        guard let letter = current else { return false }
        at += 1
        guard letter == 0x75 else { return Array("\"\\/bfnrt".utf8).contains(letter) }
        guard let first = codeUnit() else { return false }
        if (0xDC00...0xDFFF).contains(first) { return false }
        guard (0xD800...0xDBFF).contains(first) else { return true }
        guard take("\\"), take("u"), let second = codeUnit() else { return false }
        return (0xDC00...0xDFFF).contains(second)
    }

    private mutating func codeUnit() -> UInt32? {
        guard at + 4 <= bytes.count else { return nil }
        let digits = bytes[at..<at + 4]
        at += 4
        guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
