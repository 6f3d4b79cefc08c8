/// A table of aligned columns for people; numbers to the right, words to the left.
struct TextTable: Sendable {
    enum Alignment: Sendable { case left, right }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

    var isEmpty: Bool { rows.isEmpty }

    /// Missing cells are empty; an empty cell shows as `-`.
    mutating func add(_ cells: [String]) {
        let padded = cells + Array(repeating: "", count: max(0, columns.count - cells.count))
        rows.append(padded.prefix(columns.count).map { $0.isEmpty ? "-" : Self.printable($0) })
    }

    /// Lines without trailing spaces, the titles first.
    var text: String {
        let titles = columns.map(\.title)
        let widths = columns.indices.map { column in
            ([titles] + rows).map { $0[column].count }.max() ?? 0
        }
        return ([titles] + rows).map { row in
            let cells = row.indices.map { column -> String in
                let fill = String(repeating: " ", count: widths[column] - row[column].count)
                return columns[column].alignment == .left ? row[column] + fill : fill + row[column]
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }

    /// Prints a list for people.
    /// - Parameters:
    ///   - nothing: said instead of a table without rows.
    ///   - next: the cursor to go on from.
    func show(orSay nothing: String, next: String?) {
        if isEmpty { Terminal.message(nothing) } else { Terminal.result(text) }
        if let next { Terminal.message("more: --cursor \(next), or --all") }
    }

    /// `1234567.25` as `1,234,567.25`; text that is not a plain number stays as it is.
    static func grouped(_ number: String) -> String {
        let isNegative = number.hasPrefix("-")
        let parts = number.drop { $0 == "-" }.split(
            separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, !whole.isEmpty,
            parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } })
        else { return number }
        var result = ""
        for (index, digit) in whole.enumerated() {
            if index > 0, (whole.count - index).isMultiple(of: 3) { result.append(",") }
            result.append(digit)
        }
        if parts.count > 1 { result += "." + parts[1] }
        return (isNegative ? "-" : "") + result
    }

    /// Text from events and catalogs cannot send control sequences to the terminal.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "\u{FFFD}" : $0 }))
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }
}
