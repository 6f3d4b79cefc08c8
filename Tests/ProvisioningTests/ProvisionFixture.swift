import Entitlements
import Foundation
import Logging
import MeteringModel
import MeteringPorts
import SQLCatalog
import Synchronization
import YAMLCatalog

@testable import Provisioning

/// A control plane in a directory of its own, with a clock that tests move.
final class IntakeFixture: Sendable {
    static let start = Timestamp(rfc3339: "2026-03-10T12:00:00Z") ?? .distantPast

    let path: String
    let store: SQLCatalog
    /// The store as the engine sees it: tests make it fail.
    let flaky: FlakyStore
    let engine: ControlEngine
    private let time: ManualTime

    final class ManualTime: Sendable {
        private let value: Mutex<Timestamp>
        init(_ value: Timestamp) { self.value = Mutex(value) }
        func now() -> Timestamp { value.withLock { $0 } }
        func set(_ now: Timestamp) { value.withLock { $0 = now } }
    }

    static let zone: @Sendable (String) -> TimeZoneRules? = { try? ZoneFiles.load($0) }

    init(_ yaml: String? = IntakeFixture.catalog) async throws {
        path = NSTemporaryDirectory() + "/tollgate-intake-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        store = try SQLCatalog(path: path + "/catalog.db")
        flaky = FlakyStore(store)
        let time = ManualTime(Self.start)
        self.time = time
        engine = try await ControlEngine.open(
            store: flaky, hash: KeyHash(k0: 1, k1: 2), zone: Self.zone,
            clock: WallClock { time.now() },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        if let yaml { _ = try await service.apply(yaml, .init(), context("setup")) }
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(atPath: path)
    }

    var now: Timestamp { time.now() }
    func advance(to text: String) { time.set(Timestamp(rfc3339: text) ?? time.now()) }
    func advance(seconds: Int64) { time.set(time.now().adding(seconds: seconds)) }

    func context(_ request: String = UUID().uuidString, isDryRun: Bool = false) -> CommandContext {
        CommandContext(principal: .local, requestID: request, isDryRun: isDryRun)
    }

    var service: CatalogService { CatalogService(engine: engine, language: Self.language) }

    static let language = CatalogLanguage(
        read: { (yaml) throws(CatalogProblems) in
            let document = try YAMLCatalog.document(yaml)
            return .init(catalog: document.catalog) { document.problems(for: $0) }
        }, render: { YAMLCatalog.render($0) })

    // MARK: doing

    @discardableResult
    func provision(_ json: String, _ context: CommandContext? = nil) async throws -> JSONValue {
        let context = context ?? self.context()
        let command = ControlCommand(
            operation: .provision, body: try JSONParser.parse(json), context: context, digest: json)
        return try await OrderIntake.perform(command, on: engine).body
    }

    func run(
        _ body: @Sendable (inout ControlDraft) throws(ControlProblem) -> Void
    ) async throws {
        _ = try await engine.run(context(), digest: "") { (draft) throws(ControlProblem) in
            try body(&draft)
            return ControlAnswer(body: .object([:]))
        }
    }

    // MARK: looking

    func document(_ kind: RecordKind, _ id: String, at instant: Timestamp? = nil) throws
        -> JSONValue?
    {
        try store.record(kind, id)?.document(at: instant ?? now)
    }

    /// What the gate would find: `tokens 1000 per month`, `sso on`, `seats 60`, `sso denied: …`.
    func entitlement(_ feature: String, of customer: String, at text: String? = nil) -> String {
        let instant = text.flatMap { Timestamp(rfc3339: $0) } ?? now
        let snapshot = engine.current.load()
        guard let number = snapshot.customerIndex(CustomerID(customer)) else {
            return "no customer"
        }
        guard let found = snapshot.entitlement(of: number, FeatureKey(feature), at: instant) else {
            let reason = snapshot.absence(of: number, at: instant)
            return reason == .notEntitled ? "nothing" : "denied: \(reason.rawValue)"
        }
        switch found.value {
        case .boolean(let isOn): return isOn ? "on" : "off"
        case .value(let text): return text
        case .metered(let position):
            let quota = snapshot.customer(found.holder).segment(at: instant).quota(position)
            return Self.text(quota.limit) + " per \(quota.rule.unit.rawValue)"
        case .seats(let seats): return Self.text(seats.seats) + " seats"
        case .denied(let reason): return "denied: \(reason.rawValue)"
        }
    }

    private static func text(_ limit: Limit) -> String {
        limit.finite.map(String.init) ?? "unlimited"
    }

    /// Every entitlement and look-up of some customers, for comparing two moments.
    func picture(
        of customers: [String], features: [String], subjects: [String] = [], at instants: [String]
    ) -> [String] {
        var lines: [String] = []
        for customer in customers {
            for instant in instants {
                for feature in features {
                    lines.append(
                        "\(customer) \(instant) \(feature) "
                            + entitlement(feature, of: customer, at: instant))
                }
            }
        }
        let snapshot = engine.current.load()
        for subject in subjects {
            let number = snapshot.customerIndex(ofSubject: SubjectID(subject))
            lines.append(
                "\(subject) \(number.map { snapshot.customer($0).id.rawValue } ?? "nobody")")
        }
        return lines
    }

    static let catalog = """
        products:
          - {key: app, name: App, default_plan: starter}
          - {key: lonely}
        meters:
          - {key: calls, event_type: call, aggregation: count}
          - {key: tokens, event_type: token, aggregation: sum, value: $.n}
        features:
          - {key: api_calls, type: metered, meter: calls}
          - {key: llm_tokens, type: metered, meter: tokens}
          - {key: sso, type: boolean}
          - {key: scim, type: boolean}
          - {key: region, type: static}
          - {key: seats, type: seat}
          - {key: devices, type: seat}
        plans:
          - key: starter
            product: app
            entitlements:
              api_calls: {limit: 1000, period: month, anchor: subscription}
              seats: 5
              region: us
          - key: pro
            product: app
            entitlements:
              api_calls: {limit: 100000, period: month, anchor: subscription}
              sso: true
              seats: 25
              region: eu
          - key: lonely
            product: lonely
            entitlements: {scim: true}
        add_ons:
          - {key: premium, product: app, entitlements: {scim: true, api_calls: {limit: 5000}}}
        stripe:
          prices:
            price_starter: {plan: starter}
            pro_monthly: {plan: pro}
            price_pro_year: {plan: pro}
            prod_premium: {add_on: premium}
            price_seat: {seats: seats}
            price_seat_year: {seats: seats}
          failed_attempts: 2
        customers:
          - id: berlin
            time_zone: Europe/Berlin
            subjects: [key_berlin]
        """
}
