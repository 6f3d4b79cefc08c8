import Billing
import BillingExport
import Entitlements
import Logging
import MeteringModel
import MeteringPorts
import SQLBilling
import SQLCatalog
import SQLLedger
import Signals
import Synchronization
import YAMLCatalog

/// A shop in real stores: customers on one plan with a fee and five metered features, three of them
/// priced, who use one or two features every seventh day for two months.
///
/// They began with October 2026; billing was started in its middle, so that October is the first
/// month to be closed.
final class DeskStage {
    static let features = ["tokens", "requests", "storage", "searches", "exports"]
    private static let pricedCount = 3
    private static let days = 58
    /// With the offset of October's first midnight, at which subscriptions begin.
    private static let zones: [(name: String, offset: String)] = [
        ("Europe/Berlin", "+02:00"), ("America/New_York", "-04:00"), ("UTC", "Z"),
    ]
    private static let hash = KeyHash(k0: 21, k1: 22)

    let count: Int
    let ledger: SQLLedger
    let control: SQLCatalog
    let store: SQLBilling
    let clock: StageClock
    let current: CurrentCatalog
    private let folder: ScratchFolder
    private let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

    init(count: Int) throws {
        self.count = count
        folder = try ScratchFolder()
        ledger = try SQLLedger(path: folder.path + "/ledger.db")
        control = try SQLCatalog(path: folder.path + "/catalog.db")
        store = try SQLBilling(path: folder.path + "/billing.db")
        clock = StageClock(try Self.instant("2026-10-15T12:00:00Z"))
        try Self.sign(count, control)
        current = CurrentCatalog(try Self.compile(control))
        try use()
    }

    func close() {
        ledger.close()
        control.close()
        store.close()
    }

    static func customer(_ number: Int) -> CustomerID { CustomerID("customer-\(number)") }

    static func instant(_ text: String) throws -> Timestamp {
        guard let instant = Timestamp(rfc3339: text) else {
            throw BenchmarkFailure("\(text) is no time")
        }
        return instant
    }

    // MARK: contracts

    private static func catalog() throws -> Catalog {
        return Catalog(
            meters: features.map {
                MeterDefinition(
                    key: MeterKey($0), eventType: $0, aggregation: .sum,
                    value: ValuePath(members: ["amount"]))
            },
            features: features.map {
                FeatureDefinition(key: FeatureKey($0), type: .metered, meter: MeterKey($0))
            },
            plans: [
                try plan("team", fee: 49, unit: 12), try plan("business", fee: 499, unit: 8),
            ])
    }

    /// - Parameters:
    ///   - fee: euros a month.
    ///   - unit: of the usage that is priced, in hundredths of a cent.
    private static func plan(_ key: PlanKey, fee: Int128, unit: Int128) throws -> PlanDefinition {
        guard let euro = Currency("EUR") else { throw BenchmarkFailure("there is no euro") }
        let price = UsagePrice(
            model: .perUnit(ExactDecimal(units: unit, scale: 4)), included: .units(100))
        var entitlements: [FeatureKey: EntitlementDefinition] = [:]
        for (position, feature) in features.enumerated() {
            entitlements[FeatureKey(feature)] = .metered(
                MeteredEntitlement(
                    limit: .finite(1_000_000), period: .month, enforcement: .soft,
                    price: position < pricedCount ? price : nil))
        }
        return PlanDefinition(
            key: key, version: 1, entitlements: entitlements, currency: euro,
            fee: RecurringPrice(amount: ExactDecimal(units: fee, scale: 0)))
    }

    /// Makes a customer and a subscription each.
    private static func sign(_ count: Int, _ control: SQLCatalog) throws {
        let at = try instant("2026-10-01T00:00:00Z")
        func change(_ kind: RecordKind, _ id: String, _ owner: CustomerID, _ patch: JSONValue)
            -> ControlChange
        {
            ControlChange(
                at: at, actor: "bench", source: "import", effectiveAt: .distantPast,
                requestID: "bench", action: .create, kind: kind, id: id, customer: owner,
                patch: patch, after: patch)
        }
        for first in stride(from: 0, to: count, by: 1_000) {
            var changes: [ControlChange] = []
            for number in first..<min(count, first + 1_000) {
                let id = customer(number)
                let zone = zones[number % zones.count]
                changes.append(
                    change(
                        .customer, id.rawValue, id,
                        .object([
                            "id": .string(id.rawValue), "name": .string("Customer \(number)"),
                            "time_zone": .string(zone.name),
                        ])))
                changes.append(
                    change(
                        .subscription, "sub-\(number)", id,
                        .object([
                            "id": .string("sub-\(number)"), "customer": .string(id.rawValue),
                            "plan": .string("team"), "version": .integer(1),
                            "start": .string("2026-10-01T00:00:00" + zone.offset),
                        ])))
            }
            _ = try control.commit(ControlCommit(base: control.revision, changes: changes))
        }
    }

    private static func compile(_ control: SQLCatalog) throws -> CatalogSnapshot {
        var contracts: [CustomerContract] = []
        let reader = ContractReader(scales: [:])
        try control.scanContracts { customer, histories in
            if let contract = try? reader.contract(of: customer, histories) {
                contracts.append(contract)
            }
        }
        let made = CatalogSnapshot.compile(
            try catalog(), contracts: contracts, revision: control.revision, hash: hash,
            zone: { try? ZoneFiles.load($0) })
        switch made {
        case .success(let snapshot): return snapshot
        case .failure(let issues): throw BenchmarkFailure("\(issues)")
        }
    }

    // MARK: usage

    /// Even numbers use one feature, odd ones two.
    private func meters(_ number: Int) -> [MeterKey] {
        (0...(number % 2)).map { MeterKey(Self.features[(number + $0) % Self.features.count]) }
    }

