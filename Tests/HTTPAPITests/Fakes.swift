import Logging
import MeteringModel
import MeteringPorts
import Synchronization

/// Answers by the feature's name; remembers what it was asked.
final class FakeGate: EntitlementGate {
    let asked = Mutex<[EntitlementQuestion]>([])
    let timesToLive = Mutex<[Int64]>([])
    let commits = Mutex<[DecimalQuantity?]>([])
    /// Consumes of the feature `slow` wait until this is finished.
    let latch = Latch()

    static let period = Period(
        start: Timestamp(seconds: 1_793_487_600), end: Timestamp(seconds: 1_796_079_600))

    static func decision(_ question: EntitlementQuestion) -> Decision {
        let customer: CustomerID
        switch question.party {
        case .customer(let id): customer = id
        case .subject(let id): customer = CustomerID("owner-of-" + id.rawValue)
        }
        return Decision(
            isAllowed: true, reason: .warning, customer: customer, feature: question.feature,
            quantity: (try? question.quantity.units(scale: 0)) ?? 0, limit: .finite(1_000_000),
            used: 812_345, remaining: 187_655, period: period, thresholdsCrossed: ["80%"],
            limitSource: "plan pro v3",
            usageCompleteTo: Timestamp(microseconds: 1_795_256_102_120_000),
            timeZone: "Europe/Berlin")
    }

    private func answer(_ question: EntitlementQuestion) throws(GateError) -> Decision {
        asked.withLock { $0.append(question) }
        if question.quantity.mantissa < 0 {
            throw GateError(code: .invalidQuantity, message: "quantity must not be negative")
        }
        var decision = Self.decision(question)
        switch question.feature {
        case "full":
            decision.isAllowed = false
            decision.reason = .exhausted
            decision.remaining = 0
        case "sso":
            decision.limit = nil
            decision.period = nil
            decision.reason = .ok
        case "region":
            decision.limit = nil
            decision.value = "eu \"west\"\n"
        case "endless":
            decision.limit = .unlimited
            decision.period = .lifetime
        case "money":
            decision.scale = 2
        case "pooled":
            decision.limitingCustomer = "acme-holding"
            decision.decidedAt = Timestamp(seconds: 1_795_256_103)
            decision.revision = 77
        case "down": throw GateError(code: .unavailable, message: "the store is gone")
        case "busy": throw GateError(code: .overloaded, message: "too much")
        case "clash": throw GateError(code: .idConflict, message: "another body had this id")
        case "nobody": throw GateError(code: .unknownCustomer, message: "no such customer")
        default: break
        }
        return decision
    }

    func check(_ question: EntitlementQuestion) throws(GateError) -> Decision {
        try answer(question)
    }

    func consume(_ question: EntitlementQuestion) async throws(GateError) -> Decision {
        if question.feature == "slow" { await latch.wait() }
        return try answer(question)
    }

    func reserve(
        _ question: EntitlementQuestion, timeToLiveSeconds: Int64
    ) async throws(GateError) -> ReservationAnswer {
        timesToLive.withLock { $0.append(timeToLiveSeconds) }
        let decision = try answer(question)
        return ReservationAnswer(
            decision: decision, reservation: decision.isAllowed ? Self.reservation(.open) : nil)
    }

    static func reservation(_ state: Reservation.State) -> Reservation {
        Reservation(
            id: "res-1", customer: "acme", feature: "tokens", quantity: 500, period: period,
            expiresAt: Timestamp(seconds: 1_795_256_162), state: state,
            committed: state == .committed ? 412 : 0)
    }

    func commitReservation(
        _ id: String, actual: DecimalQuantity?
    ) async throws(GateError) -> ReservationAnswer {
        commits.withLock { $0.append(actual) }
        return try closed(id, .committed)
    }

    func releaseReservation(_ id: String) async throws(GateError) -> ReservationAnswer {
        try closed(id, .released)
    }

