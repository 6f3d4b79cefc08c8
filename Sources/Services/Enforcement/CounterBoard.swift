package import Entitlements
package import MeteringModel
package import MeteringPorts
package import QuotaEngine
import Synchronization

/// The counters of this process, kept level with the ledger.
///
/// Invariant, per quota in its current period:
/// `remaining = limit − (ledger usage) − (admitted here, not in the ledger yet) − held`.
/// A counter is made the first time it is needed, from the ledger; nothing is lost with it.
package final class CounterBoard: Sendable {
    package let table: QuotaTable
    package let catalog: CurrentCatalog
    private let queries: any LedgerQueries
    private let cold = Mutex<[UInt64: QuotaState]>([:])
    /// Charges under way whose counter a new catalog took away, by what they are charged to; the
    /// next counter for it takes them over. Read and written with `cold` locked.
    private let orphans = Mutex<[Orphan: Int64]>([:])
    private let holds = Mutex<HoldBook>(HoldBook())
    /// Quotas with a hold; while it is 0 a check need not look for one.
    private let holdCount = Atomic<Int>(0)

    /// What the fast table has no room for.
    struct QuotaState {
        var period: Period
        /// Events of the usage row that the counter contains.
        var appliedCount: Int64
        /// The usage row's reading at that point.
        var ledgerUsed: Int64
        /// Charged here, not in the ledger yet.
        var inFlight: Int64
        var held: Int64
    }

    private struct Orphan: Hashable {
        var customer: CustomerID
        var meter: MeterKey
    }

    /// A quota found, with what a decision about it needs.
    package struct Located: Sendable {
        package var snapshot: CatalogSnapshot
        package var customer: Int
        package var quota: Quota
        package var key: UInt64
    }

    package init(catalog: CurrentCatalog, queries: any LedgerQueries, minimumCapacity: Int) {
        self.catalog = catalog
        self.queries = queries
        table = QuotaTable(minimumCapacity: minimumCapacity)
    }

    static func base(_ quota: Quota) -> Int64 { quota.limit.finite ?? 0 }

    static func policy(_ quota: Quota) -> QuotaPolicy {
        var policy: QuotaPolicy = []
        if quota.limit == .unlimited { policy.insert(.unlimited) }
        if quota.enforcement == .hard, quota.limit != .unlimited { policy.insert(.hard) }
        return policy
    }

    package static func key(_ quota: Quota, _ hash: KeyHash) -> UInt64 {
        let key = hash.hash(quota.customer.rawValue, quota.feature.rawValue)
        return key == 0 ? 1 : key
    }

    // MARK: asking

    /// Usage as of now (ledger and admissions under way), what is held, and the period.
    package func reading(
        _ located: Located, now: Timestamp
    ) throws(LedgerError) -> (used: Int64, held: Int64, period: Period) {
        for _ in 0..<8 {
            guard let cell = table.read(located.key), cell.periodEnd > now.seconds else {
                try load(located, now: now)
                continue
            }
            let held = heldUnits(located.key)
            let used = Self.base(located.quota).subtractingSaturated(cell.remaining)
                .subtractingSaturated(held)
            let period = cold.withLock { $0[located.key]?.period }
            guard let period, period.end.seconds == cell.periodEnd else { continue }
            return (used, held, period)
        }
        throw LedgerError(
            code: .busy, message: "the counter's period keeps changing; try again",
            isRetriable: true)
    }

    /// What the counter says of the ledger's share of usage; nil without a counter of that period.
    func settledUsage(_ located: Located, _ period: Period) -> Int64? {
        cold.withLock { states in
            guard let state = states[located.key], state.period == period,
                let cell = table.read(located.key), cell.periodEnd == period.end.seconds
            else { return nil }
            return Self.base(located.quota).subtractingSaturated(cell.remaining)
                .subtractingSaturated(state.held).subtractingSaturated(state.inFlight)
        }
    }

    func heldUnits(_ key: UInt64) -> Int64 {
        if holdCount.load(ordering: .acquiring) == 0 { return 0 }
        return cold.withLock { $0[key]?.held ?? 0 }
    }

    // MARK: charging

    /// Charges when the quota allows it. `force` charges in any case (usage that has happened).
    /// - Returns: nil when it is not allowed; otherwise the period charged.
    package func charge(
        _ located: Located, _ quantity: Int64, now: Timestamp, force: Bool = false
    ) throws(LedgerError) -> Period? {
        for _ in 0..<8 {
            if force {
                let cell = table.read(located.key)
                if let cell, cell.periodEnd > now.seconds,
                    table.add(located.key, -quantity, periodEnd: cell.periodEnd)
                {
                    return noteInFlight(located, quantity, endingAt: cell.periodEnd)
                }
                try load(located, now: now)
                continue
            }
            switch table.take(located.key, quantity, now: now.seconds) {
            case .taken(_, let end): return noteInFlight(located, quantity, endingAt: end)
            case .insufficient: return nil
            case .periodEnded, .missing: try load(located, now: now)
            }
        }
        throw LedgerError(
            code: .busy, message: "the counter's period keeps changing; try again",
            isRetriable: true)
    }

    /// The period that was charged. When the counter rolled over in between, the charge lies in the
    /// period before, whose counter is gone; the ledger will still count it there.
    private func noteInFlight(_ located: Located, _ quantity: Int64, endingAt: Int64) -> Period {
        let period: Period? = cold.withLock { states in
            guard let state = states[located.key], state.period.end.seconds == endingAt else {
                return nil
            }
            states[located.key]?.inFlight = state.inFlight.addingSaturated(quantity)
            return state.period
        }
        if let period { return period }
        let zone = located.snapshot.customers[located.customer].zone
        return located.quota.rule.period(
            containing: Timestamp(seconds: endingAt - 1), zone: zone)
    }

    /// Undoes a charge whose event is certainly not in the log.
    package func refund(_ key: UInt64, _ quantity: Int64, period: Period) {
        cold.withLock { states in
            guard var state = states[key], state.period == period else { return }
            state.inFlight = state.inFlight.subtractingSaturated(quantity)
            states[key] = state
            _ = table.add(key, quantity, periodEnd: period.end.seconds)
        }
    }

    /// Turns a charge into a hold: the units stay taken, but count as held, not as used.
    package func hold(_ reservation: Reservation, key: UInt64) {
        holds.withLock { $0.open(reservation, key: key) }
        holdCount.add(1, ordering: .acquiringAndReleasing)
        cold.withLock { states in
            guard var state = states[key], state.period == reservation.period else { return }
            state.inFlight = state.inFlight.subtractingSaturated(reservation.quantity)
            state.held = state.held.addingSaturated(reservation.quantity)
            states[key] = state
        }
    }

    /// Ends a hold: `charged` units of it become usage under way, the rest comes back.
    /// - Returns: nil when the hold is not open any more.
    package func settle(_ id: String, charged: Int64) -> Reservation? {
        let ended = holds.withLock { $0.close(id) }
        guard let (reservation, key) = ended else { return nil }
        holdCount.subtract(1, ordering: .acquiringAndReleasing)
        cold.withLock { states in
            guard var state = states[key], state.period == reservation.period else { return }
            state.held = state.held.subtractingSaturated(reservation.quantity)
            state.inFlight = state.inFlight.addingSaturated(charged)
            states[key] = state
            _ = table.add(
                key, reservation.quantity.subtractingSaturated(charged),
                periodEnd: reservation.period.end.seconds)
        }
        return reservation
    }

    /// Takes a settlement back whose event did not reach the log.
    package func reopen(_ reservation: Reservation, key: UInt64, charged: Int64) {
        holds.withLock { $0.open(reservation, key: key) }
        holdCount.add(1, ordering: .acquiringAndReleasing)
        cold.withLock { states in
            guard var state = states[key], state.period == reservation.period else { return }
            state.held = state.held.addingSaturated(reservation.quantity)
            state.inFlight = state.inFlight.subtractingSaturated(charged)
            states[key] = state
            _ = table.add(
                key, charged.subtractingSaturated(reservation.quantity),
                periodEnd: reservation.period.end.seconds)
        }
    }

    /// Remembers how a hold ended, so that the same call again gets the same answer at once.
    package func remember(_ ended: Reservation) { holds.withLock { $0.remember(ended) } }

    package func ended(_ id: String) -> Reservation? { holds.withLock { $0.ended(id) } }

    package func openHold(_ id: String) -> Reservation? { holds.withLock { $0.find(id) } }

    package func holdsExpired(at now: Timestamp) -> [Reservation] {
        holds.withLock { $0.expired(at: now) }
    }

    /// Brings back the holds that the ledger knows, before the first question.
    package func restoreHolds(_ open: [Reservation]) {
        let hash = catalog.load().hash
        for reservation in open {
            let key = hash.hash(reservation.customer.rawValue, reservation.feature.rawValue)
            holds.withLock { $0.open(reservation, key: key == 0 ? 1 : key) }
            holdCount.add(1, ordering: .acquiringAndReleasing)
        }
        forgetAll()
    }

    // MARK: keeping level with the ledger

    /// Takes in one changed usage row. Rows are compared by their event count, so a change that a
    /// counter contains already (it was made from the ledger meanwhile) changes nothing.
    package func apply(_ change: UsageChange, _ located: Located, admittedHere: Int64) {
        cold.withLock { states in
            guard var state = states[located.key], state.period == change.key.period,
                change.after.count > state.appliedCount
            else { return }
            let aggregation = located.quota.aggregation
            let reading = change.after.reading(aggregation)
            let end = state.period.end.seconds
            if aggregation.isAdditive {
                let mine =
                    located.quota.counting == .admission ? min(admittedHere, state.inFlight) : 0
                let observed = reading.subtractingSaturated(state.ledgerUsed)
                    .subtractingSaturated(mine)
                _ = table.add(
                    located.key, Int64(0).subtractingSaturated(observed), periodEnd: end)
                state.inFlight = state.inFlight.subtractingSaturated(mine)
            } else {
                _ = table.setRemaining(
                    located.key, periodEnd: end,
                    remaining: Self.base(located.quota).subtractingSaturated(reading))
            }
            state.appliedCount = change.after.count
            state.ledgerUsed = reading
            states[located.key] = state
        }
    }

    /// Units charged here and not in the ledger yet, and units held, per quota key and period.
    package func outstanding() -> [UInt64: (units: Int64, period: Period)] {
        cold.withLock { states in
            var result: [UInt64: (units: Int64, period: Period)] = [:]
            for (key, state) in states where state.inFlight + state.held != 0 {
                result[key] = (state.inFlight + state.held, state.period)
            }
            return result
        }
    }

    /// Takes limits and policies of a new catalog over; usage stays.
    package func adopt(_ old: CatalogSnapshot, _ new: CatalogSnapshot) {
        var before: [UInt64: Quota] = [:]
        for quota in old.quotas { before[Self.key(quota, old.hash)] = quota }
        cold.withLock { states in
            for (index, quota) in new.quotas.enumerated() {
                let key = Self.key(quota, new.hash)
                guard let past = before.removeValue(forKey: key), states[key] != nil else {
                    continue
                }
                if past.rule != quota.rule || past.meter != quota.meter
                    || past.aggregation != quota.aggregation
                {
                    drop(key, past, &states)
                    continue
                }
                table.updateDefinition(
                    key, quotaIndex: UInt32(index), policy: Self.policy(quota),
                    limitDelta: Self.base(quota).subtractingSaturated(Self.base(past)))
            }
            for (key, past) in before { drop(key, past, &states) }
        }
    }

    private func drop(_ key: UInt64, _ quota: Quota, _ states: inout [UInt64: QuotaState]) {
        if let state = states.removeValue(forKey: key), state.inFlight > 0 {
            let orphan = Orphan(customer: quota.customer, meter: quota.meter)
            orphans.withLock { known in
                known[orphan] = (known[orphan] ?? 0).addingSaturated(state.inFlight)
            }
        }
        table.remove(key)
    }

    /// Drops every counter; each is made anew from the ledger when it is next needed. Only while
    /// nothing is under way (start-up, takeover of partitions).
    package func forgetAll() {
        cold.withLock { states in
            for (key, state) in states where state.inFlight == 0 {
                table.remove(key)
                states[key] = nil
            }
        }
    }

    /// Makes the counter from the ledger, or rolls it into the period that contains `now`.
    private func load(_ located: Located, now: Timestamp) throws(LedgerError) {
        let owner = located.snapshot.customers[located.customer]
        let period = located.quota.rule.period(containing: now, zone: owner.zone)
        let row = UsageKey(
            customer: located.quota.customer, meter: located.quota.meter, period: period)
        let failure: LedgerError? = cold.withLock { states in
            if located.snapshot !== catalog.load() {
                return LedgerError(
                    code: .busy, message: "the catalog has just changed; try again",
                    isRetriable: true)
            }
            // Somebody else may have done it while this one waited for the lock.
            if let cell = table.read(located.key), cell.periodEnd > now.seconds,
                states[located.key] != nil
            {
                return nil
            }
            do throws(LedgerError) {
                let stored = try queries.usage(row)
                let used = stored?.state.reading(located.quota.aggregation) ?? 0
                let held = holds.withLock { $0.units(located.key, period) }
                let orphan = Orphan(
                    customer: located.quota.customer, meter: located.quota.meter)
                let inFlight =
                    located.quota.counting == .admission
                    ? orphans.withLock { $0.removeValue(forKey: orphan) } ?? 0 : 0
                states[located.key] = QuotaState(
                    period: period, appliedCount: stored?.state.count ?? 0, ledgerUsed: used,
                    inFlight: inFlight, held: held)
                let index = located.snapshot.quotaIndex(
                    customer: located.customer, feature: located.quota.feature)
                table.install(
                    located.key, quotaIndex: UInt32(index ?? 0),
                    policy: Self.policy(located.quota), periodEnd: period.end.seconds,
                    remaining: Self.base(located.quota).subtractingSaturated(used)
                        .subtractingSaturated(held).subtractingSaturated(inFlight))
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }
}

/// Open holds by id, and by the quota they lie on.
struct HoldBook {
    private var entries: [String: (reservation: Reservation, key: UInt64)] = [:]

    mutating func open(_ reservation: Reservation, key: UInt64) {
        entries[reservation.id] = (reservation, key)
    }

    mutating func close(_ id: String) -> (Reservation, UInt64)? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        return (entry.reservation, entry.key)
    }

    func find(_ id: String) -> Reservation? { entries[id]?.reservation }

    private var past: [String: Reservation] = [:]
    private var pastOrder: [String] = []

    mutating func remember(_ ended: Reservation) {
        if past.updateValue(ended, forKey: ended.id) == nil { pastOrder.append(ended.id) }
        if pastOrder.count > 20_000 {
            // The ledger knows them by now.
            for id in pastOrder.prefix(10_000) { past[id] = nil }
            pastOrder.removeFirst(10_000)
        }
    }

    func ended(_ id: String) -> Reservation? { past[id] }

    func expired(at now: Timestamp) -> [Reservation] {
        entries.values.filter { $0.reservation.expiresAt <= now }.map(\.reservation)
    }

    func units(_ key: UInt64, _ period: Period) -> Int64 {
        entries.values.reduce(0) {
            $1.key == key && $1.reservation.period == period ? $0 + $1.reservation.quantity : $0
        }
    }
}
