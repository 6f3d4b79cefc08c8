import Foundation
import MeteringModel

typealias Document = MeteringModel.JSONValue

extension HTTPAnswer {
    /// The body as a JSON document.
    func document() throws -> Document {
        do {
            return try JSONParser.parse(Array(body))
        } catch {
            throw Unmet("\(status) \(text.prefix(500)): \(error)")
        }
    }
}

extension TollgateServer {
    /// One request of any method, whatever its answer.
    func send(
        _ method: String, _ path: String, _ body: String = "", type: String = "application/json",
        headers: [String: String] = [:]
    ) async throws -> HTTPAnswer {
        let port = port
        return try await onThread {
            try HTTPConnection(port: port, timeoutSeconds: 120).send(
                method, path, type: type, body: Array(body.utf8), headers: headers)
        }
    }

    /// A change that must succeed.
    @discardableResult
    func change(
        _ method: String, _ path: String, _ body: String = "", headers: [String: String] = [:]
    ) async throws -> Document {
        let answer = try await send(method, path, body, headers: headers)
        guard (200..<300).contains(answer.status) else {
            throw Unmet("\(method) \(path): \(answer.status) \(answer.text)")
        }
        return try answer.document()
    }

    func check(_ customer: String, _ feature: String, _ quantity: Int = 1) async throws -> Document
    {
        let answer = try await post(
            "/v1/check",
            #"{"customer":"\#(customer)","feature":"\#(feature)","quantity":\#(quantity)}"#)
        guard answer.status == 200 else { throw Unmet("\(answer.status): \(answer.text)") }
        return try answer.document()
    }

    func consume(
        _ customer: String, _ feature: String, _ quantity: Int = 1
    ) async throws -> Document {
        let answer = try await post(
            "/v1/consume",
            #"{"customer":"\#(customer)","feature":"\#(feature)","quantity":\#(quantity)}"#)
        guard answer.status == 200 else { throw Unmet("\(answer.status): \(answer.text)") }
        return try answer.document()
    }

    /// One entitlement of a customer, now or at an instant.
    func entitlement(
        _ customer: String, _ feature: String, at: String? = nil
    ) async throws -> Document? {
        let query = at.map { "?at=" + $0.replacing("+", with: "%2B") } ?? ""
        let answer = try await get("/v1/customers/\(customer)/entitlements\(query)")
        guard answer.status == 200 else { throw Unmet("\(answer.status): \(answer.text)") }
        return try answer.document()["entitlements"]?.elements?
            .first { $0["feature"]?.text == feature }
    }

    /// Every row of the audit log.
    func audit() async throws -> [Document] {
        var rows: [Document] = []
        var cursor: String?
        repeat {
            let path = "/v1/audit?limit=1000" + (cursor.map { "&cursor=\($0)" } ?? "")
            let page = try await get(path).document()
            rows += page["items"]?.elements ?? []
            cursor = page["next"]?.text
        } while cursor != nil
        return rows
    }
}

extension Document {
    var isAllowed: Bool? { self["allowed"]?.flag }
    var reason: String? { self["reason"]?.text }
    var limit: Int64? { self["limit"]?.integer }
    var used: Int64? { self["used"]?.integer }
}

/// A catalog for the control plane's scenarios.
enum ControlCatalog {
    static let yaml = """
        products:
          - {key: suite, default_plan: basic}
        meters:
          - {key: calls, event_type: api.call, aggregation: count}
          - {key: tokens, event_type: llm.request, aggregation: sum, value: $.tokens}
        features:
          - {key: api_calls, type: metered, meter: calls, counting: admission}
          - {key: tokens, type: metered, meter: tokens}
          - {key: seats, type: seat}
          - {key: sso, type: boolean}
          - {key: reports, type: boolean}
          - {key: region, type: static}
        plans:
          - key: basic
            product: suite
            entitlements:
              api_calls: {limit: 100, period: month, thresholds: [80%, 100%]}
              tokens: {limit: 1000, period: month, thresholds: [80%, 100%], enforcement: soft}
              seats: {seats: 25}
              region: eu
          - key: pro
            product: suite
            entitlements:
              api_calls: {limit: 1000, period: month, thresholds: [80%, 100%]}
              tokens: {limit: 100000, period: month, thresholds: [80%, 100%], enforcement: soft}
              seats: {seats: 40}
              sso: true
              region: eu
        add_ons:
          - {key: premium, product: suite, entitlements: {reports: true}}
        stripe:
          prices:
            price_basic: {plan: basic}
            price_pro: {plan: pro}
            price_premium: {add_on: premium}
            price_seats: {seats: seats}
        customers: []

        """
}
