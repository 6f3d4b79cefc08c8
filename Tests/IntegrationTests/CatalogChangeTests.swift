import Testing

extension Integration {
    /// Another catalog while the program runs.
    @Suite(.serialized) struct CatalogChange {
        private func apply(_ server: TollgateServer, limit: Int) async throws -> HTTPAnswer {
            try await server.post(
                "/v1/catalog?migrate=true",
                TraceFixture.catalog.replacing(
                    "seats: {limit: 1000,", with: "seats: {limit: \(limit),"),
                type: "application/yaml")
        }

        private func consume(
            _ server: TollgateServer, _ quantity: Int
        ) async throws -> DecisionAnswer {
            try await server.decision(
                "/v1/consume", #"{"customer":"c3","feature":"seats","quantity":\#(quantity)}"#)
        }

        @Test func aRaisedLimitResolvesAndALoweredOneStops() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            #expect(try await consume(server, 1_000).allowed)
            #expect(try await consume(server, 1).reason == "exhausted")
            let crossed = try await eventually("a crossing") {
                try await server.alerts().first
            }
            #expect(crossed.resolved_at == nil)

            #expect(try await apply(server, limit: 2_000).status == 200)
            let resolved = try await eventually("its resolution") { () -> Alerts.Alert? in
                let alert = try await server.alerts().first
                return alert?.resolved_at == nil ? nil : alert
            }
            #expect(resolved.id == crossed.id)
            #expect(try await consume(server, 500).allowed)

            #expect(try await apply(server, limit: 1_200).status == 200)
            let stopped = try await consume(server, 1)
            #expect(!stopped.allowed)
            #expect(stopped.used == 1_500)
            let expected: Set = [
                Totals.Row(customer: "c3", meter: "seats", count: 2, value: 1_500)
            ]
            #expect(try await server.settled(expected) == expected)
            #expect(try await server.reconcile().drifts == [])
        }

        @Test func aBadCatalogChangesNothing() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let before = try await server.get("/v1/catalog").text
            for bad in ["", "meters: [", "plans: {}\n", TraceFixture.catalog + "oops: 1\n"] {
                let answer = try await server.post("/v1/catalog", bad, type: "application/yaml")
                #expect([400, 422].contains(answer.status), "\(bad.suffix(20)): \(answer.text)")
            }
            let broken = TraceFixture.catalog.replacing("limit: 10000,", with: "limit: -5,")
            let answer = try await server.post("/v1/catalog", broken, type: "application/yaml")
            #expect(answer.status == 422, "\(answer.text)")
            #expect(answer.text.contains(#""line":14"#), "\(answer.text)")
            #expect(try await server.get("/v1/catalog").text == before)
            let decision = try await server.decision(
                "/v1/consume", #"{"customer":"c1","feature":"calls"}"#)
            #expect(decision.limit == 10_000)
        }
    }
}
