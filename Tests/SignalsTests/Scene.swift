import Entitlements
import Foundation
import Logging
import MeteringModel
import MeteringPorts
import SQLLedger
import Signals
import Synchronization
import Testing
import YAMLCatalog

func at(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

/// A customer's records as the control plane keeps them.
struct Buyer {
    var id: String
    var plan: String? = "pro"
    var zone = "UTC"
    var owner: String?
    var parent: String?
    var inherits = true
    var environment = "production"
    var start = "2026-01-01T00:00:00Z"
    var end: String?
    var frequency = "monthly"
    var seats: [String: Int64] = [:]
    var addOns: [String] = []
    /// Version that the subscription is pinned to.
    var version = 1
    /// From an instant on another plan.
    var change: (at: String, plan: String)?
    var grant: (feature: String, amount: Int64, start: String)?

    var histories: [RecordHistory] {
        let customer = CustomerID(id)
        func history(_ kind: RecordKind, _ id: String, _ patch: JSONValue) -> RecordHistory {
            RecordHistory(
                kind: kind, id: id, customer: customer,
                entries: [.init(sequence: 1, effectiveAt: .distantPast, patch: patch)])
        }
        var found = [
            history(
                .customer, id,
                .members([
                    "id": .string(id), "time_zone": .string(zone),
                    "owner": owner.map { .string($0) },
                    "parent": parent.map { .string($0) }, "inherits": .bool(inherits),
                    "environment": .string(environment),
                ]))
        ]
        if let plan {
            var held = history(
                .subscription, "s-\(id)",
                .members([
                    "id": .string("s-\(id)"), "customer": .string(id), "plan": .string(plan),
                    "version": .integer(version), "start": .string(start),
                    "end": end.map { .string($0) }, "billing_frequency": .string(frequency),
                    "seats": seats.isEmpty ? nil : .object(seats.mapValues { .integer($0) }),
                    "add_ons": .array(addOns.map { .string($0) }),
                ]))
            if let change, let at = Timestamp(rfc3339: change.at) {
                held = RecordHistory(
                    kind: .subscription, id: held.id, customer: customer,
                    entries: held.entries + [
                        .init(
                            sequence: 2, effectiveAt: at,
                            patch: .object(["plan": .string(change.plan)]))
                    ])
            }
            found.append(held)
        }
        if let grant {
            found.append(
                history(
                    .grant, "g-\(id)",
                    .members([
                        "id": .string("g-\(id)"), "customer": .string(id),
                        "feature": .string(grant.feature), "amount": .integer(grant.amount),
                        "start": .string(grant.start), "reason": .string("goodwill"),
                    ])))
        }
        return found
    }
}

/// A real ledger with usage, a catalog, and customers; time stands where a test puts it.
final class Scene: Sendable {
    let folder: String
    let ledger: SQLLedger
    let current: CurrentCatalog
    let records = MemoryRecords()
    let outbox = MemoryOutbox()
    let histories: [CustomerID: [RecordHistory]]
    private let micros: Atomic<Int64>
    private let epoch: Int64
    private let offset = Atomic<Int64>(0)

    init(_ yaml: String, _ buyers: [Buyer], now: String) throws {
        folder = NSTemporaryDirectory() + "tollgate-signals-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        ledger = try SQLLedger(path: folder + "/ledger.db")
        epoch = try #require(try ledger.claim([0]).first).epoch
        micros = Atomic(try at(now).microseconds)
        histories = Dictionary(
            uniqueKeysWithValues: buyers.map { (CustomerID($0.id), $0.histories) })
        let catalog = try YAMLCatalog.document(yaml).catalog
        let reader = ContractReader(scales: CodecContext.scales(catalog.meters, catalog.features))
        let contracts = try buyers.map { buyer in
            try reader.contract(of: CustomerID(buyer.id), buyer.histories)
        }
        current = CurrentCatalog(
            try CatalogSnapshot.compile(
                catalog, contracts: contracts, revision: 1, hash: KeyHash(k0: 1, k1: 2),
                zone: Self.zone
            ).get())
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    static let zone: @Sendable (String) -> TimeZoneRules? = { name in
        if name == "UTC" { return .utc }
        guard
            let bytes = try? Data(
                contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/\(name)"))
        else { return nil }
        return TimeZoneRules(name: name, tzif: Array(bytes))
    }

    var now: Timestamp { Timestamp(microseconds: micros.load(ordering: .relaxed)) }
    func set(_ text: String) throws {
        micros.store(try at(text).microseconds, ordering: .relaxed)
    }
    var clock: WallClock { WallClock { self.now } }

    // MARK: usage

    struct Use {
        var customer: String
        var units: Int64
        var at: Timestamp
        var meter: MeterKey = "tokens"
    }

    /// Counts usage as metering does: at the customer and all above it, in the periods of their
    /// quotas, per day and hour.
    func use(_ uses: [Use]) throws {
        let base = offset.load(ordering: .relaxed)
        var batch = LedgerBatch(
            partition: 0, epoch: epoch, baseOffset: base, nextOffset: base + 1, completeTo: now)
        let snapshot = current.load()
        for use in uses {
            let number = try #require(snapshot.customerIndex(CustomerID(use.customer)))
            let meter = try #require(snapshot.meterIndex(use.meter))
            let aggregation = snapshot.meters[meter].aggregation
            let delta = UsageState.one(
                aggregation, value: use.units, at: use.at.microseconds,
                member: UInt64(use.units.magnitude))
            snapshot.lineage(of: number, at: use.at) { owner, segment in
                var periods: Set<Period> = []
                for quota in segment.quotas(ofMeter: meter) {
                    periods.insert(
                        segment.rule(ofQuota: quota).period(containing: use.at, zone: owner.zone))
                }
                for period in periods {
                    batch.usage.append(
                        UsageDelta(
                            key: UsageKey(customer: owner.id, meter: use.meter, period: period),
                            aggregation: aggregation, delta: delta, admitted: 0))
                }
                let day = PeriodRule(unit: .day, anchor: .calendar)
                    .period(containing: use.at, zone: owner.zone).start
                let hour = Timestamp(seconds: use.at.seconds / 3_600 * 3_600)
                for (window, start) in [(RollupWindow.hour, hour), (.day, day)] {
                    batch.rollups.append(
                        RollupDelta(
                            customer: owner.id, meter: use.meter, window: window, start: start,
                            dimensions: "{}", aggregation: aggregation, delta: delta))
                }
            }
        }
        _ = try ledger.commit(batch) { _ in [] }
        offset.store(base + 1, ordering: .relaxed)
    }

    /// The same every day, at noon UTC.
    func useDaily(
        _ customer: String, from: String, days: Int, meter: MeterKey = "tokens",
        _ units: (Int) -> Int64
    ) throws {
        let first = try at(from + "T12:00:00Z")
        try use(
            (0..<days).compactMap { day in
                let units = units(day)
                return units == 0
                    ? nil
                    : Use(
                        customer: customer, units: units,
                        at: first.adding(seconds: Int64(day) * 86_400), meter: meter)
            })
    }

    // MARK: services

    var contracts: ContractRecords {
        let histories = histories
        let ids = histories.keys.sorted()
        let catalog = current.load().definitions.catalog
        return ContractRecords(
            contract: { (customer) throws(ControlStoreError) in histories[customer] ?? [] },
            customers: { (after, limit) throws(ControlStoreError) in
                Array(
                    ids.drop { id in
                        after.map { !$0.utf8.lexicographicallyPrecedes(id.rawValue.utf8) } ?? false
                    }.prefix(limit))
            },
            customerCount: { () throws(ControlStoreError) in ids.count },
            record: { (kind, id) throws(ControlStoreError) in
                let context = CodecContext(
                    scales: CodecContext.scales(catalog.meters, catalog.features))
                guard kind == .addOn,
                    let addOn = catalog.addOns.first(where: { $0.key.rawValue == id })
                else { return nil }
                return RecordHistory(
                    kind: kind, id: id, customer: nil,
                    entries: [
                        .init(
                            sequence: 1, effectiveAt: .distantPast,
                            patch: RecordCodec.encode(addOn, context))
                    ])
            })
    }

    func service(_ settings: SignalSettings = SignalSettings()) -> SignalService {
        SignalService(
            SignalSources(
                catalog: current, contracts: contracts, queries: ledger, activity: ledger,
                limit: { quota, _, _ in quota.limit },
                nearLimit: { (_, _, _) throws(QueryError) in ([], nil) }, records: records,
                outbox: outbox, clock: clock, settings: settings,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
    }

    /// The signals of everybody, after a sweep.
    func signals(_ kind: SignalKind? = nil) async throws -> [JSONValue] {
        let service = service()
        await service.drain()
        let answer = try await service.list(
            SignalQuery(kind: kind, limit: 1_000, principal: .local))
        return answer.body["items"]?.elements ?? []
    }
}

extension JSONValue {
    var reason: String { self["reason"]?.text ?? "" }
    func number(_ name: String) -> String? { self["numbers"]?[name]?.digits }
}