    private func closed(
        _ id: String, _ state: Reservation.State
    ) throws(GateError) -> ReservationAnswer {
        if id == "gone" { throw GateError(code: .reservationClosed, message: "it expired") }
        if id != "res/1" { throw GateError(code: .unknownReservation, message: "no \(id)") }
        let question = EntitlementQuestion(party: .customer("acme"), feature: "tokens")
        return ReservationAnswer(
            decision: Self.decision(question), reservation: Self.reservation(state))
    }

    let instants = Mutex<[Timestamp?]>([])

    func entitlements(
        of customer: CustomerID, at: Timestamp?
    ) throws(GateError) -> [EffectiveEntitlement] {
        instants.withLock { $0.append(at) }
        let question = EntitlementQuestion(
            party: .customer(customer), feature: customer == "ghost" ? "nobody" : "tokens")
        var denied = try answer(question)
        denied.feature = "seats"
        denied.isAllowed = false
        denied.reason = .notEntitled
        return [
            EffectiveEntitlement(
                feature: "seats", type: .seat, decision: denied, enforcement: nil, counting: nil,
                thresholds: []),
            EffectiveEntitlement(
                feature: "tokens", type: .metered, decision: try answer(question),
                enforcement: .soft, counting: .events, thresholds: ["80%", "100%"],
                sources: ["plan pro v3", "add_on premium x2"],
                binding: Binding(domains: ["*.acme.test"], regions: ["eu"])),
        ]
    }
}

/// Many may wait; one lets them all go.
final class Latch: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>(
        (false, []))
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

final class FakeIngest: EventIngest {
    let recorded = Mutex<[AcceptedEvent]>([])
    let failure = Mutex<EventLogError?>(nil)
    let redrives = Mutex<[String]>([])

    func record(_ events: [AcceptedEvent]) async throws(EventLogError) {
        if let error = failure.withLock({ $0 }) { throw error }
        recorded.withLock { $0.append(contentsOf: events) }
    }

    func problem(with event: RawSpan, allowsBackfill: Bool) -> EventProblem? {
        var text = ""
        for index in 0..<event.byteCount {
            text.unicodeScalars.append(Unicode.Scalar(event.byte(at: index)))
        }
        if !text.contains("\"id\"") { return EventProblem(code: "missing_id", detail: "no id") }
        if text.contains("1999-"), !allowsBackfill {
            return EventProblem(code: "invalid_time", detail: "older than 35 days")
        }
        return nil
    }

    func redrive(kind: SetAsideEvent.Kind?, limit: Int) async throws(EventLogError) -> Int {
        redrives.withLock { $0.append("\(kind?.rawValue ?? "all") \(limit)") }
        return 3
    }
}

final class FakeCatalog: CatalogAdministration {
    let applied = Mutex<[String]>([])
    let options = Mutex<[CatalogApplyOptions]>([])
    let contexts = Mutex<[CommandContext]>([])
    let exports = Mutex<[Bool]>([])

    func apply(
        _ yaml: String, _ options: CatalogApplyOptions, _ context: CommandContext
    ) async throws(CatalogProblems) -> CatalogChange {
        if yaml.contains("bad") {
            throw CatalogProblems([.init(line: 3, column: 7, message: "unknown meter")])
        }
        self.options.withLock { $0.append(options) }
        contexts.withLock { $0.append(context) }
        if !options.isDryRun { applied.withLock { $0.append(yaml) } }
        return CatalogChange(revision: 2, lines: ["+ plan pro"], isApplied: !options.isDryRun)
    }

    func export(includesAll: Bool) async throws(CatalogProblems) -> (revision: Int64, yaml: String)
    {
        exports.withLock { $0.append(includesAll) }
        return (1, applied.withLock { $0.last } ?? "")
    }
}

final class FakeOperations: OperationsStatus {
    let reasons = Mutex<[String]>([])
    func notReadyReasons() -> [String] { reasons.withLock { $0 } }
    func details() -> [(name: String, value: String)] { [("mode", "exact")] }
    func metricsText() -> String { "tollgate_up 1\n" }
}
