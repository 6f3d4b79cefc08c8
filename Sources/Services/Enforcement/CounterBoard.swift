package import Entitlements
package import MeteringModel
package import MeteringPorts
package import QuotaEngine
import Synchronization

/// The counters of this process, kept level with the ledger.
///
/// Invariant, per quota in its current period:
/// `remaining = stop − (ledger usage) − (admitted here, not in the ledger yet) − held`.
/// A counter is made the first time it is needed, from the ledger; nothing is lost with it.
///
/// A counter counts in one window of its period: as long as limit, grace and contract stay the
/// same. At a window's end inside the period it is re-based: what remains moves by the change of the
/// stop, in one atomic step between two charges, so a charge is before it or after it, never lost.
package final class CounterBoard: Sendable {
    package let table: QuotaTable
    package let catalog: CurrentCatalog
    package let limits: LimitResolver
    let queries: any LedgerQueries
    let holds = Mutex<HoldBook>(HoldBook())
    /// Charges under way whose counter a new catalog took away, by what they are charged to; the
    /// next counter for it takes them over. Read and written with the counter's shard locked.
    let orphans = Mutex<[Orphan: Int64]>([:])
    let periods = PeriodCache()
    /// While a catalog comes into force its counters and those of the one before stand side by side.
    private let isAdopting = Atomic<Bool>(false)
    private let shards: [Shard]

    /// What the fast table has no room for, a part of it: the ledger is read with a shard locked,
    /// which must not keep all others waiting.
    final class Shard: Sendable {
        struct Contents {
            var states: [UInt64: QuotaState] = [:]
            /// Of the next counter that has no predecessor here.
            var generation: UInt8 = 0
        }
        let contents = Mutex<Contents>(Contents())
    }

    /// What the fast table has no room for.
    struct QuotaState {
        /// The usage row that the counter follows.
        var row: UsageKey
        var aggregation: Aggregation
        /// What the counter counts down from, and until when.
        var terms: Terms
        /// Of the counter in the table; a charge is taken in only when it came from this one.
        var generation: UInt8
        /// Events of the usage row that the counter contains.
        var appliedCount: Int64
        /// The usage row's reading at that point.
        var ledgerUsed: Int64
        /// Charged here, not in the ledger yet.
        var inFlight: Int64
        var held: Int64
        var lastChargeAt: Timestamp
        /// No quota of the catalog feeds it: it does not follow the ledger any more.
        var isStale = false

        var period: Period { row.period }
        /// Usage is what the counter is below its base, and the contract says the rest.
        var isPlain: Bool { terms.isPlain && held == 0 && !isStale }
    }

    struct Orphan: Hashable {
        var customer: CustomerID
        var meter: MeterKey
    }

    /// A quota found, with what a decision about it needs.
    package struct Located: Sendable {
        package var snapshot: CatalogSnapshot
        package var segment: EntitlementSegment
        package var quota: Quota
        package var key: UInt64
        /// The instant that the question is about.
        package var now: Timestamp

        package init(
            _ snapshot: CatalogSnapshot, _ segment: EntitlementSegment, quota position: Int,
            now: Timestamp
        ) {
            self.snapshot = snapshot
            self.segment = segment
            self.now = now
            quota = segment.quota(position)
            key = CounterBoard.key(quota, snapshot.hash)
        }

        /// Whose quota it is.
        package var owner: CompiledCustomer { segment.customer }

        /// The topmost customer of its tree.
        package var root: CustomerID {
            snapshot.customer(snapshot.root(of: owner.number, at: now)).id
        }
    }

    /// What is known of a quota at one moment.
    package struct Reading: Sendable {
        /// Usage as of now: ledger and admissions under way.
        package var used: Int64
        package var held: Int64
        package var period: Period
        /// With grants.
        package var limit: Limit
        package var limitReachedAt: Timestamp?
        /// Units at which admission stops; nil: never.
        package var stop: Int64?
    }

    package init(catalog: CurrentCatalog, queries: any LedgerQueries, minimumCapacity: Int) {
        self.catalog = catalog
        self.queries = queries
        limits = LimitResolver(catalog: catalog, queries: queries)
        table = QuotaTable(minimumCapacity: minimumCapacity)
        shards = (0..<64).map { _ in Shard() }
    }

    package static func key(_ quota: Quota, _ hash: KeyHash) -> UInt64 {
        key(quota.customer, quota.feature, hash)
    }

    static func key(_ customer: CustomerID, _ feature: FeatureKey, _ hash: KeyHash) -> UInt64 {
        let key = hash.hash(customer.rawValue, feature.rawValue)
        return key == 0 ? 1 : key
    }

    /// Runs `body` with the states of a key's shard, alone.
    @inline(__always)
    func withStates<Result, Failure: Error>(
        _ key: UInt64, _ body: (inout Shard.Contents) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = shards[Int(key & 63)].contents.withLock {
            contents in
            do throws(Failure) { return .success(try body(&contents)) } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    func forEachShard(_ body: (inout Shard.Contents) -> Void) {
        for shard in shards { shard.contents.withLock { body(&$0) } }
    }

    // MARK: asking

    /// Usage as of now, what is held, and the limit in force.
    package func reading(_ located: Located) throws(LedgerError) -> Reading {
        for _ in 0..<8 {
            let found: Reading? = withStates(located.key) { contents in
                guard let state = contents.states[located.key],
                    state.terms.windowEnd > located.now.seconds,
                    let cell = table.read(located.key), cell.periodEnd == state.terms.windowEnd
                else { return nil }
                let used = state.terms.base.subtractingSaturated(cell.remaining)
                    .subtractingSaturated(state.held)
                return Reading(
                    used: used, held: state.held, period: state.period, limit: state.terms.limit,
                    limitReachedAt: state.terms.limitReachedAt, stop: state.terms.stop)
            }
            if let found { return found }
            try load(located)
        }
        throw Self.restless
    }

    /// A plain counter in its window, without taking a lock; nil where `reading` must be asked.
    func plainReading(_ key: UInt64, at now: Timestamp) -> QuotaReading? {
        guard let cell = table.readPlain(key), cell.periodEnd > now.seconds else { return nil }
        return cell
    }

    /// Which catalog the counters follow; nil while they go over to another. What was read of
    /// catalog and counters between two equal answers belongs together: a counter of a new catalog
    /// is made after the number has risen, and one of an old catalog is ended before the answer is
    /// no longer nil.
    var settledGeneration: Int64? {
        let generation = catalog.generation
        return isAdopting.load(ordering: .acquiring) ? nil : generation
    }

    /// Puts a catalog in force and takes it over (`adopt`).
    package func replaceCatalog(_ next: CatalogSnapshot, changed: [Int]) {
        let old = catalog.load()
        isAdopting.store(true, ordering: .sequentiallyConsistent)
        catalog.replace(next)
        adopt(old, next, changed: changed)
        isAdopting.store(false, ordering: .releasing)
    }

    /// What the counter of a quota says of the ledger's share of usage; nil without a counter of
    /// that period.
    func settledUsage(_ key: UInt64, _ period: Period) -> Int64? {
        withStates(key) { contents in
            guard let state = contents.states[key], state.period == period, !state.isStale,
                let cell = table.read(key), cell.periodEnd == state.terms.windowEnd
            else { return nil }
            return state.terms.base.subtractingSaturated(cell.remaining)
                .subtractingSaturated(state.held).subtractingSaturated(state.inFlight)
        }
    }

    // MARK: charging

    /// Charges when the quota allows it. `force` charges in any case (usage that has happened).
    /// - Returns: nil when it is not allowed; otherwise the period charged.
    package func charge(
        _ located: Located, _ quantity: Int64, force: Bool = false
    ) throws(LedgerError) -> Period? {
        for _ in 0..<8 {
            if force {
                if let cell = table.read(located.key), cell.periodEnd > located.now.seconds {
                    let generation = cell.policy.generation
                    if table.add(
                        located.key, Int64(0).subtractingSaturated(quantity),
                        periodEnd: cell.periodEnd, generation: generation),
                        let period = noteInFlight(located, quantity, generation)
                    {
                        return period
                    }
                }
                try load(located)
                continue
            }
            let (outcome, generation) = table.charge(
                located.key, quantity, now: located.now.seconds)
            switch outcome {
            case .taken:
                if let period = noteInFlight(located, quantity, generation) { return period }
            case .insufficient: return nil
            case .periodEnded, .missing: try load(located)
            }
        }
        throw Self.restless
    }

    /// The period that was charged. Nil when the counter was replaced in between: the charge is
    /// gone with the counter it was taken from, and must be taken from the new one. Re-basing
    /// replaces no counter.
    private func noteInFlight(
        _ located: Located, _ quantity: Int64, _ generation: UInt8
    ) -> Period? {
        withStates(located.key) { contents in
            guard var state = contents.states[located.key], state.generation == generation else {
                return nil
            }
            state.inFlight = state.inFlight.addingSaturated(quantity)
            state.lastChargeAt = max(state.lastChargeAt, located.now)
            contents.states[located.key] = state
            return state.period
        }
    }

    /// Undoes a charge whose event is certainly not in the log.
    package func refund(_ key: UInt64, _ quantity: Int64, period: Period) {
        change(key, period) { state in
            state.inFlight = state.inFlight.subtractingSaturated(quantity)
            return quantity
        }
    }

    /// Changes the state of a counter, if it is in that period still, and adds what `body` returns
    /// to what remains in its current window.
    func change(_ key: UInt64, _ period: Period, _ body: (inout QuotaState) -> Int64) {
        withStates(key) { contents in
            guard var state = contents.states[key], state.period == period else { return }
            let wasPlain = state.isPlain
            let delta = body(&state)
            let isPlain = state.isPlain
            contents.states[key] = state
            if delta != 0 || isPlain != wasPlain {
                _ = table.add(key, delta, periodEnd: state.terms.windowEnd, isPlain: isPlain)
            }
        }
    }

    static let restless = LedgerError(
        code: .busy, message: "the counter's window keeps changing; try again", isRetriable: true)
}
