import Foundation
import MeteringModel
import Synchronization

/// Stripe's meter events on a socket: checks the documented rules, and fails as it is told to.
final class StripeSite: Sendable {
    enum Fault: Sendable {
        case none, tooMany, errorBefore, errorAfter, closeBefore, closeAfter
        /// Takes the event and answers when it is released.
        case hold
    }

    struct Taken: Sendable, Hashable {
        var identifier: String
        var customer: String
        var value: Int64
        var timestamp: Int64
    }

    private struct State {
        var taken: [Taken] = []
        var answers: [String: (body: [UInt8], answer: HTTPStandIn.Reply)] = [:]
        var lanes: Set<String> = []
        var callCount = 0
        var broken: [String] = []
        var isHeld = false
    }

    private let key: String
    private let fault: @Sendable (_ call: Int) -> Fault
    private let state = Mutex(State())
    private static let eventsPath = "/v1/billing/meter_events"
    private static let fields: Set = [
        "event_name", "identifier", "payload[stripe_customer_id]", "payload[value]", "timestamp",
    ]

    init(key: String, fault: @escaping @Sendable (_ call: Int) -> Fault) {
        self.key = key
        self.fault = fault
    }

    var taken: [Taken] { state.withLock { $0.taken } }
    var callCount: Int { state.withLock { $0.callCount } }
    var isHeld: Bool { state.withLock { $0.isHeld } }
    /// Rules that the caller broke.
    var broken: [String] { state.withLock { $0.broken } }
    var isIdle: Bool { state.withLock { $0.lanes.isEmpty } }

    func release() { state.withLock { $0.isHeld = false } }

    /// What was taken, by Stripe's name of the customer.
    var sums: [String: Int64] {
        taken.reduce(into: [:]) { $0[$1.customer, default: 0] += $1.value }
    }

    func answer(_ request: HTTPStandIn.Request) async -> HTTPStandIn.Reply {
        let fields = FormText.decode(request.body)
        let lane =
            (fields["payload[stripe_customer_id]"] ?? "") + "/" + (fields["event_name"] ?? "")
        let fault = state.withLock { state in
            state.callCount += 1
            if !state.lanes.insert(lane).inserted {
                state.broken.append("two calls at a time for \(lane)")
            }
            return self.fault(state.callCount)
        }
        defer { state.withLock { _ = $0.lanes.remove(lane) } }
        // A call takes a while, so that two at a time would be seen.
        try? await Task.sleep(for: .milliseconds(5))
        switch fault {
        case .tooMany: return Self.error(429, "lock_timeout", "Too many at a time")
        case .errorBefore: return Self.error(500, nil, "Something went wrong")
        case .closeBefore: return .close
        case .none: return take(request, fields)
        case .errorAfter:
            _ = take(request, fields)
            return Self.error(503, nil, "Something went wrong")
        case .closeAfter:
            _ = take(request, fields)
            return .close
        case .hold:
            let reply = take(request, fields)
            state.withLock { $0.isHeld = true }
            while isHeld { try? await Task.sleep(for: .milliseconds(5)) }
            return reply
        }
    }

    private func take(
        _ request: HTTPStandIn.Request, _ fields: [String: String]
    ) -> HTTPStandIn.Reply {
        state.withLock { state in
            let headers = request.headers
            guard request.method == "POST", request.path == Self.eventsPath,
                headers["content-type"] == "application/x-www-form-urlencoded",
                headers["authorization"] == "Bearer \(key)",
                let idempotencyKey = headers["idempotency-key"], !idempotencyKey.isEmpty,
                let event = Self.event(fields)
            else {
                state.broken.append("\(request.method) \(request.path) \(fields)")
                return Self.error(400, "parameter_invalid", "Invalid request")
            }
            if let past = state.answers[idempotencyKey] {
                if past.body != request.body {
                    state.broken.append("another body under \(idempotencyKey)")
                }
                return past.answer
            }
            if state.taken.contains(where: { $0.identifier == event.identifier }) {
                state.broken.append("\(event.identifier) under two keys")
                return Self.error(
                    400, nil, "An event already exists with identifier \(event.identifier).")
            }
            state.taken.append(event)
            let answer = HTTPStandIn.Reply.answer(
                200, body: #"{"object":"billing.meter_event"}"#)
            state.answers[idempotencyKey] = (request.body, answer)
            return answer
        }
    }

    /// Nil where a field is not as Stripe wants it.
    private static func event(_ fields: [String: String]) -> Taken? {
        let now = Int64(Date().timeIntervalSince1970)
        guard Set(fields.keys) == Self.fields, fields["event_name"] == "llm_tokens",
            let identifier = fields["identifier"], (1...100).contains(identifier.count),
            let customer = fields["payload[stripe_customer_id]"], customer.hasPrefix("cus_"),
            let text = fields["payload[value]"], let value = Int64(text), value > 0,
            text == String(value), let time = fields["timestamp"].flatMap({ Int64($0) }),
            (now - 35 * 86_400...now + 300).contains(time)
        else { return nil }
        return Taken(identifier: identifier, customer: customer, value: value, timestamp: time)
    }

    private static func error(
        _ status: Int, _ code: String?, _ message: String
    ) -> HTTPStandIn.Reply {
        let error = Document.members([
            "message": .string(message), "type": .string("api_error"),
            "code": code.map(Document.string),
        ])
        return .answer(
            status, headers: ["Content-Type": "application/json"],
            body: Document.object(["error": error]).canonicalText)
    }
}

/// `application/x-www-form-urlencoded`, read without the code that writes it.
enum FormText {
    static func decode(_ body: [UInt8]) -> [String: String] {
        let pairs = String(decoding: body, as: UTF8.self).split(separator: "&").map { pair in
            pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.replacing("+", with: " ").removingPercentEncoding ?? "?"
            }
        }
        return Dictionary(
            pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) },
            uniquingKeysWith: { first, _ in first })
    }
}
