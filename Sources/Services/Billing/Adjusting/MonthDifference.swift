import Entitlements
import MeteringModel
import MeteringPorts

/// What a month should have cost, against what was billed for it so far; charge by charge.
struct MonthDifference {
    private struct Key: Hashable {
        var key: String
        var currency: Currency

        static func == (left: Key, right: Key) -> Bool {
            left.currency == right.currency && left.key.utf8.elementsEqual(right.key.utf8)
        }
    }

    private struct Charge {
        var billed: Int64 = 0
        var billedQuantity: Int64 = 0
        var due: Int64 = 0
        var dueQuantity: Int64 = 0
        /// The line as it should be; the one that was billed last where there should be none.
        var line: StatementLine
        var isDue = false
    }

    let customer: CustomerID
    let month: BillingMonth
    private var charges: [Key: Charge] = [:]
    /// Keys in the order of their lines.
    private var order: [Key] = []
    private var isOver = false

    init(customer: CustomerID, month: BillingMonth) {
        self.customer = customer
        self.month = month
    }

    mutating func add(billed lines: [StatementLine]) {
        for line in lines {
            change(line) { charge in
                charge.billed.addReporting(line.amount)
                    || charge.billedQuantity.addReporting(line.quantity)
            }
        }
    }

    mutating func add(due lines: [StatementLine]) {
        for line in lines {
            change(line) { charge in
                if !charge.isDue { charge.line = line }
                charge.isDue = true
                return charge.due.addReporting(line.amount)
                    || charge.dueQuantity.addReporting(line.quantity)
            }
        }
    }

    private mutating func change(_ line: StatementLine, _ body: (inout Charge) -> Bool) {
        let key = Key(key: line.key, currency: line.currency)
        if charges[key] == nil { order.append(key) }
        var charge = charges[key] ?? Charge(line: line)
        if body(&charge) { isOver = true }
        charges[key] = charge
    }

    /// Sums of what differs, by currency; for those who only check.
    var drifts: [(line: StatementLine, billed: Int64, due: Int64)] {
        order.compactMap { key in
            guard let charge = charges[key], charge.billed != charge.due else { return nil }
            return (charge.line, charge.billed, charge.due)
        }
    }

    /// One line for each charge whose amount differs.
    /// - Parameter count: adjustments that the month has already; part of the new ones' ids.
    /// - Throws: `.unrateable` when sums leave 64 bits.
    func adjustments(
        after count: Int, causes: [BillingCause]
    ) throws(BillingError) -> [StatementLine] {
        var lines: [StatementLine] = []
        for key in order {
            guard let charge = charges[key], charge.billed != charge.due else { continue }
            let (amount, isTooMuch) = charge.due.subtractingReportingOverflow(charge.billed)
            let (quantity, isTooMany) = charge.dueQuantity
                .subtractingReportingOverflow(charge.billedQuantity)
            if isOver || isTooMuch || isTooMany {
                throw BillingError(
                    .unrateable, "\(month) of \(customer): its amounts leave 64 bits")
            }
            let id = LineIdentity(customer: customer, month: month)
                .adjustmentID(key.key, key.currency, ordinal: count + lines.count)
            lines.append(
                adjustment(
                    charge, id: id, amount: amount, quantity: quantity,
                    StatementLine.Correction(
                        month: month, amountBefore: charge.billed, amountAfter: charge.due,
                        quantityBefore: charge.billedQuantity, quantityAfter: charge.dueQuantity,
                        causes: causes)))
        }
        return lines
    }

    private func adjustment(
        _ charge: Charge, id: String, amount: Int64, quantity: Int64,
        _ correction: StatementLine.Correction
    ) -> StatementLine {
        var line = charge.line
        // Of an adjustment that is adjusted again, the charge that both are about.
        let about = line.document["charge"] ?? line.document
        line.id = id
        line.kind = .adjustment
        line.amount = amount
        line.quantity = quantity
        line.correction = correction
        let currency = line.currency
        line.document = .members([
            "id": .string(id), "kind": .string("adjustment"), "key": .string(line.key),
            "feature": line.feature.map { .string($0.rawValue) },
            "meter": line.meter.map { .string($0.rawValue) },
            "subscription": line.subscription.map { .string($0) },
            "item": line.item.map { .string($0) }, "source": about["source"],
            "period": LineDocument.period(line.period), "from": LineDocument.time(line.from),
            "to": LineDocument.time(line.to), "corrects": .string(month.description),
            "amount_before": LineDocument.money(correction.amountBefore, currency),
            "amount_after": LineDocument.money(correction.amountAfter, currency),
            "quantity_before": RecordCodec.quantity(correction.quantityBefore, scale: line.scale),
            "quantity_after": RecordCodec.quantity(correction.quantityAfter, scale: line.scale),
            "quantity": RecordCodec.quantity(quantity, scale: line.scale),
            "amount": LineDocument.money(amount, currency), "amount_minor": .integer(amount),
            "currency": .string(currency.code),
            "causes": LineDocument.causes(correction.causes), "charge": about,
            // False: nothing should have been charged under this key.
            "is_charged": .bool(charge.isDue),
        ])
        return line
    }
}

extension Int64 {
    /// Adds and says whether it did not fit.
    fileprivate mutating func addReporting(_ other: Int64) -> Bool {
        let (sum, isOver) = addingReportingOverflow(other)
        self = sum
        return isOver
    }
}
