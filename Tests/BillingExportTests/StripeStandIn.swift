import BillingExport
import MeteringModel
import MeteringPorts
import Synchronization

/// A stand-in for Stripe's meter events that checks every documented rule and can misbehave.
final class StripeStandIn: Sendable {
    enum Fault: CaseIterable, Sendable {
        case rateLimit, laneTaken, errorBefore, errorAfter, timeoutAfter, resetBefore, unreachable
    }

    struct Accepted: Sendable, Hashable {
        var identifier: String
        var lane: String
        var value: Int64
        var timestamp: Int64
        var at: Timestamp
    }

    private struct State {
        var accepted: [Accepted] = []
        /// Identifier and when it was taken; forgotten after 24 h.
        var known: [String: Timestamp] = [:]
        var keys: [String: (body: [UInt8], answer: StripeResponse?)] = [:]
        var lanes: Set<String> = []
        var calls = 0
        var inFlight = 0
        var inFlightMax = 0
        var broken: [String] = []
        var faults: [Fault] = []
    }

    let clock: WallClock
    /// Refuses an identifier that it knows, as Stripe does; else it is accepted and passed over.
    let refusesRepetitions: Bool
    private let state = Mutex(State())
    private let fault: @Sendable () -> Fault?

    init(
        clock: WallClock, refusesRepetitions: Bool = true,
        fault: @escaping @Sendable () -> Fault? = { nil }
    ) {
        self.clock = clock
        self.refusesRepetitions = refusesRepetitions
        self.fault = fault
    }

    var accepted: [Accepted] { state.withLock { $0.accepted } }
    var callCount: Int { state.withLock { $0.calls } }
    var inFlightMax: Int { state.withLock { $0.inFlightMax } }
    /// Rules that were broken: our own faults.
    var broken: [String] { state.withLock { $0.broken } }

    func total(_ lane: String) -> Int64 {
        accepted.filter { $0.lane == lane }.reduce(0) { $0 + $1.value }
    }

    func transport(_ request: StripeRequest) async throws(StripeTransportError) -> StripeResponse {
        let fault = fault()
        state.withLock { state in
            state.calls += 1
            state.inFlight += 1
            state.inFlightMax = max(state.inFlightMax, state.inFlight)
        }
        defer { state.withLock { $0.inFlight -= 1 } }
        switch fault {
        case .unreachable:
            throw StripeTransportError(message: "connection refused", isOutcomeUnknown: false)
        case .resetBefore:
            throw StripeTransportError(message: "connection reset", isOutcomeUnknown: true)
        case .rateLimit:
            return Self.error(429, "Too many requests", code: "rate_limit", retryAfter: 1)
        case .laneTaken: return Self.error(429, "Lock timeout", code: "lock_timeout")
        case .errorBefore: return Self.error(500, "Something went wrong", code: nil)
        case .errorAfter, .timeoutAfter, nil: break
        }
        let answer = await answer(request)
        if fault == .errorAfter { return Self.error(503, "Something went wrong", code: nil) }
        if fault == .timeoutAfter {
            throw StripeTransportError(message: "no answer in time", isOutcomeUnknown: true)
        }
        return answer
    }

    private func answer(_ request: StripeRequest) async -> StripeResponse {
        let fields = Self.decode(request.body)
        let lane =
            (fields["payload[stripe_customer_id]"] ?? "") + "/" + (fields["event_name"] ?? "")
        let isFree = state.withLock { $0.lanes.insert(lane).inserted }
        defer { state.withLock { _ = $0.lanes.remove(lane) } }
        await Task.yield()
        return state.withLock { state in
            if !isFree {
                state.broken.append("two calls at a time for \(lane)")
                return Self.error(429, "Lock timeout", code: "lock_timeout")
            }
            if let past = state.keys[request.idempotencyKey] {
                if past.body != request.body {
                    state.broken.append("another body under \(request.idempotencyKey)")
                    return Self.error(
                        400, "Keys can only be used with the same parameters.", code: nil)
                }
                if let answer = past.answer { return answer }
            }
            let answer = take(request, fields, lane, &state)
            state.keys[request.idempotencyKey] = (request.body, answer)
            return answer
        }
    }

    private func take(
        _ request: StripeRequest, _ fields: [String: String], _ lane: String, _ state: inout State
    ) -> StripeResponse {
        let now = clock.now()
        guard request.path == "/v1/billing/meter_events",
            Set(fields.keys) == [
                "event_name", "identifier", "payload[stripe_customer_id]", "payload[value]",
                "timestamp",
            ], let name = fields["event_name"], (1...100).contains(name.count),
            let identifier = fields["identifier"], (1...100).contains(identifier.count),
            let customer = fields["payload[stripe_customer_id]"], customer.hasPrefix("cus_"),
            let text = fields["payload[value]"], let value = Int64(text), value > 0,
            text == String(value), let time = fields["timestamp"].flatMap({ Int64($0) })
        else {
            state.broken.append("malformed: \(fields)")
            return Self.error(400, "Invalid request", code: "parameter_invalid")
        }
        if customer == "cus_unknown" {
            return Self.error(400, "No such customer: 'cus_unknown'", code: "resource_missing")
        }
        guard time >= now.seconds - 35 * 86_400, time <= now.seconds + 300 else {
            state.broken.append("timestamp \(time) at \(now.seconds)")
            return Self.error(400, "The timestamp is out of range", code: "timestamp_invalid")
        }
        if let at = state.known[identifier], now < at.adding(seconds: 86_400) {
            return refusesRepetitions
                ? Self.error(
                    400, "An event already exists with identifier \(identifier).", code: nil)
                : StripeResponse(status: 200, body: Array("{}".utf8))
        }
        state.known[identifier] = now
        state.accepted.append(
            Accepted(identifier: identifier, lane: lane, value: value, timestamp: time, at: now))
        return StripeResponse(
            status: 200, body: Array("{\"object\":\"billing.meter_event\"}".utf8))
    }

    private static func error(
        _ status: Int, _ message: String, code: String?, retryAfter: Int64? = nil
    ) -> StripeResponse {
        let error = JSONValue.members([
            "message": .string(message), "type": .string("invalid_request_error"),
            "code": code.map(JSONValue.string),
        ])
        return StripeResponse(
            status: status, body: JSONValue.object(["error": error]).canonicalBytes,
            retryAfterSeconds: retryAfter)
    }

    /// Independent of the code that encodes.
    static func decode(_ body: [UInt8]) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in String(decoding: body, as: UTF8.self).split(separator: "&") {
            let halves = pair.split(separator: "=", omittingEmptySubsequences: false).map(unescape)
            if halves.count == 2 { fields[halves[0]] = halves[1] }
        }
        return fields
    }

    private static func unescape(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"),
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
