/// Texts as cursors: hexadecimal, so that they stand in queries and header fields as they are.
enum CursorText {
    static func encode(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            result += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }

    /// Nil when it is no such text.
    static func decode(_ cursor: String) -> String? {
        let digits = Array(cursor.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[start..<start + 2], as: UTF8.self)
            guard pair.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let byte = UInt8(pair, radix: 16)
            else { return nil }
            bytes.append(byte)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
