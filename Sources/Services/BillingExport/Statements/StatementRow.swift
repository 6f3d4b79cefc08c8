import MeteringModel
import MeteringPorts

/// A line and the closed statement that it is of, with the texts that formats make columns of. All
/// of it was written when the month was closed, so a file of a closed month is always the same.
struct StatementRow: Sendable {
    let statement: ClosedStatement
    let line: StatementLine

    /// What the line was rated as; of an adjustment, the charge that it puts right.
    private var charge: JSONValue { line.document["charge"] ?? line.document }

    var chargeKind: StatementLine.Kind {
        if line.kind != .adjustment { return line.kind }
        return charge["kind"]?.text.flatMap(StatementLine.Kind.init(rawValue:)) ?? .adjustment
    }

    /// E.g. `plan pro v3`.
    var source: String? { charge["source"]?.text }
    var quantity: String { DecimalQuantity.text(units: line.quantity, scale: line.scale) }
    var includedQuantity: String? {
        line.kind == .adjustment ? nil : line.document["included_quantity"]?.digits
    }
    var unitPrice: String? { line.document["unit_price"]?.text }
    /// Before rounding: a decimal, or a fraction.
    var exactAmount: String? { line.document["exact_amount"]?.text }
    var amount: String { money(line.amount) }
    var amountBefore: String? { line.correction.map { money($0.amountBefore) } }
    var amountAfter: String? { line.correction.map { money($0.amountAfter) } }
    /// `late_usage 17; correction c_1`
    var causes: String? {
        line.correction.map { correction in
            correction.causes.map { "\($0.kind.rawValue) \($0.id)" }.joined(separator: "; ")
        }
    }

    /// Smallest units that were used for the line, with those that cost nothing. Nil where it is
    /// not usage, or not known exactly.
    var consumedQuantity: String? {
        guard line.kind == .usage,
            let included = includedQuantity.flatMap({ try? DecimalQuantity($0) }),
            let units = try? included.units(scale: line.scale)
        else { return nil }
        let (sum, isOver) = line.quantity.addingReportingOverflow(units)
        return isOver ? nil : DecimalQuantity.text(units: sum, scale: line.scale)
    }

    private func money(_ amount: Int64) -> String {
        let places = line.currency.minorUnitPlaces
        return ExactDecimal(units: Int128(amount), scale: places).text(placesMin: places)
    }

    /// UTC, whole seconds unless there are parts of one.
    static func time(_ instant: Timestamp) -> String { instant.rfc3339() }

    /// One line of NDJSON, and what the topic carries.
    var document: JSONValue {
        .members([
            "month": .string(statement.month.description),
            "customer": .string(statement.customer.rawValue),
            "statement": .integer(statement.sequence),
            "time_zone": .string(statement.zone),
            "statement_period": .object([
                "start": .string(Self.time(statement.period.start)),
                "end": .string(Self.time(statement.period.end)),
            ]),
            "closed_at": .string(Self.time(statement.closedAt)),
            "line": line.document,
        ])
    }
}
