/// One record of RFC 4180. Text cannot become a formula when a spreadsheet opens the file.
struct CSVLine {
    enum Cell: Sendable, Hashable {
        /// Written as it is when it is a plain decimal number; as text otherwise.
        case number(String)
        case text(String)
        case empty

        static func text(_ text: String?) -> Cell { text.map(Cell.text) ?? .empty }
        static func number(_ text: String?) -> Cell { text.map(Cell.number) ?? .empty }
    }

    /// Appends the record and its CRLF.
    static func write(_ cells: [Cell], to bytes: inout [UInt8]) {
        for (index, cell) in cells.enumerated() {
            if index > 0 { bytes.append(comma) }
            switch cell {
            case .number(let text) where isNumber(text): bytes += text.utf8
            case .number(let text), .text(let text): write(text, to: &bytes)
            case .empty: break
            }
        }
        bytes += [carriageReturn, lineFeed]
    }

    private static let comma = UInt8(ascii: ",")
    private static let quote = UInt8(ascii: "\"")
    private static let apostrophe = UInt8(ascii: "'")
    private static let carriageReturn: UInt8 = 0x0D
    private static let lineFeed: UInt8 = 0x0A
    private static let tab: UInt8 = 0x09
    private static let space: UInt8 = 0x20
    /// What spreadsheets take for the begin of a formula, or pass over before one.
    private static let guarded: Set<UInt8> = [
        UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), tab,
        carriageReturn, lineFeed,
    ]

    private static func write(_ text: String, to bytes: inout [UInt8]) {
        let content = Array(text.utf8)
        let isGuarded = content.first.map(guarded.contains) ?? false
        let isQuoted =
            content.contains { [comma, quote, carriageReturn, lineFeed].contains($0) }
            || content.first == space || content.last == space
        if isQuoted { bytes.append(quote) }
        if isGuarded { bytes.append(apostrophe) }
        for byte in content {
            if byte == quote { bytes.append(quote) }
            bytes.append(byte)
        }
        if isQuoted { bytes.append(quote) }
    }

    /// `-12.50`: digits with at most one sign before and one point between them.
    private static func isNumber(_ text: String) -> Bool {
        var digits = text.utf8[...]
        if digits.first == UInt8(ascii: "-") { digits = digits.dropFirst() }
        let parts = digits.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return (1...2).contains(parts.count)
            && parts.allSatisfy { part in
                !part.isEmpty && part.allSatisfy { (0x30...0x39).contains($0) }
            }
    }
}
