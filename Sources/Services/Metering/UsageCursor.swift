import Foundation
import MeteringModel
import MeteringPorts

/// Names the last row of a page of usage, and the question that it belongs to.
struct UsageCursor {
    private struct Content: Codable {
        var question: String
        var start: Int64
        var values: [String]
    }

    private let content: Content

    /// After a page whose last row is `row`.
    init(_ row: UsageReport.Window, _ query: UsageQuery) {
        content = Content(
            question: Self.question(query), start: row.start.microseconds,
            values: query.groupBy.map { row.group[$0] ?? "" })
    }

    /// - Throws: `.invalid` for what is no cursor, or that of another question.
    init(_ text: String, of question: String, valueCount: Int) throws(QueryError) {
        let base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: base64 + padding),
            let content = try? JSONDecoder().decode(Content.self, from: data),
            content.values.count == valueCount || content.question != question
        else {
            throw QueryError(code: .invalid, message: "cursor is not one that a page returned")
        }
        guard content.question == question else {
            throw QueryError(
                code: .invalid,
                message: "cursor belongs to another question; repeat customer, feature, window, "
                    + "group_by and filter of the page that returned it")
        }
        self.content = content
    }

    var text: String {
        // Strings and numbers: this cannot fail.
        let data = (try? JSONEncoder().encode(content)) ?? Data()
        return data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }

    var start: Timestamp { Timestamp(microseconds: content.start) }

    /// Whether a row comes after the page.
    func isBefore(_ start: Timestamp, _ values: [ByteText]) -> Bool {
        if start != self.start { return self.start < start }
        return content.values.map(ByteText.init).lexicographicallyPrecedes(values)
    }

    /// What must be the same from page to page, in short. Bounds of time may move.
    static func question(_ query: UsageQuery) -> String {
        var hash = KeyHash(k0: 0, k1: 0).hash(query.customer.rawValue, query.feature)
        for part in [query.window.rawValue, "|"] + query.groupBy + ["|"] + query.filters.sorted() {
            hash = KeyHash(k0: hash, k1: 1).hash(part)
        }
        return String(hash, radix: 36)
    }
}
