import MeteringModel
import MeteringPorts

@testable import Provisioning

/// Sends events as Stripe does.
struct StripeSender {
    static let secret = "whsec_current"
    let fixture: IntakeFixture
    var secrets = [StripeSender.secret]

    var endpoint: StripeEndpoint { StripeEndpoint(engine: fixture.engine, secrets: secrets) }

    /// Signs and sends; `created` defaults to the fixture's clock.
    @discardableResult
    func send(
        _ id: String, _ type: String, created: String? = nil, _ object: JSONValue
    ) async throws -> JSONValue {
        let at = created.flatMap { Timestamp(rfc3339: $0) } ?? fixture.now
        let event: JSONValue = .object([
            "id": .string(id), "object": .string("event"), "type": .string(type),
            "created": .integer(at.seconds), "livemode": .bool(true),
            "data": .object(["object": object]),
        ])
        return try await send(event.canonicalBytes)
    }

    @discardableResult
    func send(_ body: [UInt8]) async throws -> JSONValue {
        let header = StripeSignature.header(body: body, secret: Self.secret, at: fixture.now)
        return try await endpoint.receive(body, signature: header).body
    }

    /// A subscription object; items are (price, quantity).
    static func subscription(
        _ id: String = "sub_1", customer: String = "cus_1", status: String = "active",
        items: [(String, Int)] = [("price_starter", 1)], interval: String = "month",
        start: String = "2026-03-01T00:00:00Z", _ more: [String: JSONValue] = [:]
    ) -> JSONValue {
        let lines = items.enumerated().map { index, item in
            JSONValue.object([
                "id": .string("si_\(index)"), "quantity": .integer(item.1),
                "current_period_end": .integer(seconds("2026-04-01T00:00:00Z")),
                "price": .object([
                    "id": .string(item.0.hasPrefix("price_") ? item.0 : "price_x\(index)"),
                    "lookup_key": item.0.hasPrefix("pro_") ? .string(item.0) : .null,
                    "product": .string(item.0.hasPrefix("prod_") ? item.0 : "prod_x\(index)"),
                    "recurring": .object([
                        "interval": .string(interval), "interval_count": .number("1"),
                    ]),
                ]),
            ])
        }
        return JSONValue.object([
            "id": .string(id), "object": .string("subscription"), "customer": .string(customer),
            "status": .string(status), "start_date": .integer(seconds(start)),
            "created": .integer(seconds(start)), "cancel_at_period_end": .bool(false),
            "metadata": .object([:]),
            "items": .object(["object": .string("list"), "data": .array(lines)]),
        ]).setting(more)
    }

    static func invoice(_ attempt: Int, subscription: String = "sub_1") -> JSONValue {
        .object([
            "id": .string("in_\(attempt)"), "customer": .string("cus_1"),
            "attempt_count": .integer(attempt),
            "parent": .object([
                "subscription_details": .object(["subscription": .string(subscription)])
            ]),
        ])
    }

    static func seconds(_ text: String) -> Int64 { Timestamp(rfc3339: text)?.seconds ?? 0 }
}
