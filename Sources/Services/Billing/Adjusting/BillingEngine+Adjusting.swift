import Entitlements
import Logging
import MeteringModel
import MeteringPorts

/// Putting closed months right.
extension BillingEngine {
    /// Rates months again that something bears on, and writes what differs from what was billed as
    /// adjustments for the next statement.
    /// - Returns: how many months were looked at; 0 when none waits.
    @discardableResult
    package func adjust() async throws(BillingError) -> Int {
        try prepare()
        guard let instant = completeTo() else { return 0 }
        let (store, limit) = (sources.store, sources.settings.markCountMax)
        let due = try BillingError.store { () throws(BillingStoreError) in
            try store.marks(dueBy: instant, limit: limit)
        }
        var places: [StatementPlace] = []
        for mark in due.map(\.mark) {
            let place = StatementPlace(month: mark.month, customer: mark.customer)
            if !places.contains(place) { places.append(place) }
        }
        var count = 0
        for place in places where !Task.isCancelled {
            if try adjust(place, dueBy: instant) { count += 1 }
            await Task.yield()
        }
        return count
    }

    /// False when the month is being closed just now: its marks wait for that.
    private func adjust(
        _ place: StatementPlace, dueBy instant: Timestamp
    ) throws(BillingError) -> Bool {
        let store = sources.store
        let snapshot = sources.catalog.load()
        let marks = try BillingError.store { () throws(BillingStoreError) in
            try store.marks(place.customer, place.month).filter { $0.mark.dueAt <= instant }
        }
        var settlement = MonthSettlement(
            customer: place.customer, month: place.month, base: 0, lines: [],
            marks: marks.map(\.sequence))
        if let customer = snapshot.billed(place.customer) {
            let (frame, closed) = try sources.frame(of: customer, place.month)
            let zone = zones.zones[customer.zone.name]
            if closed == nil, zone?.closing == place.month { return false }
            let isClosed = closed != nil || zone.map { place.month <= $0.closedThrough } ?? false
            // What is not closed yet will be right when it is closed.
            if isClosed {
                do throws(BillingError) {
                    settlement = try self.settlement(
                        customer, frame, marks, in: snapshot)
                } catch  where error.code == .unrateable {
                    try postpone(marks, error)
                    return true
                }
            }
        }
        try renewGrace(marks, snapshot)
        let made = settlement
        try BillingError.store { () throws(BillingStoreError) in try store.settle(made) }
        if !made.lines.isEmpty {
            sources.logger.info(
                "month adjusted",
                metadata: [
                    "customer": "\(place.customer)", "month": "\(place.month)",
                    "lines": "\(made.lines.count)",
                ])
        }
        return true
    }

    /// The month was closed by hand, and its grace goes on: it will be looked at again. Noted before
    /// the mark is settled, so that a crash in between leaves it.
    private func renewGrace(
        _ marks: [StoredMark], _ snapshot: CatalogSnapshot
    ) throws(BillingError) {
        guard let mark = marks.first(where: { $0.mark.cause.isGrace })?.mark,
            let customer = snapshot.billed(mark.customer)
        else { return }
        let end = mark.month.period(zone: customer.zone).end
            .adding(seconds: sources.settings.graceSeconds)
        guard mark.dueAt < end else { return }
        var next = mark
        next.dueAt = min(end, sources.clock.now().adding(seconds: sources.settings.recheckSeconds))
        let (store, renewed) = (sources.store, next)
        try BillingError.store { () throws(BillingStoreError) in
            try store.note([renewed], cursor: nil)
        }
    }

    private func settlement(
        _ customer: CompiledCustomer, _ frame: MonthFrame, _ marks: [StoredMark],
        in snapshot: CatalogSnapshot
    ) throws(BillingError) -> MonthSettlement {
        let store = sources.store
        let billed = try BillingError.store { () throws(BillingStoreError) in
            try store.billed(customer.id, frame.month)
        }
        let draft = try maker.draft(of: customer, frame, in: snapshot)
        var difference = MonthDifference(customer: customer.id, month: frame.month)
        difference.add(billed: billed.lines + billed.adjustments)
        difference.add(due: draft.lines)
        return MonthSettlement(
            customer: customer.id, month: frame.month, base: billed.adjustments.count,
            lines: try difference.adjustments(
                after: billed.adjustments.count, causes: marks.map(\.mark.cause)),
            marks: marks.map(\.sequence))
    }

    /// What cannot be rated now is tried again later.
    private func postpone(
        _ marks: [StoredMark], _ error: BillingError
    ) throws(BillingError) {
        let until = sources.clock.now().adding(seconds: sources.settings.retrySeconds)
        let later = marks.map { stored in
            var mark = stored.mark
            mark.dueAt = until
            return mark
        }
        let store = sources.store
        sources.logger.error("a closed month cannot be rated again: \(error.message)")
        try BillingError.store { () throws(BillingStoreError) in
            try store.note(later, cursor: nil)
        }
    }
}

extension BillingCause {
    /// Closed by hand before the grace was over.
    static func grace(at instant: Timestamp) -> BillingCause {
        BillingCause(kind: .recheck, id: "grace", at: instant)
    }

    var isGrace: Bool { kind == .recheck && id == "grace" }
}
