import Entitlements
import Logging
import MeteringModel
import MeteringPorts

/// Closing months when their grace is over.
extension BillingEngine {
    /// Closes every month that is due. Each customer's month is closed in one transaction, several
    /// customers at a time; where it stopped (a crash, a cancelled task) the next call goes on,
    /// because a month of a customer is closed once.
    /// - Returns: how many statements were written.
    @discardableResult
    package func closeDue() async throws(BillingError) -> Int {
        try prepare()
        var count = 0
        while !Task.isCancelled, let instant = completeTo(),
            let due = zones.due(instant, graceSeconds: sources.settings.graceSeconds)
        {
            count += try await close(due.name, due.zone.next)
        }
        return count
    }

    /// To where the log is complete and the clock has come.
    func completeTo() -> Timestamp? {
        sources.completeTo().map { min($0, sources.clock.now()) }
    }

    private func close(_ zone: String, _ month: BillingMonth) async throws(BillingError) -> Int {
        zones.setClosing(zone, month)
        defer { zones.setClosing(zone, nil) }
        var (number, count) = (0, 0)
        while !Task.isCancelled {
            let snapshot = sources.catalog.load()
            let chunk = customers(of: zone, from: &number, in: snapshot)
            if chunk.isEmpty {
                // Nothing ran since the snapshot was loaded, so no customer has been added.
                try finish(zone, month, count)
                break
            }
            count += try close(chunk, month, by: .clock, in: snapshot).compactMap(\.self).count
            await Task.yield()
        }
        return count
    }

    private func finish(
        _ zone: String, _ month: BillingMonth, _ count: Int
    ) throws(BillingError) {
        let store = sources.store
        try BillingError.store { () throws(BillingStoreError) in
            try store.setClosedThrough(zone: zone, month)
        }
        zones.setClosedThrough(zone, month)
        sources.logger.info(
            "month closed",
            metadata: ["month": "\(month)", "zone": "\(zone)", "statements": "\(count)"])
    }

    /// The next customers of a zone, at most as many as are closed together.
    private func customers(
        of zone: String, from number: inout Int, in snapshot: CatalogSnapshot
    ) -> [CompiledCustomer] {
        var found: [CompiledCustomer] = []
        while number < snapshot.customerCount, found.count < sources.settings.closingCountMax {
            let customer = snapshot.customer(number)
            number += 1
            if customer.isBilled, customer.zone.name == zone { found.append(customer) }
        }
        return found
    }

    /// Who closes, and what is to be looked at again for that.
    struct Closer: Sendable {
        var name: String
        var reason: String?
        static let clock = Closer(name: "tollgate", reason: nil)
    }

    /// Rates the month of some customers and closes it in one transaction.
    /// - Returns: the statements in the order of the customers, those with nothing to bill left
    ///   out; nil for one that was closed before.
    func close(
        _ customers: [CompiledCustomer], _ month: BillingMonth, by closer: Closer,
        in snapshot: CatalogSnapshot
    ) throws(BillingError) -> [ClosedStatement?] {
        let reading = try MonthReading(customers, month, sources)
        let keys = customers.flatMap { customer in
            UsageCharges(sources, snapshot, customer, reading.frame(of: customer).frame)
                .keys(dueBefore: nil)
        }
        let usage = try KnownUsage(keys, sources.queries)
        var closings: [StatementClosing] = []
        for customer in customers {
            do throws(BillingError) {
                if let next = try closing(customer, reading, usage, by: closer, in: snapshot) {
                    closings.append(next)
                }
            } catch  where error.code == .unrateable {
                // One customer must not hold up the others. The mark has it billed, as an
                // adjustment, once somebody has put it right.
                sources.logger.error(
                    "a month cannot be rated: \(error.message)",
                    metadata: ["customer": "\(customer.id)", "month": "\(month)"])
                try noteUnrated(customer, month)
            }
        }
        let (store, made) = (sources.store, closings)
        return try BillingError.store { () throws(BillingStoreError) in try store.close(made) }
    }

    /// Nil when the month is closed, or has nothing that a statement could be of.
    private func closing(
        _ customer: CompiledCustomer, _ reading: MonthReading, _ usage: KnownUsage,
        by closer: Closer, in snapshot: CatalogSnapshot
    ) throws(BillingError) -> StatementClosing? {
        let month = reading.month
        let (frame, closed) = reading.frame(of: customer)
        if closed != nil { return nil }
        let draft = try maker.draft(
            of: customer, frame, in: snapshot, ReadAhead(usage: usage))
        if draft.lines.isEmpty, !draft.isPriced, reading.pendingLines(customer.id).isEmpty {
            return nil
        }
        let now = sources.clock.now()
        var closing = StatementClosing(
            customer: customer.id, month: month, zone: frame.zone.name, period: frame.period,
            closedAt: now, closedBy: closer.name, reason: closer.reason,
            revision: snapshot.revision, lines: draft.lines)
        if frame.seamBefore != nil {
            // What came late to the hours between the two zones' midnights was on time for metering,
            // in this month's period, but may belong to the month before.
            closing.marks.append(
                BillingMark(
                    customer: customer.id, month: month.previous,
                    cause: BillingCause(kind: .recheck, id: "time_zone", at: now), dueAt: now))
        }
        let graceEnds = frame.period.end.adding(seconds: sources.settings.graceSeconds)
        if graceEnds > completeTo() ?? .distantPast {
            // Closed by hand while events may still come that nothing else tells of.
            let next = now.adding(seconds: sources.settings.recheckSeconds)
            closing.marks.append(
                BillingMark(
                    customer: customer.id, month: month, cause: .grace(at: now),
                    dueAt: min(next, graceEnds)))
        }
        return closing
    }

    func noteUnrated(
        _ customer: CompiledCustomer, _ month: BillingMonth
    ) throws(BillingError) {
        let now = sources.clock.now()
        let mark = BillingMark(
            customer: customer.id, month: month,
            cause: BillingCause(kind: .recheck, id: "unrated", at: now),
            dueAt: now.adding(seconds: sources.settings.retrySeconds))
        let store = sources.store
        try BillingError.store { () throws(BillingStoreError) in
            try store.note([mark], cursor: nil)
        }
    }
}
