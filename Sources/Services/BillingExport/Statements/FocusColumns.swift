import MeteringModel
import MeteringPorts

/// The columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification): the 21 that are mandatory
/// and five more, in the order of their names, then our own. Null is the empty cell.
struct FocusColumns: Sendable {
    /// Who sells, publishes and invoices what is billed.
    let issuer: String

    static let names =
        [
            "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
            "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass",
            "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity",
            "ConsumedUnit", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
            "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory",
            "ServiceName", "SkuId", "SubAccountId", "Tags",
        ]
        + [
            "x_BillingMonth", "x_Causes", "x_CorrectsMonth", "x_ExactCost", "x_Kind", "x_LineId",
            "x_StatementId", "x_TimeZone",
        ]

    func cells(_ row: StatementRow) -> [CSVLine.Cell] {
        let (line, statement) = (row.line, row.statement)
        let unit = unit(row)
        return [
            .number(row.amount),
            .text(statement.customer.rawValue),
            // Names change, and a file of a closed month must not.
            .text(statement.customer.rawValue),
            .text(line.currency.code),
            .text(StatementRow.time(statement.period.end)),
            .text(StatementRow.time(statement.period.start)),
            .text(category(row)),
            .text(line.correction == nil ? nil : "Correction"),
            .text(description(row)),
            .text(StatementRow.time(line.to)),
            .text(StatementRow.time(line.from)),
            .number(row.consumedQuantity),
            row.consumedQuantity == nil ? .empty : .text(unit),
            // Prices are the contract's own: nothing is discounted between list and bill.
            .number(row.amount),
            .number(row.amount),
            .text(issuer),
            .number(row.amount),
            .number(row.quantity),
            .text(unit),
            .text(issuer),
            .text(issuer),
            .text("Other"),
            .text(line.item ?? line.feature?.rawValue ?? "Usage"),
            .text(sku(row)),
            .text(line.subscription),
            .text(tags(row).canonicalText),
            .text(statement.month.description),
            .text(row.causes),
            .text(line.correction?.month.description),
            .number(row.exactAmount),
            .text(line.kind.rawValue),
            .text(line.id),
            .number(String(statement.sequence)),
            .text(statement.zone),
        ]
    }

    /// A correction is of the category of what it corrects; what FOCUS has no word for, minimums,
    /// is an adjustment.
    private func category(_ row: StatementRow) -> String {
        switch row.chargeKind {
        case .usage: "Usage"
        case .fee, .seats, .addOn: "Purchase"
        case .minimum, .adjustment: "Adjustment"
        }
    }

    private func description(_ row: StatementRow) -> String {
        let about = row.line.feature?.rawValue ?? row.line.item ?? row.line.key
        let what =
            switch row.chargeKind {
            case .usage: "Usage of \(about)"
            case .minimum: "Minimum for \(about)"
            case .fee: "Fee of \(about)"
            case .seats: "Seats: \(about)"
            case .addOn: "Add-on \(about)"
            case .adjustment: "Adjustment of \(about)"
            }
        let source = row.source.map { ", \($0)" } ?? ""
        guard let correction = row.line.correction else { return what + source }
        return "Correction of \(correction.month): \(what)\(source)"
    }

    /// Meters' units are free text that may be changed; their keys are not.
    private func unit(_ row: StatementRow) -> String {
        switch row.chargeKind {
        case .usage, .minimum: row.line.meter?.rawValue ?? row.line.feature?.rawValue ?? "Units"
        case .seats: "Seats"
        case .fee, .addOn, .adjustment: "Units"
        }
    }

    /// The price that was asked: `plan pro v3/tokens`.
    private func sku(_ row: StatementRow) -> String {
        let source = row.source ?? row.line.item ?? row.line.key
        switch row.chargeKind {
        case .usage, .minimum, .seats:
            return row.line.feature.map { "\(source)/\($0)" } ?? source
        case .fee, .addOn, .adjustment: return source
        }
    }

    private func tags(_ row: StatementRow) -> JSONValue {
        .members([
            "feature": row.line.feature.map { .string($0.rawValue) },
            "item": row.line.item.map { .string($0) },
            "meter": row.line.meter.map { .string($0.rawValue) },
        ])
    }
}
