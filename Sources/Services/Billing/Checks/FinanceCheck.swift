import Entitlements
import MeteringModel
import MeteringPorts

/// Compares what was billed with what the ledger and the contracts come to now.
///
/// A month that something bears on and that was not looked at again yet is listed as waiting, not
/// as a drift; what has only just happened is followed first, so that it waits too.
///
/// Costs one rating of every closed month of every customer, on one core: some tenths of a
/// millisecond for a month with a statement, a tenth of that for one without. A few customers are
/// read and rated at a time; then others have their turn. The engine is asked for no more than
/// what is closed, so closing and adjusting go on meanwhile. The answer is bounded: each list ends
/// at `findingsMax`, while its count goes on.
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
        var drifts = List()
        var mismatches = List()
        var waiting = List()

        struct List {
            private(set) var items: [JSONValue] = []
            private(set) var count = 0

            mutating func add(_ found: [JSONValue]) {
                count += found.count
                items += found.prefix(FinanceCheck.findingsMax - items.count)
            }
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
            try await follow()
            if let only = only ?? nil {
                try await check([only], month, in: snapshot, &findings)
            } else {
                var number = 0
                while !Task.isCancelled, let chunk = customers(from: &number, in: snapshot) {
                    try await check(chunk, month, in: snapshot, &findings)
                    await Task.yield()
                }
            }
        } catch {
            throw .billing(error)
        }
        return ControlAnswer(body: Self.document(findings))
    }

    private func follow() async throws(BillingError) {
        for _ in 0..<Self.followsMax { if try await engine.follow() == 0 { break } }
    }

    /// The next who are checked together; nil behind the last.
    private func customers(
        from number: inout Int, in snapshot: CatalogSnapshot
    ) -> [CompiledCustomer]? {
        var found: [CompiledCustomer] = []
        while number < snapshot.customerCount, found.count < sources.settings.readingCountMax {
            let customer = snapshot.customer(number)
            number += 1
            if customer.isBilled, customer.firstSubscription != nil { found.append(customer) }
        }
        return found.isEmpty ? nil : found
    }

    private func check(
        _ customers: [CompiledCustomer], _ month: BillingMonth?, in snapshot: CatalogSnapshot,
        _ findings: inout Findings
    ) async throws(BillingError) {
        let first = try await reports(customers, month, in: snapshot)
        for (customer, report) in zip(customers, first) {
            var report = report
            if !report.drifts.isEmpty {
                // Usage may have come, or an adjustment been written, between the one reading and
                // the other: a drift is one that is still there once that is followed.
                try await follow()
                let again = try await reports([customer], month, in: sources.catalog.load())
                report = again[0]
            }
            findings.customers += 1
            findings.months += report.months
            findings.lines += report.lines
            findings.drifts.add(report.drifts)
            findings.mismatches.add(report.mismatches)
            findings.waiting.add(report.waiting)
        }
    }

    /// One for each customer, in their order.
    private func reports(
        _ customers: [CompiledCustomer], _ month: BillingMonth?, in snapshot: CatalogSnapshot
    ) async throws(BillingError) -> [CustomerCheck.Report] {
        let closed = await engine.closedSoFar
        let (store, ids) = (sources.store, customers.map(\.id))
        let histories = try BillingError.store { () throws(BillingStoreError) in
            try store.histories(of: ids)
        }
        var checks: [CustomerCheck] = []
        for (customer, history) in zip(customers, histories) {
            checks.append(
                try CustomerCheck(
                    customer, history, closed, month, maker: engine.maker, in: snapshot))
        }
        let usage = try KnownUsage(checks.flatMap(\.keys), sources.queries)
        var reports: [CustomerCheck.Report] = []
        for check in checks { reports.append(try check.report(usage)) }
        return reports
    }

    private static func document(_ findings: Findings) -> JSONValue {
        .object([
            "checked": .object([
                "customers": .integer(findings.customers), "months": .integer(findings.months),
                "lines": .integer(findings.lines),
            ]),
            "drifts": .array(findings.drifts.items),
            "drift_count": .integer(findings.drifts.count),
            "mismatches": .array(findings.mismatches.items),
            "mismatch_count": .integer(findings.mismatches.count),
            "waiting": .array(findings.waiting.items),
            "waiting_count": .integer(findings.waiting.count),
        ])
    }
}
