import Entitlements
import MeteringModel
import MeteringPorts

/// Compares what was billed with what the ledger and the contracts come to now.
///
/// A month that something bears on and that was not looked at again yet is listed as waiting, not
/// as a drift; what has only just happened is followed first, so that it waits too. Takes as long as
/// rating everything takes.
struct FinanceCheck {
    private static let findingsMax = 1_000
    /// Feeds that grow all the time must not hold up a check.
    private static let followsMax = 100

    let sources: BillingSources
    let engine: BillingEngine

    init(_ sources: BillingSources, _ engine: BillingEngine) {
        self.sources = sources
        self.engine = engine
    }

    private struct Findings {
        var customers = 0
        var months = 0
        var lines = 0
        var drifts: [JSONValue] = []
        var driftCount = 0
        var mismatches: [JSONValue] = []
        var mismatchCount = 0
        var waiting: [JSONValue] = []
        var waitingCount = 0
        /// A list is cut off at `findingsMax`; the count goes on.
        static func add(_ item: JSONValue, to list: inout [JSONValue], _ count: inout Int) {
            count += 1
            if list.count < FinanceCheck.findingsMax { list.append(item) }
        }
    }

    /// - Parameter month: nil: every closed month.
    func answer(
        _ month: BillingMonth?, _ customer: CustomerID?
    ) async throws(ControlProblem) -> ControlAnswer {
        var findings = Findings()
        let snapshot = sources.catalog.load()
        let only = customer.map { snapshot.billed($0) }
        if let customer, (only ?? nil) == nil { throw .notBilled(customer) }
        do throws(BillingError) {
            for _ in 0..<Self.followsMax { if try await engine.follow() == 0 { break } }
            if let only = only ?? nil {
                try await check(only, month, in: snapshot, &findings)
            } else {
                for number in 0..<snapshot.customerCount where !Task.isCancelled {
                    let customer = snapshot.customer(number)
                    guard customer.isBilled, customer.firstSubscription != nil else { continue }
                    try await check(customer, month, in: snapshot, &findings)
                }
            }
        } catch {
            throw .billing(error)
        }
        return ControlAnswer(body: Self.document(findings))
    }

    private static func document(_ findings: Findings) -> JSONValue {
        .object([
            "checked": .object([
                "customers": .integer(findings.customers), "months": .integer(findings.months),
                "lines": .integer(findings.lines),
            ]),
            "drifts": .array(findings.drifts), "drift_count": .integer(findings.driftCount),
            "mismatches": .array(findings.mismatches),
            "mismatch_count": .integer(findings.mismatchCount),
            "waiting": .array(findings.waiting),
            "waiting_count": .integer(findings.waitingCount),
        ])
    }

    private func check(
        _ customer: CompiledCustomer, _ month: BillingMonth?, in snapshot: CatalogSnapshot,
        _ findings: inout Findings
    ) async throws(BillingError) {
        findings.customers += 1
        let months = try await engine.closedMonths(of: customer, from: .distantPast)
        for closed in months where month == nil || month == closed {
            try compare(customer, closed, in: snapshot, &findings)
        }
        await Task.yield()
    }

    private func compare(
        _ customer: CompiledCustomer, _ month: BillingMonth, in snapshot: CatalogSnapshot,
        _ findings: inout Findings
    ) throws(BillingError) {
        let store = sources.store
        let (frame, _) = try sources.frame(of: customer, month)
        let (billed, marks) = try BillingError.store { () throws(BillingStoreError) in
            (try store.billed(customer.id, month), try store.marks(customer.id, month))
        }
        findings.months += 1
        findings.lines += billed.lines.count + billed.adjustments.count
        let draft: StatementMaker.Draft
        do throws(BillingError) {
            draft = try engine.maker.draft(of: customer, frame, in: snapshot)
        } catch  where error.code == .unrateable {
            Findings.add(
                mismatch("unrateable", customer, month, ["detail": .string(error.message)]),
                to: &findings.mismatches, &findings.mismatchCount)
            return
        }
        var difference = MonthDifference(customer: customer.id, month: month)
        difference.add(billed: billed.lines + billed.adjustments)
        difference.add(due: draft.lines)
        if marks.isEmpty {
            for drift in difference.drifts {
                Findings.add(
                    document(customer, month, drift), to: &findings.drifts, &findings.driftCount)
            }
        } else {
            Findings.add(
                .object([
                    "customer": .string(customer.id.rawValue),
                    "month": .string(month.description),
                    "causes": LineDocument.causes(marks.map(\.mark.cause)),
                    "lines_that_differ": .integer(difference.drifts.count),
                ]), to: &findings.waiting, &findings.waitingCount)
        }
        let comparison = EntitlementComparison(
            sources: sources, maker: engine.maker, snapshot: snapshot, customer: customer)
        for found in try comparison.mismatches(in: frame) {
            Findings.add(
                mismatch(found.kind, customer, month, found.members), to: &findings.mismatches,
                &findings.mismatchCount)
        }
    }

    private func document(
        _ customer: CompiledCustomer, _ month: BillingMonth,
        _ drift: (line: StatementLine, billed: Int64, due: Int64)
    ) -> JSONValue {
        let (line, currency) = (drift.line, drift.line.currency)
        return .members([
            "customer": .string(customer.id.rawValue), "month": .string(month.description),
            "key": .string(line.key), "feature": line.feature.map { .string($0.rawValue) },
            "item": line.item.map { .string($0) }, "currency": .string(currency.code),
            "billed": LineDocument.money(drift.billed, currency),
            "rated": LineDocument.money(drift.due, currency),
        ])
    }

    private func mismatch(
        _ kind: String, _ customer: CompiledCustomer, _ month: BillingMonth,
        _ members: [String: JSONValue]
    ) -> JSONValue {
        var all = members
        all["kind"] = .string(kind)
        all["customer"] = .string(customer.id.rawValue)
        all["month"] = .string(month.description)
        return .object(all)
    }
}
