import Enforcement
import Entitlements
import Logging
import MeteringModel
import MeteringPorts
import QuotaEngine
import Synchronization
import Testing

/// A gate on a ledger in memory: what is committed to it, and when it is, a test decides.
final class EnforcementScene: Sendable {
    let clock: SceneClock
    let ledger = MemoryLedger()
    let log = MemoryLog()
    let catalog: CurrentCatalog
    let board: CounterBoard
    let index = NearLimitIndex()
    let tracker: UsageTracker
    let gate: QuotaGate
    let seats = FixedSeats()

    init(
        _ contracts: [CustomerContract], plans: [PlanDefinition], at now: String,
        ledger other: MemoryLedger? = nil
    ) throws {
        clock = SceneClock(now)
        let snapshot = try CatalogSnapshot.compile(
            Self.definitions(plans), contracts: contracts, revision: 7,
            hash: KeyHash(k0: 3, k1: 4), zone: { $0 == "UTC" ? .utc : nil }
        ).get()
        if let other { ledger.copy(other) }
        catalog = CurrentCatalog(snapshot)
        board = CounterBoard(catalog: catalog, queries: ledger, minimumCapacity: 64)
        tracker = UsageTracker(
            board: board, index: index, shared: nil, queries: ledger, clock: clock.wall)
        gate = QuotaGate(
            board: board, book: IdempotencyBook(), writer: log, queries: ledger, shared: nil,
            seats: seats, clock: clock.wall, instance: "i",
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            completeTo: { nil })
    }

    static func definitions(_ plans: [PlanDefinition]) -> Catalog {
        Catalog(
            meters: [
                MeterDefinition(key: "requests", eventType: "gate.call", aggregation: .count)
            ],
            features: [
                FeatureDefinition(
                    key: "calls", type: .metered, meter: "requests", counting: .admission),
                FeatureDefinition(key: "sso", type: .boolean),
                FeatureDefinition(key: "region", type: .static),
                FeatureDefinition(key: "seats", type: .seat),
            ],
            plans: plans)
    }

    /// A plan that gives `calls`.
    static func plan(
        _ key: PlanKey = "pro", calls limit: Limit, period: PeriodUnit = .month,
        enforcement: EnforcementMode = .hard, grace: Grace? = nil, overageMax: Int64? = nil,
        more: [FeatureKey: EntitlementDefinition] = [:], bindings: [FeatureKey: Binding] = [:]
    ) -> PlanDefinition {
        var entitlements = more
        entitlements["calls"] = .metered(
            MeteredEntitlement(
                limit: limit, period: period, enforcement: enforcement, grace: grace,
                overageMax: overageMax))
        return PlanDefinition(
            key: key, version: 1, entitlements: entitlements, bindings: bindings)
    }

    static func contract(
        _ id: CustomerID, plan: PlanKey? = "pro", end: Timestamp? = nil,
        parent: CustomerID? = nil, overrides: [OverrideTerms] = [], grants: [GrantTerms] = [],
        suspensions: [SuspensionTerms] = [], subjects: [CustomerProfile.Subject] = []
    ) -> CustomerContract {
        func held<Terms>(_ prefix: String, _ all: [Terms]) -> [CustomerContract.Held<Terms>] {
            all.enumerated().map { .init(id: "\(prefix)_\(id)_\($0)", terms: Dated($1)) }
        }
        let terms = plan.map {
            SubscriptionTerms(plan: $0, planVersion: 1, start: Timestamp(seconds: 0), end: end)
        }
        return CustomerContract(
            id: id, profile: Dated(CustomerProfile(parent: parent, subjects: subjects)),
            subscriptions: held("sub", terms.map { [$0] } ?? []),
            overrides: held("ov", overrides), grants: held("gr", grants),
            suspensions: held("su", suspensions))
    }

    static func limit(
        _ units: Int64, from start: Timestamp, to end: Timestamp? = nil
    ) -> OverrideTerms {
        OverrideTerms(
            feature: "calls", value: .metered(.init(limit: .finite(units))), start: start,
            end: end, reason: "test")
    }

    // MARK: asking

    func question(
        _ customer: CustomerID, _ quantity: Int64 = 1, feature: FeatureKey = "calls",
        id: String? = nil
    ) -> EntitlementQuestion {
        EntitlementQuestion(
            party: .customer(customer), feature: feature,
            quantity: DecimalQuantity(mantissa: quantity), id: id)
    }

