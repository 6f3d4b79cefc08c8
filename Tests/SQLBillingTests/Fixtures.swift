import Foundation
import MeteringModel
import MeteringPorts
import SQLBilling

/// A store of its own in a folder that goes away with it.
final class StoreFixture {
    let folder: String
    private(set) var store: SQLBilling

    init() throws {
        folder = NSTemporaryDirectory() + "tollgate-sqlbilling-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        store = try SQLBilling(path: folder + "/billing.db")
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func reopen() throws {
        store.close()
        store = try SQLBilling(path: folder + "/billing.db")
    }
}

let october = BillingMonth(count: 2026 * 12 + 9)
let instant = Timestamp(seconds: 1_793_500_000)
let period = Period(start: Timestamp(seconds: 1_790_800_000), end: instant)

func currency(_ code: String) -> Currency {
    guard let currency = Currency(code) else { preconditionFailure("\(code) is no currency") }
    return currency
}

func line(
    _ id: String, _ amount: Int64, _ code: String = "EUR",
    correcting corrected: BillingMonth? = nil
) -> StatementLine {
    StatementLine(
        id: id, kind: corrected == nil ? .usage : .adjustment, key: "key-" + id,
        feature: "tokens", meter: "tokens", item: nil, subscription: nil, period: period,
        from: period.start, to: period.end, quantity: 12, scale: 2, currency: currency(code),
        amount: amount,
        correction: corrected.map {
            StatementLine.Correction(
                month: $0, amountBefore: 1, amountAfter: 1 + amount, quantityBefore: 0,
                quantityAfter: 12,
                causes: [BillingCause(kind: .lateUsage, id: "7", at: instant)])
        }, document: .object(["id": .string(id), "text": .string("é \"quoted\"")]))
}

func closing(
    _ customer: CustomerID, _ month: BillingMonth = october, _ lines: [StatementLine] = [],
    marks: [BillingMark] = []
) -> StatementClosing {
    StatementClosing(
        customer: customer, month: month, zone: "Europe/Berlin", period: period,
        closedAt: instant, closedBy: "tollgate", reason: nil, revision: 3, lines: lines,
        marks: marks)
}

func mark(
    _ customer: CustomerID, _ id: String, dueAt: Timestamp? = nil,
    month: BillingMonth = october
) -> BillingMark {
    BillingMark(
        customer: customer, month: month,
        cause: BillingCause(kind: .contractChange, id: id, at: instant), dueAt: dueAt)
}
