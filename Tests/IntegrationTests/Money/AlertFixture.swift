import MeteringModel

/// Crossings of a few customers: what tests of the ways out share.
enum AlertFixture {
    /// Lifetime quotas, so that no test meets the end of a period.
    static let catalog = """
        meters:
          - {key: tokens, event_type: llm.request, aggregation: sum, value: $.tokens}
        features:
          - {key: tokens, type: metered, meter: tokens}
        plans:
          - key: small
            entitlements:
              tokens:
                {limit: 100, period: lifetime, enforcement: soft,
                 thresholds: [50%, 80%, 100%, 120%]}
          - key: large
            entitlements:
              tokens:
                {limit: 10000, period: lifetime, enforcement: soft,
                 thresholds: [50%, 80%, 100%, 120%]}

        """

    struct Told: Sendable, Hashable {
        var id: String
        var customer: String
    }
}

extension TollgateServer {
    /// Crossings in the ledger's order.
    func crossings() async throws -> [AlertFixture.Told] {
        let page = try await document("/v1/alerts?limit=1000")
        return (page["alerts"]?.elements ?? [])
            .sorted { ($0["sequence"]?.integer ?? 0) < ($1["sequence"]?.integer ?? 0) }
            .map { .init(id: $0["id"]?.text ?? "", customer: $0["customer"]?.text ?? "") }
    }

    /// `ok`, `failing`, `disabled` or `off`.
    func state(ofEndpoint id: String) async throws -> String? {
        try await document("/v1/alert-endpoints/\(id)")["status"]?["state"]?.text
    }

    func waitUntil(_ state: String, endpoint id: String) async throws {
        try await eventually("the endpoint \(id) is \(state)") {
            try await self.state(ofEndpoint: id) == state ? true : nil
        }
    }

    /// Has it tried at once.
    func enable(endpoint id: String) async throws {
        try await change("POST", "/v1/alert-endpoints/\(id)/enable", "{}")
    }
}