    /// Asks both ways: where the short one answers, it says what the long one says.
    func check(_ customer: CustomerID, _ quantity: Int64 = 1) throws -> Decision {
        let question = question(customer, quantity)
        let long = try gate.look(question)
        if let short = try gate.plainAnswer(question) { #expect(short == long) }
        return try gate.check(question)
    }

    func consume(_ customer: CustomerID, _ quantity: Int64 = 1) async throws -> Decision {
        try await gate.consume(question(customer, quantity))
    }

    // MARK: changing

    /// Replaces contracts as the control plane does: snapshot, board, index.
    func update(_ contracts: [CustomerContract], removing: [CustomerID] = []) throws {
        let old = catalog.load()
        let update = try old.updating(
            contracts, removing: removing, revision: old.revision + 1
        ).get()
        catalog.replace(update.snapshot)
        board.adopt(old, update.snapshot, changed: update.changed)
        tracker.refresh(changed: update.changed, from: old)
    }

    /// Usage comes into the ledger, in the rows of the customer and all its ancestors.
    func commit(
        _ customer: CustomerID, _ units: Int64, at text: String? = nil, admitted: Bool = true
    ) throws {
        let at = text.flatMap { Timestamp(rfc3339: $0) } ?? clock.now
        let snapshot = catalog.load()
        guard let number = snapshot.customerIndex(customer) else { return }
        var located: [CounterBoard.Located] = []
        snapshot.levels(of: number, feature: "calls", at: at) { _, segment, position in
            located.append(CounterBoard.Located(snapshot, segment, quota: position, now: at))
        }
        var changes: [UsageChange] = []
        var here: [UsageKey: Int64] = [:]
        var crossings: [Crossing] = []
        for level in located {
            let period = level.quota.rule.period(containing: at, zone: level.owner.zone)
            let row = UsageKey(
                customer: level.quota.customer, meter: level.quota.meter, period: period)
            let change = ledger.add(row, units, at: at, admitted: admitted)
            changes.append(change)
            if admitted { here[row] = units }
            var quota = level.quota
            quota.limit = board.limits.limit(quota, period, at)
            crossings += QuotaRules.crossings(
                quota: quota, period: period, before: change.before.value,
                after: change.after.value, at: at)
        }
        ledger.note(crossings)
        tracker.usageCommitted(
            CommittedUsage(
                partition: 0, epoch: 1, baseOffset: 0, nextOffset: 1, completeTo: at,
                changes: changes, admittedHere: here, newCrossings: crossings, reservations: [],
                admissions: []))
    }
}

/// Time as a test sets it.
final class SceneClock: Sendable {
    private let micros: Atomic<Int64>
    init(_ text: String) { micros = Atomic(Timestamp(rfc3339: text)?.microseconds ?? 0) }
    var now: Timestamp { Timestamp(microseconds: micros.load(ordering: .acquiring)) }
    func set(_ text: String) { set(Timestamp(rfc3339: text) ?? .distantPast) }
    func set(_ instant: Timestamp) { micros.store(instant.microseconds, ordering: .releasing) }
    var wall: WallClock { WallClock { self.now } }
}

final class FixedSeats: SeatCounting {
    private let taken = Mutex<[String: Int64]>([:])
    func set(_ customer: CustomerID, _ count: Int64) {
        taken.withLock { $0[customer.rawValue] = count }
    }
    func seatsTaken(_ customer: CustomerID, _ feature: FeatureKey, at: Timestamp) -> Int64 {
        taken.withLock { $0[customer.rawValue] ?? 0 }
    }
}

/// A log that takes everything, or refuses everything.
final class MemoryLog: EventLogWriter {
    private let refuses = Atomic<Bool>(false)
    private let records = Mutex<[LogAppend]>([])

    func refuse(_ all: Bool) { refuses.store(all, ordering: .releasing) }
    var texts: [String] {
        records.withLock { $0.map { String(decoding: $0.value, as: UTF8.self) } }
    }

    func append(_ appends: [LogAppend]) async throws(EventLogError) -> [LogPosition] {
        if refuses.load(ordering: .acquiring) {
            throw EventLogError(code: .unreachable, message: "refused", outcome: .notAppended)
        }
        records.withLock { $0 += appends }
        return appends.map { _ in LogPosition(partition: 0, offset: 0) }
    }

    func close() async {}
}
