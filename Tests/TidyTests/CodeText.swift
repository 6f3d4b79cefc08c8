/// Just enough of Swift's grammar to tell code from comments and string literals.
enum CodeText {
    private enum State {
        case code
        case lineComment
        case blockComment(depth: Int)
        /// `isMultiline` with three quotes; `pounds` in front of the opening quote.
        case string(isMultiline: Bool, pounds: Int)
    }

    /// The text with every comment and the inside of every string literal turned into spaces; line
    /// ends stay. What stands in `\( )` of a literal goes with it.
    static func blankingCommentsAndStrings(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var result = bytes
        var state = State.code
        var index = 0
        func starts(_ word: String, at position: Int) -> Bool {
            bytes[position...].starts(with: word.utf8)
        }
        func blank(_ count: Int) {
            for offset in index..<min(index + count, bytes.count)
            where bytes[offset] != UInt8(ascii: "\n") {
                result[offset] = UInt8(ascii: " ")
            }
        }
        while index < bytes.count {
            var width = 1
            switch state {
            case .code:
                if starts("//", at: index) {
                    state = .lineComment
                    continue
                }
                if starts("/*", at: index) {
                    state = .blockComment(depth: 0)
                    continue
                }
                if let opening = openingQuote(bytes, at: index) {
                    state = .string(isMultiline: opening.isMultiline, pounds: opening.pounds)
                    width = opening.width
                }
            case .lineComment:
                if bytes[index] == UInt8(ascii: "\n") { state = .code } else { blank(1) }
            case .blockComment(let depth):
                if starts("/*", at: index) {
                    width = 2
                    state = .blockComment(depth: depth + 1)
                } else if starts("*/", at: index) {
                    width = 2
                    state = depth == 1 ? .code : .blockComment(depth: depth - 1)
                }
                blank(width)
            case .string(let isMultiline, let pounds):
                let marks = String(repeating: "#", count: pounds)
                let closing = (isMultiline ? "\"\"\"" : "\"") + marks
                if starts(closing, at: index) {
                    width = closing.utf8.count
                    state = .code
                } else {
                    if starts("\\" + marks, at: index) { width = 2 + pounds }
                    // A one-line literal cannot go on; then this was no literal (a regex, say).
                    if !isMultiline, bytes[index] == UInt8(ascii: "\n") { state = .code }
                    blank(width)
                }
            }
            index += width
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func openingQuote(
        _ bytes: [UInt8], at start: Int
    ) -> (isMultiline: Bool, pounds: Int, width: Int)? {
        var index = start
        while index < bytes.count, bytes[index] == UInt8(ascii: "#") { index += 1 }
        let pounds = index - start
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { return nil }
        let isMultiline = bytes[index...].starts(with: "\"\"\"".utf8)
        return (isMultiline, pounds, pounds + (isMultiline ? 3 : 1))
    }
}

/// Where functions begin and end, by their braces.
struct FunctionSpan: Sendable, Hashable {
    var name: String
    /// Number of the line with its name, from 1.
    var line: Int
    var length: Int

    /// Functions, initializers and subscripts of a file; closures belong to what they stand in.
    static func all(in code: [String]) -> [FunctionSpan] {
        var spans: [FunctionSpan] = []
        for (index, line) in code.enumerated() {
            guard let name = declaredName(line) else { continue }
            if let end = endLine(from: index, in: code) {
                spans.append(FunctionSpan(name: name, line: index + 1, length: end - index + 1))
            }
        }
        return spans
    }

    private static func declaredName(_ line: String) -> String? {
        let words = line.split(whereSeparator: { " (<".contains($0) }).map(String.init)
        if let index = words.firstIndex(of: "func"), index + 1 < words.count {
            return words[index + 1]
        }
        let modifiers: Set = [
            "public", "package", "internal", "private", "fileprivate", "convenience", "required",
            "override", "@usableFromInline", "@inlinable",
        ]
        guard let first = words.first(where: { !modifiers.contains($0) }) else { return nil }
        return ["init", "init?", "deinit", "subscript"].contains(first) ? first : nil
    }

    /// Nil for a declaration without a body, as in a protocol.
    private static func endLine(from start: Int, in code: [String]) -> Int? {
        var braces = 0
        var parentheses = 0
        var hasBody = false
        for index in start..<code.count {
            for character in code[index] {
                switch character {
                case "(": parentheses += 1
                case ")": parentheses -= 1
                case "{":
                    braces += 1
                    if parentheses == 0 { hasBody = true }
                case "}": braces -= 1
                default: break
                }
                if braces < 0 { return nil }
                if hasBody, braces == 0 { return index }
            }
            // The signature is over and no body has begun: a requirement of a protocol.
            if !hasBody, parentheses == 0, index + 1 < code.count {
                let next = code[index + 1].trimmingPrefix { $0 == " " }
                let goesOn = [")", "->", "throws", "async", "where", "{"].contains {
                    next.hasPrefix($0)
                }
                if !goesOn, !code[index].hasSuffix("where"), !code[index].hasSuffix(",") {
                    return nil
                }
            }
        }
        return nil
    }
}
