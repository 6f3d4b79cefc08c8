import Entitlements
import Foundation
import Logging
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import Synchronization
import Testing

/// A control plane on a store of its own, with a clock that stands still until it is moved.
final class Harness: Sendable {
    static let start = Timestamp(rfc3339: "2026-03-10T12:00:00Z") ?? .distantPast

    let directory: String
    let store: SQLCatalog
    let engine: ControlEngine
    let service: ProvisioningService
    private let sharedTime: SharedTime
    private let requests = Mutex(0)

    /// - Parameter directory: of a harness that was closed; nil makes an empty one.
    static func open(_ directory: String? = nil, at now: Timestamp = start) async throws -> Harness {
        let path = directory ?? NSTemporaryDirectory() + "provisioning-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return try await Harness(path, now)
    }

    private init(_ directory: String, _ now: Timestamp) async throws {
        self.directory = directory
        let time = SharedTime(now)
        sharedTime = time
        store = try SQLCatalog(path: directory + "/catalog.db")
        engine = try await ControlEngine.open(
            store: store, hash: KeyHash(k0: 1, k1: 2), zone: Self.zone,
            clock: WallClock { time.now }, logger: Logger(label: "test"))
        service = ProvisioningService(engine: engine, parts: .stubs)
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Closes the store and opens it again, as after a restart.
    func reopened() async throws -> Harness {
        store.close()
        let moved = directory + "-again"
        try FileManager.default.moveItem(atPath: directory, toPath: moved)
        return try await Harness.open(moved, at: sharedTime.now)
    }

    var now: Timestamp {
        get { sharedTime.now }
        set { sharedTime.now = newValue }
    }

    func advance(seconds: Int64) { sharedTime.now = sharedTime.now.adding(seconds: seconds) }

    static func zone(_ name: String) -> TimeZoneRules? {
        if name == "UTC" { return .utc }
        guard let data = FileManager.default.contents(atPath: "/usr/share/zoneinfo/\(name)") else {
            return nil
        }
        return TimeZoneRules(name: name, tzif: Array(data))
    }

    // MARK: asking

    @discardableResult
    func perform(
        _ operation: ControlCommand.Operation, _ body: String = "{}", key: String? = nil,
        at effectiveAt: String? = nil, reason: String? = nil, match: String? = nil,
        dryRun: Bool = false, expecting count: Int? = nil, by principal: Principal = .local
    ) async throws -> ControlAnswer {
        let number = requests.withLock { number in
            number += 1
            return number
        }
        let context = CommandContext(
            principal: principal, requestID: "req-\(store.revision)-\(number)",
            idempotencyKey: key, ifMatch: match,
            effectiveAt: effectiveAt.flatMap { Timestamp(rfc3339: $0) }, reason: reason,
            isDryRun: dryRun, expectedCount: count)
        return try await service.perform(
            ControlCommand(
                operation: operation, body: try JSONParser.parse(body), context: context,
                digest: "\(operation) \(body)"))
    }

    /// The problem that a command ends with.
    func problem(
        _ operation: ControlCommand.Operation, _ body: String = "{}", key: String? = nil,
        at effectiveAt: String? = nil, reason: String? = nil, match: String? = nil,
        dryRun: Bool = false, expecting count: Int? = nil, by principal: Principal = .local
    ) async -> ControlProblem? {
        let before = store.revision
        do {
            try await perform(
                operation, body, key: key, at: effectiveAt, reason: reason, match: match,
                dryRun: dryRun, expecting: count, by: principal)
            return nil
        } catch let problem as ControlProblem {
            #expect(store.revision == before, "a refused command changed something")
            return problem
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }

    func read(
        _ subject: ControlQuery.Subject, at: String? = nil, customer: CustomerID? = nil,
        cursor: String? = nil, limit: Int = 100, by principal: Principal = .local
    ) async throws -> ControlAnswer {
        try await service.read(
            ControlQuery(
                subject: subject, principal: principal, at: at.flatMap { Timestamp(rfc3339: $0) },
                customer: customer, cursor: cursor, limit: limit))
    }

    // MARK: entitlements

    var snapshot: CatalogSnapshot { engine.current.load() }

    /// What a customer has of a feature, in one line.
    func right(_ customer: CustomerID, _ feature: FeatureKey, at: Timestamp? = nil) -> String {
        Self.right(snapshot, customer, feature, at: at ?? now)
    }

    static func right(
        _ snapshot: CatalogSnapshot, _ customer: CustomerID, _ feature: FeatureKey,
        at instant: Timestamp
    ) -> String {
        guard let number = snapshot.customerIndex(customer), !snapshot.customer(number).isRemoved
        else { return "nobody" }
        guard let found = snapshot.entitlement(of: number, feature, at: instant) else {
            return "none"
        }
        switch found.value {
        case .boolean(let isOn): return isOn ? "on" : "off"
        case .value(let text): return text
        case .seats(let seats): return "\(seats.seats.finite ?? -1) seats"
        case .denied(let reason): return reason.rawValue
        case .metered(let position):
            let quota = snapshot.customer(found.holder).segment(at: instant).quota(position)
            let grants = quota.grants.map { "+\($0.terms.amount)" }.joined()
            return "\(quota.limit.finite ?? -1)\(grants)/\(quota.rule.unit.rawValue)"
        }
    }
}

final class SharedTime: Sendable {
    private let value: Mutex<Timestamp>
    init(_ value: Timestamp) { self.value = Mutex(value) }
    var now: Timestamp {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

extension ProvisioningService.Parts {
    /// Parts that other tests are about.
    static let stubs = ProvisioningService.Parts(
        provision: { (_) throws(ControlProblem) in throw .invalid("stub", "not here") },
        importCustomers: { (_, _, _) throws(ControlProblem) in throw .invalid("stub", "not here") },
        rollBackImport: { (_, _) throws(ControlProblem) in throw .invalid("stub", "not here") },
        webhook: { (_, _, _) throws(ControlProblem) in throw .invalid("stub", "not here") },
        access: AccessCommands(
            create: { (_, _) throws(ControlProblem) in throw .invalid("stub", "not here") },
            revoke: { (_, _) throws(ControlProblem) in throw .invalid("stub", "not here") },
            list: { (_) throws(ControlProblem) in throw .invalid("stub", "not here") }),
        tokens: TokenCommands(
            mint: { (_, _, _) throws(ControlProblem) in throw .invalid("stub", "not here") },
            rotate: { (_) throws(ControlProblem) in throw .invalid("stub", "not here") },
            jwks: { () throws(ControlProblem) in throw .invalid("stub", "not here") }),
        auditHead: { () throws(ControlProblem) in throw .invalid("stub", "not here") },
        adjustments: { (_, _) throws(ControlProblem) in throw .invalid("stub", "not here") })
}

extension Harness {
    /// A catalog with a feature of each type, two plans and an add-on.
    func makeCatalog() async throws {
        let definitions: [(RecordKind, String)] = [
            (.product, #"{"key": "suite", "name": "Suite"}"#),
            (.meter, #"{"key": "tokens", "event_type": "llm.used", "aggregation": "sum", "value": "$.tokens"}"#),
            (.feature, #"{"key": "tokens", "type": "metered", "meter": "tokens"}"#),
            (.feature, #"{"key": "sso", "type": "boolean"}"#),
            (.feature, #"{"key": "region", "type": "static"}"#),
            (.feature, #"{"key": "seats", "type": "seat"}"#),
            (.feature, #"{"key": "live", "type": "seat"}"#),
            (
                .plan,
                """
                {"key": "basic", "product": "suite", "entitlements": {
                    "tokens": {"limit": 100, "period": "month"}, "region": "eu", "seats": 2}}
                """
            ),
            (
                .plan,
                """
                {"key": "pro", "product": "suite", "entitlements": {
                    "tokens": {"limit": 1000, "period": "month"}, "sso": true, "region": "us",
                    "seats": 5, "live": {"seats": 2, "mode": "concurrent", "heartbeat": 60}}}
                """
            ),
            (
                .addOn,
                #"{"key": "extra", "product": "suite", "entitlements": {"tokens": {"limit": 50}}}"#
            ),
        ]
        for (kind, body) in definitions { try await perform(.create(kind), body) }
    }

    /// A customer that has had a plan since the beginning of the month.
    func makeCustomer(
        _ id: String, plan: String = "basic", start: String = "2026-03-01T00:00:00Z",
        more: String = ""
    ) async throws {
        try await perform(.create(.customer), #"{"id": "\#(id)"\#(more)}"#)
        try await perform(
            .create(.subscription),
            #"{"customer": "\#(id)", "plan": "\#(plan)", "start": "\#(start)"}"#)
    }
}
