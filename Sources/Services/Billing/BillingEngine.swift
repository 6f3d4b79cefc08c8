import Entitlements
import Logging
import MeteringModel
import MeteringPorts

/// Everything that writes to the billing store, one after the other: closing months, following what
/// changes closed ones, writing adjustments.
///
/// Between two awaits nothing else of it runs. That is what the order of its steps rests on: a
/// change is either in the snapshot that a month is closed under, or finds the month closed.
package actor BillingEngine {
    let sources: BillingSources
    nonisolated let maker: StatementMaker
    var zones = ZoneBook()
    /// No month before this one is billed; nil until `prepare`.
    private(set) var floor: BillingMonth?

    enum Cursor {
        static let floor = "floor"
        static let audit = "audit"
        static let adjustments = "ledger_adjustments"
        static let corrections = "ledger_corrections"
    }

    package init(_ sources: BillingSources) {
        self.sources = sources
        maker = StatementMaker(sources)
    }

    /// Before anything else, once: finds the zones and, at the very first start, where feeds and
    /// billing begin.
    package func prepare() throws(BillingError) {
        if floor != nil { return }
        let snapshot = sources.catalog.load()
        let first = try beginning(snapshot)
        var zones: [String: (rules: TimeZoneRules, begins: Timestamp)] = [:]
        for number in 0..<snapshot.customerCount {
            let customer = snapshot.customer(number)
            guard customer.isBilled, let begins = customer.firstSubscription else { continue }
            let earliest = zones[customer.zone.name]?.begins ?? begins
            zones[customer.zone.name] = (customer.zone, min(earliest, begins))
        }
        for zone in zones.values {
            try self.zones.add(
                zone.rules, begins: zone.begins, floor: first, now: sources.clock.now(),
                sources.store)
        }
        try noteClosedTooEarly(snapshot)
        floor = first
    }

    /// A clock that was ahead has closed months whose grace is not over by the clock of now. What is
    /// used in them is on time for metering, so nothing would tell of it: they are looked at again
    /// when their grace is over.
    private func noteClosedTooEarly(_ snapshot: CatalogSnapshot) throws(BillingError) {
        let (store, grace) = (sources.store, sources.settings.graceSeconds)
        let now = sources.clock.now()
        var early: [String: [BillingMonth]] = [:]
        for (name, zone) in zones.zones {
            let months = (0..<sources.settings.monthsBackMax)
                .map { BillingMonth(count: zone.closedThrough.count - $0) }
                .filter { $0.period(zone: zone.rules).end.adding(seconds: grace) > now }
            if !months.isEmpty { early[name] = months }
        }
        if early.isEmpty { return }
        sources.logger.warning(
            "the clock has been ahead: months are closed that are not over; look at them again",
            metadata: ["zones": "\(early.count)"])
        for number in 0..<snapshot.customerCount {
            let customer = snapshot.customer(number)
            guard customer.isBilled, let months = early[customer.zone.name] else { continue }
            let marks = months.map { month in
                BillingMark(
                    customer: customer.id, month: month, cause: .grace(at: now),
                    dueAt: month.period(zone: customer.zone).end.adding(seconds: grace))
            }
            try BillingError.store { () throws(BillingStoreError) in
                try store.note(marks, cursor: nil)
            }
        }
    }

    /// Takes in the zone of a customer that is new or has moved. For whoever else is in it, what
    /// began earlier counts as closed, and is billed by adjustments.
    func note(_ customer: CompiledCustomer, floor: BillingMonth) throws(BillingError) {
        guard zones.zones[customer.zone.name] == nil, let begins = customer.firstSubscription
        else { return }
        try zones.add(
            customer.zone, begins: begins, floor: floor, now: sources.clock.now(), sources.store)
    }

    /// The first month there is. What happened before the first start is in the statements that
    /// are closed from then on, so the feeds begin at their ends.
    private func beginning(_ snapshot: CatalogSnapshot) throws(BillingError) -> BillingMonth {
        let (store, queries) = (sources.store, sources.queries)
        let stored = try BillingError.store { () throws(BillingStoreError) in
            try store.cursor(Cursor.floor)
        }
        if stored != 0 { return BillingMonth(count: Int(stored)) }
        let now = BillingMonth(containing: sources.clock.now(), zone: .utc)
        let first = BillingMonth(count: now.count - sources.settings.monthsBackMax)
        var last: Int64 = 0
        while true {
            let (after, limit) = (last, sources.settings.feedCountMax)
            let rows = try BillingError.ledger { () throws(LedgerError) in
                try queries.adjustments(after: after, limit: limit)
            }
            guard let end = rows.last else { break }
            last = end.sequence
        }
        let end = last
        try BillingError.store { () throws(BillingStoreError) in
            try store.setCursor(Cursor.adjustments, end)
            try store.setCursor(Cursor.audit, snapshot.revision)
            // Last, because it says that the others are there.
            try store.setCursor(Cursor.floor, Int64(first.count))
        }
        return first
    }
}
