import MeteringModel

/// One member of an event's data, from the columns of a row: `model=Model` takes a column as it is,
/// `total=ColA+ColB` adds columns up, exactly.
struct DataMapping: Sendable, Hashable {
    var member: String
    var columns: [String]

    /// Parses `name=Column` or `name=ColumnA+ColumnB…`; nil when it is not of that form.
    init?(_ text: String) {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        member = String(text[..<equals])
        columns = text[text.index(after: equals)...]
            .split(separator: "+", omittingEmptySubsequences: false).map(String.init)
        if member.isEmpty || columns.contains("") { return nil }
    }

    /// The member's value.
    /// - Parameter fields: the row's fields of `columns`, in that order.
    /// - Throws: a `RowProblem` when one of several is not a number, or the sum leaves Int64.
    func value(of fields: [String]) throws(RowProblem) -> JSONValue {
        if fields.count == 1 {
            // Digits that JSON would not take as a number (007, +1, ' 12') are text.
            return JSONNumber.isValid(fields[0]) ? .number(fields[0]) : .string(fields[0])
        }
        return .number(try Self.sum(fields))
    }

    /// The exact sum of decimal numbers.
    static func sum(_ fields: [String]) throws(RowProblem) -> String {
        var terms: [DecimalQuantity] = []
        for field in fields {
            guard let term = try? DecimalQuantity(field) else {
                throw RowProblem(code: "bad_number", detail: "'\(field)' is not a number")
            }
            terms.append(term)
        }
        let scale = max(0, -(terms.map(\.exponent).min() ?? 0))
        var total: Int64 = 0
        for term in terms {
            guard let units = try? term.units(scale: scale) else {
                throw RowProblem(code: "bad_number", detail: "the sum is too large")
            }
            let (sum, overflow) = total.addingReportingOverflow(units)
            if overflow { throw RowProblem(code: "bad_number", detail: "the sum is too large") }
            total = sum
        }
        return DecimalQuantity.text(units: total, scale: scale)
    }
}

/// Why a row of a trace, or a line of NDJSON, could not become an event.
struct RowProblem: Error, Sendable, Hashable {
    var code: String
    var detail: String
}

enum JSONNumber {
    /// Whether `text` is a number of RFC 8259.
    static func isValid(_ text: String) -> Bool {
        text.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/) != nil
    }
}
