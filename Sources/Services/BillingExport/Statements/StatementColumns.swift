import MeteringModel
import MeteringPorts

/// The columns of the CSV format: a line of a statement each. New ones are added at the end.
enum StatementColumns {
    static let names = columns.map(\.name)

    static func cells(_ row: StatementRow) -> [CSVLine.Cell] { columns.map { $0.cell(row) } }

    private struct Column: Sendable {
        var name: String
        var cell: @Sendable (StatementRow) -> CSVLine.Cell
        init(_ name: String, _ cell: @escaping @Sendable (StatementRow) -> CSVLine.Cell) {
            self.name = name
            self.cell = cell
        }
    }

    private static let columns = [
        Column("month") { .text($0.statement.month.description) },
        Column("customer") { .text($0.statement.customer.rawValue) },
        Column("line_id") { .text($0.line.id) },
        Column("kind") { .text($0.line.kind.rawValue) },
        Column("feature") { .text($0.line.feature?.rawValue) },
        Column("meter") { .text($0.line.meter?.rawValue) },
        Column("item") { .text($0.line.item) },
        Column("subscription") { .text($0.line.subscription) },
        Column("source") { .text($0.source) },
        Column("period_start") { .text(StatementRow.time($0.line.period.start)) },
        Column("period_end") { .text(StatementRow.time($0.line.period.end)) },
        Column("from") { .text(StatementRow.time($0.line.from)) },
        Column("to") { .text(StatementRow.time($0.line.to)) },
        Column("quantity") { .number($0.quantity) },
        Column("included_quantity") { .number($0.includedQuantity) },
        Column("unit_price") { .number($0.unitPrice) },
        Column("exact_amount") { .number($0.exactAmount) },
        Column("amount") { .number($0.amount) },
        Column("currency") { .text($0.line.currency.code) },
        Column("corrects_month") { .text($0.line.correction?.month.description) },
        Column("amount_before") { .number($0.amountBefore) },
        Column("amount_after") { .number($0.amountAfter) },
        Column("causes") { .text($0.causes) },
        Column("statement") { .number(String($0.statement.sequence)) },
        Column("closed_at") { .text(StatementRow.time($0.statement.closedAt)) },
    ]
}
