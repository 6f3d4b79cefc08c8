package import Logging
package import MeteringModel
package import MeteringPorts
import Synchronization

/// Goes through all customers that Stripe knows, and writes down what it is still to be told.
package final class MeterEventPlanning: Sendable {
    /// Hour rollups of some customers and a meter that begin in [from, to).
    package typealias Hours =
        @Sendable (_ customers: [CustomerID], MeterKey, _ from: Timestamp, _ to: Timestamp) throws
        -> [CustomerID: [StoredRollup]]

    private let store: any ExportStore
    private let hours: Hours
    private let source: MeterEventSource
    private let identifier: MeterEventIdentifier
    private let settings: MeterEventSettings
    private let clock: WallClock
    private let logger: Logger
    private let counters: ExportCounters

    /// - Parameter hours: of the ledger; read from the begin of the month that lies 35 days back.
    package init(
        store: any ExportStore, hours: @escaping Hours, source: MeterEventSource,
        identifier: MeterEventIdentifier, settings: MeterEventSettings, clock: WallClock,
        counters: ExportCounters, logger: Logger
    ) {
        self.store = store
        self.hours = hours
        self.source = source
        self.identifier = identifier
        self.settings = settings
        self.clock = clock
        self.counters = counters
        self.logger = logger
    }

    /// All customers once. One that cannot be planned is logged and passed over, and is tried again
    /// by the next sweep; an error that concerns all ends the sweep.
    /// - Returns: the number of events planned.
    @discardableResult
    package func sweep() async throws -> Int {
        var planned = 0
        let meters = try source.meters().filter(canReport)
        if meters.isEmpty { return 0 }
        var after: String? = ""
        while let cursor = after {
            let page = try source.customers(cursor, settings.pageCustomersMax)
            var rest = page.customers.sorted { $0.customer < $1.customer }[...]
            while !rest.isEmpty {
                let chunk = Array(rest.prefix(settings.readCustomersMax))
                rest = rest.dropFirst(chunk.count)
                for meter in meters {
                    try Task.checkCancellation()
                    planned += plan(chunk, meter)
                    await Task.yield()
                }
            }
            after = page.next
        }
        return planned
    }

    private func canReport(_ meter: ReportedMeter) -> Bool {
        if meter.canBeSummed { return true }
        logger.error(
            "usage of this meter is not sent to Stripe: only count and sum can be",
            metadata: ["meter": "\(meter.meter)", "aggregation": "\(meter.aggregation)"])
        return false
    }

    /// What a customer's plan is made from.
    private struct Reading {
        var history: MeterEventHistory
        var account: MeterAccount
        var hours: [StoredRollup]
    }

    /// Reads and plans some customers together, in one transaction. Should that fail, each is planned
    /// by itself: what cannot be read, planned or written may be one customer's.
    /// - Returns: the number of events planned.
    private func plan(_ customers: [ReportedCustomer], _ meter: ReportedMeter) -> Int {
        let now = clock.now()
        do {
            let readings = try read(customers.map(\.customer), meter.meter, to: now)
            let plans = try zip(customers, readings).compactMap { customer, reading in
                try plan(customer, meter, reading, at: now)
            }
            if !plans.isEmpty { try store.plan(plans) }
            return plans.reduce(0) { $0 + $1.drafts.count }
        } catch {
            if customers.count > 1 { return customers.reduce(0) { $0 + plan([$1], meter) } }
            for customer in customers { note(error, customer, meter) }
            return 0
        }
    }

    private func note(
        _ error: any Error, _ customer: ReportedCustomer, _ meter: ReportedMeter
    ) {
        counters.planningFailures.add(1)
        logger.error(
            "usage cannot be planned for Stripe now",
            metadata: [
                "customer": "\(customer.customer)", "meter": "\(meter.meter)",
                "error": "\(error)",
            ])
    }

    /// One for each customer, in their order.
    private func read(
        _ customers: [CustomerID], _ meter: MeterKey, to now: Timestamp
    ) throws -> [Reading] {
        // The account of a pair that was never planned.
        let first = MeterAccount(
            from: settings.from, month: MeterEventPlanner.monthStart(containing: settings.from),
            rest: 0)
        let histories = try store.meterEventHistories(of: customers, meter, from: first.month)
        let accounts = histories.map { $0.account ?? first }
        let from = accounts.map(\.month).min() ?? now
        let usage = try hours(customers, meter, from, now)
        return zip(customers, zip(histories, accounts)).map { customer, known in
            let (history, account) = known
            return Reading(
                history: history, account: account,
                hours: (usage[customer] ?? []).filter { $0.start >= account.month })
        }
    }

    /// Nil when there is nothing to write down.
    private func plan(
        _ reported: ReportedCustomer, _ meter: ReportedMeter, _ reading: Reading,
        at now: Timestamp
    ) throws -> MeterEventPlan? {
        let (customer, history) = (reported.customer, reading.history)
        if history.account == nil, reading.hours.isEmpty { return nil }
        let planner = MeterEventPlanner(
            windowSeconds: meter.windowSeconds, scale: meter.scale,
            settledTo: now.adding(seconds: -settings.settleSeconds),
            reachFrom: now.adding(seconds: -settings.ageSecondsMax))
        let result = try planner.plan(
            reading.account, reading.hours.map { .init(start: $0.start, units: $0.state.value) },
            history.windows)
        let credits = changedCredits(result.credits, history.credits, customer, meter.meter)
        let drafts = result.increments.map {
            MeterEventDraft(
                identifier: identifier.make(customer, meter.meter, $0.window.start, $0.revision),
                customer: customer, meter: meter.meter, window: $0.window, revision: $0.revision,
                stripeCustomer: reported.stripeCustomer, eventName: meter.eventName,
                value: $0.value)
        }
        if drafts.isEmpty, credits.isEmpty, result.account == history.account { return nil }
        return MeterEventPlan(
            customer: customer, meter: meter.meter, account: result.account, drafts: drafts,
            credits: credits, base: history.base, at: now)
    }

    private func changedCredits(
        _ credits: [MeterEventPlanner.Credit], _ stored: [MeterCredit], _ customer: CustomerID,
        _ meter: MeterKey
    ) -> [MeterCredit] {
        let known = Dictionary(
            stored.map { ($0.month, $0.units) }, uniquingKeysWith: { first, _ in first })
        return credits.compactMap {
            known[$0.month, default: 0] == $0.units
                ? nil
                : MeterCredit(
                    customer: customer, meter: meter, month: $0.month, units: $0.units)
        }
    }
}
