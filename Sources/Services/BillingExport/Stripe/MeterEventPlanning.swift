package import Logging
import MeteringModel
package import MeteringPorts
import Synchronization

/// Goes through all customers that Stripe knows, and writes down what it is still to be told.
package final class MeterEventPlanning: Sendable {
    private let store: any ExportStore
    private let rollups: @Sendable (RollupQuery) throws -> [StoredRollup]
    private let source: MeterEventSource
    private let identifier: MeterEventIdentifier
    private let settings: MeterEventSettings
    private let clock: WallClock
    private let logger: Logger
    private let counters: ExportCounters

    /// - Parameter rollups: of the ledger; hours are read, from the begin of the month that lies 35
    ///   days back.
    package init(
        store: any ExportStore,
        rollups: @escaping @Sendable (RollupQuery) throws -> [StoredRollup],
        source: MeterEventSource, identifier: MeterEventIdentifier, settings: MeterEventSettings,
        clock: WallClock, counters: ExportCounters, logger: Logger
    ) {
        self.store = store
        self.rollups = rollups
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
            for customer in page.customers {
                try Task.checkCancellation()
                for meter in meters { planned += plan(customer, meter) }
                await Task.yield()
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

    private func plan(_ customer: ReportedCustomer, _ meter: ReportedMeter) -> Int {
        do {
            return try makePlan(customer, meter)
        } catch {
            counters.planningFailures.add(1)
            logger.error(
                "usage cannot be planned for Stripe now",
                metadata: [
                    "customer": "\(customer.customer)", "meter": "\(meter.meter)",
                    "error": "\(error)",
                ])
            return 0
        }
    }

    private func makePlan(_ reported: ReportedCustomer, _ meter: ReportedMeter) throws -> Int {
        let (now, customer) = (clock.now(), reported.customer)
        let account = try account(customer, meter.meter)
        let history = try store.meterEventHistory(customer, meter.meter, from: account.month)
        let planner = MeterEventPlanner(
            windowSeconds: meter.windowSeconds, scale: meter.scale,
            settledTo: now.adding(seconds: -settings.settleSeconds),
            reachFrom: now.adding(seconds: -settings.ageSecondsMax))
        let hours = try rollups(
            RollupQuery(
                customer: customer, meter: meter.meter, window: .hour, from: account.month, to: now)
        )
        if history.account == nil, hours.isEmpty { return 0 }
        let result = try planner.plan(
            account, hours.map { .init(start: $0.start, units: $0.state.value) },
            history.windows)
        let credits = changedCredits(result.credits, history.credits, customer, meter.meter)
        let drafts = result.increments.map {
            MeterEventDraft(
                identifier: identifier.make(customer, meter.meter, $0.window.start, $0.revision),
                customer: customer, meter: meter.meter, window: $0.window, revision: $0.revision,
                stripeCustomer: reported.stripeCustomer, eventName: meter.eventName,
                value: $0.value)
        }
        if drafts.isEmpty, credits.isEmpty, result.account == history.account { return 0 }
        try store.plan(
            MeterEventPlan(
                customer: customer, meter: meter.meter, account: result.account, drafts: drafts,
                credits: credits, base: history.base, at: now))
        return drafts.count
    }

    /// The one that is kept, or that of a pair that was never planned.
    private func account(
        _ customer: CustomerID, _ meter: MeterKey
    ) throws -> MeterAccount {
        let known = try store.meterEventHistory(customer, meter, from: .distantFuture).account
        let month = MeterEventPlanner.monthStart(containing: settings.from)
        return known ?? MeterAccount(from: settings.from, month: month, rest: 0)
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
