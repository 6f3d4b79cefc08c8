import MeteringModel
import MeteringPorts

/// A call to Stripe's API. The secret key is added by whoever carries it out.
package struct StripeRequest: Sendable, Hashable {
    /// Below the API's base, e.g. `/v1/billing/meter_events`.
    package var path: String
    package var idempotencyKey: String
    /// `application/x-www-form-urlencoded`
    package var body: [UInt8]
    package init(path: String, idempotencyKey: String, body: [UInt8]) {
        self.path = path
        self.idempotencyKey = idempotencyKey
        self.body = body
    }

    /// One event. Everything in it is fixed once it was first called, so that the same key always
    /// stands for the same bytes.
    init(_ draft: MeterEventDraft, timestamp: Timestamp) {
        let fields: [(String, String)] = [
            ("event_name", draft.eventName), ("identifier", draft.identifier),
            ("payload[stripe_customer_id]", draft.stripeCustomer),
            ("payload[value]", String(draft.value)), ("timestamp", String(timestamp.seconds)),
        ]
        let text = fields.map { Self.escape($0.0) + "=" + Self.escape($0.1) }
        self.init(
            path: "/v1/billing/meter_events", idempotencyKey: draft.identifier,
            body: Array(text.joined(separator: "&").utf8))
    }

    /// Percent-encodes all but the unreserved characters of RFC 3986.
    static func escape(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                let digits = Array("0123456789ABCDEF".utf8)
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

package struct StripeResponse: Sendable, Hashable {
    package var status: Int
    /// Cut off by the transport at a bound.
    package var body: [UInt8]
    /// Of `Retry-After`, where there is one.
    package var retryAfterSeconds: Int64?
    package init(status: Int, body: [UInt8], retryAfterSeconds: Int64? = nil) {
        self.status = status
        self.body = body
        self.retryAfterSeconds = retryAfterSeconds
    }
}

/// No answer came.
package struct StripeTransportError: Error, Sendable, CustomStringConvertible {
    /// Without secrets.
    package var message: String
    /// Whether Stripe may have taken the call: false only when nothing of it was sent.
    package var isOutcomeUnknown: Bool
    package init(message: String, isOutcomeUnknown: Bool) {
        self.message = message
        self.isOutcomeUnknown = isOutcomeUnknown
    }
    package var description: String { message }
}

/// Carries one call out, within a time limit of its own.
package typealias StripeTransport =
    @Sendable (StripeRequest) async throws(StripeTransportError) -> StripeResponse
