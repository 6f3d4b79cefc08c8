import Entitlements
import MeteringModel
import MeteringPorts

/// Makes views: closed months from the store, others as they would be closed now.
struct StatementViews {
    let sources: BillingSources
    let maker: StatementMaker

    /// A month that is not closed, before it is rated.
    private struct Open {
        var position: Int
        var customer: CompiledCustomer
        var frame: MonthFrame
        var charges: UsageCharges
        /// Of a month that goes on: only what is due before.
        var dueBefore: Timestamp?
        var pending: [StatementLine]
    }

    /// Nil for a month that has not begun.
    func view(
        _ customer: CompiledCustomer, _ month: BillingMonth, in snapshot: CatalogSnapshot,
        makesDocuments: Bool = true
    ) throws(BillingError) -> StatementView? {
        try views([customer], month, in: snapshot, makesDocuments: makesDocuments)[0]
    }

    /// One for each customer, in their order; what they are made from is read together.
    /// - Parameter makesDocuments: false: lines that are only added up lack their documents.
    func views(
        _ customers: [CompiledCustomer], _ month: BillingMonth, in snapshot: CatalogSnapshot,
        makesDocuments: Bool
    ) throws(BillingError) -> [StatementView?] {
        let reading = try MonthReading(customers, month, sources)
        let now = sources.clock.now()
        var zones = ClosedZones(store: sources.store)
        var views: [StatementView?] = []
        var open: [Open] = []
        for (position, customer) in customers.enumerated() {
            let (frame, closed) = reading.frame(of: customer)
            if frame.period.start > now {
                views.append(nil)
                continue
            }
            var view = StatementView(
                customer: customer.id, month: month, state: .closed, zone: frame.zone.name,
                period: frame.period, closed: closed, lines: [], running: [], waiting: [])
            // A month without a statement is closed too, once its zone is: there was nothing to
            // bill.
            let isClosed = try zones.isClosed(customer.zone.name, month)
            if closed != nil || isClosed {
                try fill(&view)
            } else {
                view.state = frame.hasEnded(by: now) ? .grace : .open
                var next = Open(
                    position: position, customer: customer, frame: frame,
                    charges: UsageCharges(sources, snapshot, customer, frame), pending: [])
                if view.state == .open {
                    next.dueBefore = Timestamp(microseconds: now.microseconds + 1)
                }
                if try isNext(customer, reading, &zones) {
                    next.pending = reading.pendingLines(customer.id)
                }
                open.append(next)
            }
            views.append(view)
        }
        let keys = open.flatMap {
            $0.charges.keys(
                dueBefore: $0.dueBefore, runningAt: $0.dueBefore == nil ? nil : now)
        }
        let ahead = ReadAhead(
            usage: try KnownUsage(keys, sources.queries), makesDocuments: makesDocuments)
        for month in open {
            try rate(month, at: now, in: snapshot, ahead, &views[month.position])
        }
        return views
    }

    private func fill(_ view: inout StatementView) throws(BillingError) {
        let (store, id, month) = (sources.store, view.customer, view.month)
        (view.lines, view.waiting) = try BillingError.store { () throws(BillingStoreError) in
            (try store.lines(id, month), try store.marks(id, month).map(\.mark.cause))
        }
    }

    private func rate(
        _ month: Open, at now: Timestamp, in snapshot: CatalogSnapshot, _ ahead: ReadAhead,
        _ view: inout StatementView?
    ) throws(BillingError) {
        let draft = try maker.draft(
            of: month.customer, month.frame, dueBefore: month.dueBefore, in: snapshot, ahead)
        view?.lines = draft.lines + month.pending
        if month.dueBefore != nil {
            view?.running = try maker.running(
                of: month.customer, month.frame, at: now, in: snapshot, ahead)
        }
    }

    /// Whether adjustments that wait would go into this month's statement: the first one open.
    private func isNext(
        _ customer: CompiledCustomer, _ reading: MonthReading, _ zones: inout ClosedZones
    ) throws(BillingError) -> Bool {
        if reading.previous(customer.id) != nil { return true }
        if try zones.isClosed(customer.zone.name, reading.month.previous) { return true }
        return customer.firstSubscription.map {
            BillingMonth(containing: $0, zone: customer.zone) >= reading.month
        } ?? true
    }
}

/// How far zones are closed; each is looked up once.
private struct ClosedZones {
    let store: any BillingStore
    private var known: [String: BillingMonth?] = [:]

    init(store: any BillingStore) { self.store = store }

    mutating func isClosed(
        _ zone: String, _ month: BillingMonth
    ) throws(BillingError) -> Bool {
        if known[zone] == nil {
            let store = store
            let last = try BillingError.store { () throws(BillingStoreError) in
                try store.closedThrough(zone: zone)
            }
            known[zone] = .some(last)
        }
        return (known[zone] ?? nil).map { month <= $0 } ?? false
    }
}