    private func use() throws {
        guard let claim = try ledger.claim([0]).first else {
            throw BenchmarkFailure("the ledger gives no partition")
        }
        let first = try Self.instant("2026-10-01T12:00:00Z")
        var draws = Draws(seed: 5)
        for day in 0..<Self.days {
            var batch = LedgerBatch(
                partition: 0, epoch: claim.epoch, baseOffset: Int64(day),
                nextOffset: Int64(day) + 1, completeTo: first)
            for number in stride(from: day % 7, to: count, by: 7) {
                let at = first.adding(seconds: Int64(day) * 86_400 + Int64(number % 11) * 3_600)
                for meter in meters(number) {
                    add(Int64(draws.next() % 100) + 1, number, meter, at, to: &batch)
                }
            }
            _ = try ledger.commit(batch) { _ in [] }
        }
    }

    private func add(
        _ units: Int64, _ number: Int, _ meter: MeterKey, _ at: Timestamp,
        to batch: inout LedgerBatch
    ) {
        let snapshot = current.load()
        guard let index = snapshot.customerIndex(Self.customer(number)) else { return }
        let customer = snapshot.customer(index)
        func period(_ unit: PeriodUnit) -> Period {
            PeriodRule(unit: unit, anchor: .calendar).period(containing: at, zone: customer.zone)
        }
        let state = UsageState(count: 1, value: units)
        batch.usage.append(
            UsageDelta(
                key: UsageKey(customer: customer.id, meter: meter, period: period(.month)),
                aggregation: .sum, delta: state, admitted: 0))
        let starts: [(RollupWindow, Timestamp)] = [
            (.hour, at), (.day, period(.day).start), (.month, period(.month).start),
        ]
        for (window, start) in starts {
            batch.rollups.append(
                RollupDelta(
                    customer: customer.id, meter: meter, window: window, start: start,
                    dimensions: "{}", aggregation: .sum, delta: state))
        }
    }

    // MARK: services

    var billing: BillingSources {
        let clock = clock
        return BillingSources(
            catalog: current, contracts: ContractSource(control), queries: ledger,
            cumulative: WholePeriods(), store: store,
            limits: { _ in { quota, _, _ in quota.limit } },
            zone: { try? ZoneFiles.load($0) }, completeTo: { clock.now }, clock: clock.wall,
            logger: logger)
    }

    var signals: SignalService {
        SignalService(
            SignalSources(
                catalog: current, contracts: ContractRecords(control), queries: ledger,
                activity: ledger, limit: { quota, _, _ in quota.limit },
                nearLimit: { (_, _, _) throws(QueryError) in ([], nil) }, records: NoRecords(),
                clock: clock.wall, logger: logger))
    }

    /// Usage of one meter, for everybody.
    func meterEvents() throws -> MeterEventPlanning {
        let reported = (0..<count).map {
            ReportedCustomer(
                stripeCustomer: "cus_" + String(Draws.mix(UInt64($0)), radix: 36),
                customer: Self.customer($0))
        }.sorted { $0.stripeCustomer < $1.stripeCustomer }
        let ledger = ledger
        return MeterEventPlanning(
            store: store,
            hours: { customers, meter, from, to in
                try ledger.hourUsage(of: customers, meter, from: from, to: to)
            },
            source: MeterEventSource(
                meters: {
                    [
                        ReportedMeter(
                            meter: "tokens", aggregation: .sum, scale: 0, eventName: "tokens",
                            windowSeconds: 3_600)
                    ]
                },
                customers: { after, limit in
                    let start = reported.partitioningIndex { $0.stripeCustomer > after }
                    let page = Array(reported[start...].prefix(limit))
                    return (page, page.count < limit ? nil : page.last?.stripeCustomer)
                }),
            identifier: MeterEventIdentifier(hash: Self.hash),
            settings: MeterEventSettings(from: try Self.instant("2026-11-01T00:00:00Z")),
            clock: clock.wall, counters: ExportCounters(), logger: logger)
    }
}

extension Array {
    /// The first index whose element meets what all behind it meet too.
    fileprivate func partitioningIndex(where isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Time as the benchmark sets it.
final class StageClock: Sendable {
    private let micros: Atomic<Int64>
    init(_ now: Timestamp) { micros = Atomic(now.microseconds) }
    var now: Timestamp { Timestamp(microseconds: micros.load(ordering: .relaxed)) }
    func set(_ now: Timestamp) { micros.store(now.microseconds, ordering: .relaxed) }
    var wall: WallClock { WallClock { self.now } }
}

/// Nothing changes within a period here, so nobody asks for a part of one.
private final class WholePeriods: CumulativeUsage {
    func states(
        customer: CustomerID, meter: MeterKey, period: Period, upTo cuts: [Timestamp]
    ) throws(LedgerError) -> [UsageState] {
        throw LedgerError(code: .unavailable, message: "the benchmark has no parts of periods")
    }
}

/// Nobody has done anything about a signal.
private final class NoRecords: RecordKeeping {
    func change(
        _ kind: RecordKind, _ id: String, customer: CustomerID?, _ context: CommandContext,
        digest: String,
        _ body:
            @escaping @Sendable (JSONValue?) throws(ControlProblem) -> (
                document: JSONValue?, answer: ControlAnswer
            )
    ) async throws(ControlProblem) -> ControlAnswer {
        throw ControlProblem(.unavailable, "unavailable", "the benchmark keeps no records")
    }

    func history(_ kind: RecordKind, _ id: String) throws(ControlProblem) -> RecordHistory? { nil }
    func records(
        _ kind: RecordKind, customer: CustomerID?
    ) throws(ControlProblem) -> [RecordHistory] { [] }
}
